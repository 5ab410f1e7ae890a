/** Small tools over `AsyncIterable<Uint8Array>`, the shape of streams at doors. */
import { Fault } from './fault.ts';

/** All bytes of `source`, at most `limit`. @throws Fault invalid beyond it */
export async function collectBytes(source: AsyncIterable<Uint8Array>, limit: number): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of source) {
    size += chunk.length;
    if (size > limit) throw new Fault('invalid', `Cannot read more than ${limit} bytes here`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, size);
}

/** Calls `look` with every chunk as it passes. */
export async function* tapBytes(
  source: AsyncIterable<Uint8Array>,
  look: (chunk: Uint8Array) => void,
): AsyncGenerator<Uint8Array, void, void> {
  for await (const chunk of source) {
    look(chunk);
    yield chunk;
  }
}

/** A Buffer on the same memory. */
export function asBuffer(chunk: Uint8Array): Buffer {
  return Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
}
