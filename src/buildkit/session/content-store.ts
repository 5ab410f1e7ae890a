/** A folder of blobs that the client lends (`--cache-to type=local`), as the daemon asks for it. */
import type { ClientBlobs } from '../../api/index.ts';
import type { GrpcClient, Metadata } from '../grpc/client.ts';
import { GrpcFault, grpcCode } from '../grpc/status.ts';
import {
  contentService,
  infoRequest,
  infoResponse,
  readRequest,
  readResponse,
  storeHeader,
  writeAction,
  writeRequest,
  writeResponse,
} from '../message/content.ts';

const pieceBytes = 1 << 20;

export class ContentStore implements ClientBlobs {
  readonly #client: GrpcClient;
  readonly #metadata: Metadata;

  /** `name` is how the client calls it: "local:" and its path there. */
  constructor(client: GrpcClient, name: string) {
    this.#client = client;
    this.#metadata = { [storeHeader]: name };
  }

  async size(digest: string, signal: AbortSignal): Promise<number | undefined> {
    const tables = { request: infoRequest, response: infoResponse };
    const options = { metadata: this.#metadata, signal };
    try {
      return (await this.#client.unary(`${contentService}/Info`, tables, { digest }, options)).info?.size;
    } catch (error) {
      if (error instanceof GrpcFault && error.code === grpcCode.notFound) return undefined;
      throw error;
    }
  }

  async *read(digest: string, signal: AbortSignal): AsyncGenerator<Uint8Array, void, void> {
    const tables = { request: readRequest, response: readResponse };
    using call = this.#client.call(`${contentService}/Read`, tables, { metadata: this.#metadata, signal });
    await call.send({ digest });
    call.end();
    for await (const { data } of call.messages) yield data;
  }

  async write(
    { digest, size }: { digest: string; size: number },
    bytes: AsyncIterable<Uint8Array>,
    signal: AbortSignal,
  ): Promise<void> {
    const tables = { request: writeRequest, response: writeResponse };
    using call = this.#client.call(`${contentService}/Write`, tables, { metadata: this.#metadata, signal });
    const named = { ref: digest, total: size, expected: digest };
    const answered = lastOf(call.messages);
    answered.catch(() => {});
    try {
      let offset = 0;
      for await (const chunk of bytes) {
        for (let at = 0; at < chunk.length; at += pieceBytes) {
          const data = chunk.subarray(at, at + pieceBytes);
          await call.send({ action: writeAction.write, ...named, offset, data });
          offset += data.length;
        }
      }
      await call.send({ action: writeAction.commit, ...named, offset });
      call.end();
    } catch (error) {
      // A client that refuses closes the call: why is in its answer, not in our failed write.
      if (!(error instanceof GrpcFault)) throw error;
    }
    try {
      const last = await answered;
      if (last?.action === writeAction.commit) return;
    } catch (error) {
      // It came by another way meanwhile.
      if (error instanceof GrpcFault && error.code === grpcCode.alreadyExists) return;
      throw error;
    }
    throw new GrpcFault(grpcCode.internal, `the client did not keep ${digest}`);
  }
}

async function lastOf<T>(messages: AsyncIterable<T>): Promise<T | undefined> {
  let last: T | undefined;
  for await (const each of messages) last = each;
  return last;
}
