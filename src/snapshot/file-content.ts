/**
 * The content of files on its way to disk. Holes stay holes: those that a sparse entry tells of exactly, and long runs of zeros in
 * a dense one, which is how most tools archive a sparse file. Files lie as they were made, not as they were allocated.
 */
import { ftruncateSync, readSync, writeSync } from 'node:fs';
import type { TarEntry } from '../oci/index.ts';
import { asBuffer } from '../std/index.ts';

const turnMs = 10;
const blockSize = 4096;
/** Shorter runs are written: a hole that saves little makes one more extent. */
const shortestHole = 64 * 1024;
const zeros = Buffer.alloc(blockSize);

/** Writes the whole content into the new, empty file; the event loop gets its turn in large ones. */
export async function writeContent(descriptor: number, entry: TarEntry): Promise<void> {
  const now = entry.extents === undefined ? entry.storedNow() : undefined;
  if (now !== undefined && now.length < shortestHole) {
    writeAll(descriptor, now, 0);
    return;
  }
  const writer = entry.extents === undefined ? new DenseWriter(descriptor) : new ExtentWriter(descriptor, entry);
  if (now !== undefined) writer.write(now);
  else {
    let turn = performance.now();
    for await (const chunk of entry.stored()) {
      writer.write(asBuffer(chunk));
      if (performance.now() - turn > turnMs) {
        await new Promise(setImmediate);
        turn = performance.now();
      }
    }
  }
  writer.end();
}

/** Copies a file of a layer below into the new, empty one. */
export function copyContent(from: number, to: number): void {
  const writer = new DenseWriter(to);
  const piece = Buffer.allocUnsafe(256 * 1024);
  for (let count = readSync(from, piece); count > 0; count = readSync(from, piece)) {
    writer.write(piece.subarray(0, count));
  }
  writer.end();
}

/** Leaves out whole blocks of zeros where there are many in a row. */
class DenseWriter {
  readonly #descriptor: number;
  /** Where the next byte belongs. */
  #position = 0;
  /** Zeros before it that are not written yet. */
  #pending = 0;

  constructor(descriptor: number) {
    this.#descriptor = descriptor;
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

  end(): void {
    if (this.#pending === 0) return;
    if (this.#pending >= shortestHole) ftruncateSync(this.#descriptor, this.#position);
    else this.#settle();
  }

  /** Makes the pending zeros a hole, or writes them. */
  #settle(): void {
    if (this.#pending < shortestHole) {
      for (let left = this.#pending; left > 0; left -= blockSize) {
        writeAll(this.#descriptor, zeros.subarray(0, Math.min(left, blockSize)), this.#position - left);
      }
    }
    this.#pending = 0;
  }

  #put(data: Buffer): void {
    writeAll(this.#descriptor, data, this.#position);
    this.#position += data.length;
  }
}

/** Puts the stored bytes of a sparse entry where they belong. */
class ExtentWriter {
  readonly #descriptor: number;
  readonly #entry: TarEntry;
  #index = 0;
  #within = 0;

  constructor(descriptor: number, entry: TarEntry) {
    this.#descriptor = descriptor;
    this.#entry = entry;
  }

  write(data: Buffer): void {
    let rest = data;
    while (rest.length > 0) {
      const extent = this.#entry.extents![this.#index]!;
      const piece = rest.subarray(0, extent.length - this.#within);
      writeAll(this.#descriptor, piece, extent.offset + this.#within);
      this.#within += piece.length;
      rest = rest.subarray(piece.length);
      if (this.#within === extent.length) {
        this.#index++;
        this.#within = 0;
      }
    }
  }

  end(): void {
    ftruncateSync(this.#descriptor, this.#entry.size);
  }
}

function writeAll(descriptor: number, data: Buffer, position: number): void {
  for (let at = 0; at < data.length; ) {
    at += writeSync(descriptor, data, at, data.length - at, position + at);
  }
}
