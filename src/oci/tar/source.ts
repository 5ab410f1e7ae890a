/** Pulls bytes from a chunked stream by count. Chunks are not copied unless a piece spans two of them. */
import { asBuffer, Fault } from '../../std/index.ts';

const empty = Buffer.alloc(0);

export class ByteSource {
  readonly #iterator: AsyncIterator<Uint8Array>;
  #chunk: Buffer = empty;
  #at = 0;
  #ended = false;

  constructor(bytes: AsyncIterable<Uint8Array>) {
    this.#iterator = bytes[Symbol.asyncIterator]();
  }

  get buffered(): number {
    return this.#chunk.length - this.#at;
  }

  /** Makes `count` bytes available in one piece; false when the stream ends before. */
  async fill(count: number): Promise<boolean> {
    if (this.buffered >= count) return true;
    const pieces: Buffer[] = this.buffered > 0 ? [this.#chunk.subarray(this.#at)] : [];
    let size = this.buffered;
    while (size < count) {
      const next = await this.#pull();
      if (next === undefined) break;
      pieces.push(next);
      size += next.length;
    }
    this.#chunk = pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces, size);
    this.#at = 0;
    return size >= count;
  }

  /** The next `count` bytes, which `fill` must have made available. */
  take(count: number): Buffer {
    const piece = this.#chunk.subarray(this.#at, this.#at + count);
    this.#at += count;
    return piece;
  }

  /** Between 1 and `most` bytes, whatever is at hand. @throws Fault invalid at the end of the stream */
  async some(most: number): Promise<Buffer> {
    if (this.buffered === 0) {
      const next = await this.#pull();
      if (next === undefined) throw new Fault('invalid', 'Cannot read archive: unexpected EOF');
      this.#chunk = next;
      this.#at = 0;
    }
    return this.take(Math.min(most, this.buffered));
  }

  async skip(count: number): Promise<void> {
    for (let left = count; left > 0; ) left -= (await this.some(left)).length;
  }

  /** As many of a few bytes as there are. */
  async skipUpTo(count: number): Promise<void> {
    await this.fill(count);
    this.take(Math.min(count, this.buffered));
  }

  /** Reads to the end of the stream, so that whoever hashes it sees every byte. @throws Fault invalid beyond `limit` bytes */
  async drain(limit: number): Promise<void> {
    this.#chunk = empty;
    this.#at = 0;
    let read = 0;
    for (let next = await this.#pull(); next !== undefined; next = await this.#pull()) {
      read += next.length;
      if (read > limit) throw new Fault('invalid', `Cannot read archive: more than ${limit} bytes behind its end`);
    }
  }

  /** Tells the stream that no more is wanted. */
  async close(): Promise<void> {
    if (!this.#ended) await this.#iterator.return?.();
    this.#ended = true;
  }

  async #pull(): Promise<Buffer | undefined> {
    while (!this.#ended) {
      const next = await this.#iterator.next();
      if (next.done === true) this.#ended = true;
      else if (next.value.length > 0) return asBuffer(next.value);
    }
    return undefined;
  }
}
