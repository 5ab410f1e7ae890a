/** Fetches a blob through broken connections: asks for the rest with Range, or skips what it has when that is not understood. */
import { Fault, faultKind } from '../std/index.ts';
import { setTimeout as sleep } from 'node:timers/promises';
import type { HttpResponse } from './transport.ts';

const attempts = 5;
const firstDelayMs = 100;

export async function* fetchBlob(
  request: (from: number) => Promise<HttpResponse>,
  blob: { digest: string; size: number },
  start: number,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, void> {
  let at = start;
  for (let attempt = 0; at < blob.size; ) {
    const before = at;
    try {
      const response = await request(at);
      let skip = response.status === 206 ? 0 : at;
      for await (const chunk of response.body) {
        if (skip >= chunk.length) {
          skip -= chunk.length;
          continue;
        }
        const piece = chunk.subarray(skip);
        skip = 0;
        at += piece.length;
        yield piece;
      }
      if (at >= blob.size) return;
      throw new Fault('internal', `Cannot fetch blob ${blob.digest}: unexpected EOF after ${at} of ${blob.size} bytes`);
    } catch (error) {
      signal.throwIfAborted();
      attempt = at > before ? 1 : attempt + 1;
      const refused = faultKind(error) !== 'internal' && error instanceof Fault;
      if (refused || attempt >= attempts) throw error;
      await sleep(firstDelayMs * 2 ** (attempt - 1), undefined, { signal });
    }
  }
}
