/**
 * Takes a zstd stream apart into its frames (RFC 8878, 3.1): Node's decompressor ends with the first. Archives that can be read
 * in parts (zstd:chunked) have a frame for every file, and skippable frames for their tables.
 */
import { asBuffer, Fault } from '../std/index.ts';

const magic = 0xfd2fb528;
const skippable = 0x184d2a50;
const dictionaryBytes = [0, 1, 2, 4] as const;

export class ZstdFrames {
  readonly #iterator: AsyncIterator<Uint8Array>;
  #held: Buffer = Buffer.alloc(0);
  #ended = false;

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#iterator = source[Symbol.asyncIterator]();
  }

  /**
   * The next frame with content: all of it when it is no longer than `small`, else its bytes as they come, which must be read to
   * their end before the next is asked for. Undefined at the end. @throws Fault invalid
   */
  async next(small: number): Promise<Buffer | AsyncIterable<Uint8Array> | undefined> {
    for (;;) {
      if (!(await this.#fill(1))) return undefined;
      await this.#need(4);
      const start = this.#held.readUInt32LE(0);
      if (start === magic) break;
      if ((start & 0xfffffff0) >>> 0 !== skippable) throw broken('it is no zstd frame');
      await this.#need(8);
      const length = this.#held.readUInt32LE(4);
      this.#take(8);
      for await (const _ of this.#bytes(length));
    }
    const pieces = this.#frame();
    const head: Uint8Array[] = [];
    let size = 0;
    for (let piece = await pieces.next(); ; piece = await pieces.next()) {
      if (piece.done === true) return Buffer.concat(head, size);
      head.push(piece.value);
      size += piece.value.length;
      if (size > small) break;
    }
    return (async function* (): AsyncGenerator<Uint8Array, void, void> {
      yield* head;
      yield* pieces;
    })();
  }

  /** Tells the source that no more is wanted. */
  async close(): Promise<void> {
    if (!this.#ended) await this.#iterator.return?.();
    this.#ended = true;
  }

  async *#frame(): AsyncGenerator<Uint8Array, void, void> {
    await this.#need(5);
    const descriptor = this.#held[4]!;
    const single = (descriptor & 0x20) !== 0;
    const hasChecksum = (descriptor & 0x04) !== 0;
    const sizeFlag = descriptor >> 6;
    const sizeBytes = sizeFlag === 0 ? (single ? 1 : 0) : 1 << sizeFlag;
    const header = 5 + (single ? 0 : 1) + dictionaryBytes[descriptor & 3]! + sizeBytes;
    await this.#need(header);
    yield this.#take(header);
    for (let last = false; !last; ) {
      await this.#need(3);
      const block = this.#held.readUIntLE(0, 3);
      last = (block & 1) !== 0;
      const type = (block >> 1) & 3;
      if (type === 3) throw broken('a block is of a reserved kind');
      // A block of one byte repeated holds that byte once.
      yield* this.#bytes(3 + (type === 1 ? 1 : block >> 3));
    }
    if (hasChecksum) yield* this.#bytes(4);
  }

  /** Exactly so many bytes, in pieces as they came. */
  async *#bytes(count: number): AsyncGenerator<Uint8Array, void, void> {
    for (let left = count; left > 0; ) {
      await this.#need(1);
      const piece = this.#take(Math.min(left, this.#held.length));
      left -= piece.length;
      yield piece;
    }
  }

  async #need(count: number): Promise<void> {
    if (!(await this.#fill(count))) throw broken('unexpected end of file');
  }

  async #fill(count: number): Promise<boolean> {
    while (this.#held.length < count && !this.#ended) {
      const next = await this.#iterator.next();
      if (next.done === true) this.#ended = true;
      else this.#held = this.#held.length === 0 ? asBuffer(next.value) : Buffer.concat([this.#held, next.value]);
    }
    return this.#held.length >= count;
  }

  #take(count: number): Buffer {
    const piece = this.#held.subarray(0, count);
    this.#held = this.#held.subarray(count);
    return piece;
  }
}

function broken(detail: string): Fault {
  return new Fault('invalid', `Cannot decompress zstd data: ${detail}`);
}
