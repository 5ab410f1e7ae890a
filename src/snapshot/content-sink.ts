/** Where the contents of a layer's files go while its tree is made. */
import { type BigIntStats, closeSync, constants, ftruncateSync, openSync, readSync } from 'node:fs';
import type { TarEntry } from '../oci/index.ts';
import { asBuffer } from '../std/index.ts';
import { HoleWriter, shortestHole, writeAll } from './hole-writer.ts';

export interface ContentSink {
  /** Takes the entry's bytes for the open, empty file. Undefined when that was done at once, which spares small files a turn. */
  fill(descriptor: number, entry: TarEntry): Promise<void> | undefined;
  /** Makes `path` with the bytes of a file of a layer below. */
  copyUp(from: Buffer, path: Buffer, stat: BigIntStats): void;
  /** What was made at `path` gives way to another entry. */
  removed?(path: Buffer): void;
}

const turnMs = 10;

/** Into the files, holes kept. */
export function writeContent(spend: (bytes: number, inodes: number) => void): ContentSink {
  return {
    fill: (descriptor, entry) => {
      const now = entry.extents === undefined ? entry.storedNow() : undefined;
      if (now === undefined)
        return entry.extents === undefined ? fillDense(descriptor, entry, spend) : fillSparse(descriptor, entry, spend);
      if (now.length < shortestHole) {
        spend(now.length, 0);
        writeAll(descriptor, now, 0);
      } else {
        const writer = new HoleWriter(descriptor, spend);
        writer.write(now);
        writer.end();
      }
      return undefined;
    },
    copyUp: (from, path) => copyFile(from, path, spend),
  };
}

function copyFile(from: Buffer, path: Buffer, spend: (bytes: number, inodes: number) => void): void {
  const source = openSync(from, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    const target = openSync(
      path,
      constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
      0o600,
    );
    try {
      const writer = new HoleWriter(target, spend);
      const piece = Buffer.allocUnsafe(256 * 1024);
      for (let count = readSync(source, piece); count > 0; count = readSync(source, piece))
        writer.write(piece.subarray(0, count));
      writer.end();
    } finally {
      closeSync(target);
    }
  } finally {
    closeSync(source);
  }
}

async function fillDense(
  descriptor: number,
  entry: TarEntry,
  spend: (bytes: number, inodes: number) => void,
): Promise<void> {
  const writer = new HoleWriter(descriptor, spend);
  let turn = performance.now();
  for await (const chunk of entry.stored()) {
    writer.write(asBuffer(chunk));
    if (performance.now() - turn > turnMs) {
      await new Promise(setImmediate);
      turn = performance.now();
    }
  }
  writer.end();
}

async function fillSparse(
  descriptor: number,
  entry: TarEntry,
  spend: (bytes: number, inodes: number) => void,
): Promise<void> {
  let turn = performance.now();
  for await (const { offset, bytes } of placedPieces(entry)) {
    spend(bytes.length, 0);
    writeAll(descriptor, bytes, offset);
    if (performance.now() - turn > turnMs) {
      await new Promise(setImmediate);
      turn = performance.now();
    }
  }
  ftruncateSync(descriptor, entry.size);
}

/** The stored bytes of a file, each piece with where it belongs. */
export async function* placedPieces(entry: TarEntry): AsyncGenerator<{ offset: number; bytes: Buffer }, void, void> {
  const extents = entry.extents ?? [{ offset: 0, length: entry.size }];
  let index = 0;
  let within = 0;
  for await (const chunk of entry.stored()) {
    let rest = asBuffer(chunk);
    while (rest.length > 0) {
      const extent = extents[index]!;
      const bytes = rest.subarray(0, extent.length - within);
      yield { offset: extent.offset + within, bytes };
      within += bytes.length;
      rest = rest.subarray(bytes.length);
      if (within === extent.length) {
        index++;
        within = 0;
      }
    }
  }
}
