/** Writing under back pressure. */
import type { Http2Stream } from 'node:http2';
import { GrpcFault, grpcCode } from './status.ts';

/** Resolves when there is room for more. @throws GrpcFault canceled when the stream has closed */
export async function writeBytes(stream: Http2Stream, bytes: Uint8Array): Promise<void> {
  const gone = (): GrpcFault => new GrpcFault(grpcCode.canceled, 'the stream is closed');
  if (stream.destroyed || stream.closed || stream.writableEnded) throw gone();
  if (stream.write(bytes)) return;
  await new Promise<void>((resolve, reject) => {
    const settle = (): void => {
      stream.off('drain', settle);
      stream.off('close', settle);
      if (stream.destroyed) reject(gone());
      else resolve();
    };
    stream.on('drain', settle);
    stream.on('close', settle);
  });
}
