/** Reading to the peer's end of a stream. */
import type { Http2Stream } from 'node:http2';
import { GrpcFault, grpcCode } from './status.ts';

/**
 * The bytes of a stream, pulled; returning early leaves the stream as it is. Node's own iteration fails at a RST_STREAM even when all was
 * delivered, and grpc-go's servers send one (NO_ERROR) behind their trailers to a client that has not half-closed (RFC 9113 §8.1).
 * @throws GrpcFault unavailable when the stream closes before its end
 */
export async function* readBytes(stream: Http2Stream): AsyncGenerator<Buffer, void, void> {
  let wake = (): void => {};
  const awaken = (): void => wake();
  const events = ['readable', 'end', 'close'] as const;
  for (const event of events) stream.on(event, awaken);
  try {
    for (;;) {
      const more = new Promise<void>((resolve) => {
        wake = resolve;
      });
      const chunk = stream.read() as Buffer | null;
      if (chunk !== null) yield chunk;
      // To Node a reset is an end too.
      else if (stream.readableEnded && (stream.rstCode ?? 0) === 0) return;
      else if (stream.destroyed || stream.readableEnded)
        throw new GrpcFault(grpcCode.unavailable, 'the stream closed before its end');
      else await more;
    }
  } finally {
    for (const event of events) stream.off(event, awaken);
  }
}
