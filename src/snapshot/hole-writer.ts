/**
 * Writes a file from its start, and leaves out whole blocks of zeros where there are many in a row: most tools archive a sparse file as
 * the zeros it reads as. It lies on disk as it was made, not as it was allocated.
 */
import { ftruncateSync, writeSync } from 'node:fs';

const blockSize = 4096;
/** Shorter runs are written: a hole that saves little makes one more extent. */
export const shortestHole = 64 * 1024;
const zeros = Buffer.alloc(blockSize);

export class HoleWriter {
  readonly #descriptor: number;
  readonly #spend: (bytes: number, inodes: number) => void;
  /** Where the next byte belongs. */
  #position = 0;
  /** Zeros before it that are not written yet. */
  #pending = 0;

  /** `descriptor` is of a new, empty file; `spend` hears of what is written before it is. */
  constructor(descriptor: number, spend: (bytes: number, inodes: number) => void) {
    this.#descriptor = descriptor;
    this.#spend = spend;
  }

  write(data: Buffer): void {
    let from = 0;
    for (let at = 0; at < data.length; ) {
      const end = Math.min(data.length, at + blockSize - ((this.#position + at - from) % blockSize));
      if (data[at] !== 0 || !data.subarray(at, end).equals(zeros.subarray(0, end - at))) {
        if (this.#pending > 0) this.#settle();
        at = end;
        continue;
      }
      this.#put(data.subarray(from, at));
      this.#pending += end - at;
      this.#position += end - at;
      from = at = end;
    }
    this.#put(data.subarray(from));
  }

  /** Gives the file its size. */
  end(): void {
    if (this.#pending >= shortestHole) ftruncateSync(this.#descriptor, this.#position);
    else if (this.#pending > 0) this.#settle();
  }

  /** Makes the pending zeros a hole, or writes them. */
  #settle(): void {
    if (this.#pending < shortestHole) {
      this.#spend(this.#pending, 0);
      for (let left = this.#pending; left > 0; left -= blockSize) {
        writeAll(this.#descriptor, zeros.subarray(0, Math.min(left, blockSize)), this.#position - left);
      }
    }
    this.#pending = 0;
  }

  #put(data: Buffer): void {
    if (data.length === 0) return;
    this.#spend(data.length, 0);
    writeAll(this.#descriptor, data, this.#position);
    this.#position += data.length;
  }
}

export function writeAll(descriptor: number, data: Buffer, position: number): void {
  for (let at = 0; at < data.length; ) {
    at += writeSync(descriptor, data, at, data.length - at, position + at);
  }
}
