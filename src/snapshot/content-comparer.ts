/** Compares the content of files that have the same size, through two pieces of memory that serve for all of them. */
import { closeSync, constants, openSync, read, readSync } from 'node:fs';
import { promisify } from 'node:util';

const pieceSize = 256 * 1024;
const flags = constants.O_RDONLY | constants.O_NOFOLLOW;
const readAsync = promisify(read);

export class ContentComparer {
  readonly #pieces = [Buffer.allocUnsafe(pieceSize), Buffer.allocUnsafe(pieceSize)] as const;

  /** Large files are read off the main thread. */
  async same(one: Buffer, other: Buffer, size: number, signal?: AbortSignal): Promise<boolean> {
    const descriptors: number[] = [];
    try {
      for (const path of [one, other]) descriptors.push(openSync(path, flags));
      for (let left = size; left > 0; left -= pieceSize) {
        signal?.throwIfAborted();
        const length = Math.min(left, pieceSize);
        const [a, b] = await this.#next(descriptors as [number, number], length, size > pieceSize);
        if (!a.equals(b)) return false;
      }
      return true;
    } finally {
      for (const descriptor of descriptors) closeSync(descriptor);
    }
  }

  async #next([one, other]: [number, number], length: number, large: boolean): Promise<[Buffer, Buffer]> {
    const [a, b] = [this.#pieces[0].subarray(0, length), this.#pieces[1].subarray(0, length)];
    const counts = large ? await Promise.all([fill(one, a), fill(other, b)]) : [fillSync(one, a), fillSync(other, b)];
    return [a.subarray(0, counts[0]), b.subarray(0, counts[1])];
  }
}

/** Reads until the piece is full, or the file ends. */
async function fill(descriptor: number, piece: Buffer): Promise<number> {
  let at = 0;
  while (at < piece.length) {
    const { bytesRead } = await readAsync(descriptor, piece, at, piece.length - at, null);
    if (bytesRead === 0) break;
    at += bytesRead;
  }
  return at;
}

function fillSync(descriptor: number, piece: Buffer): number {
  let at = 0;
  while (at < piece.length) {
    const count = readSync(descriptor, piece, at, piece.length - at, null);
    if (count === 0) break;
    at += count;
  }
  return at;
}
