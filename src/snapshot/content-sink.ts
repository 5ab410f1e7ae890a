/** Where the contents of a layer's files go while its tree is made. */
import { type BigIntStats, constants, copyFileSync, ftruncateSync, writeSync } from 'node:fs';
import type { TarEntry } from '../oci/index.ts';
import { asBuffer } from '../std/index.ts';

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
      spend(now.length, 0);
      writeAll(descriptor, now, null);
      return undefined;
    },
    copyUp: (from, path, stat) => {
      spend(Number(stat.size), 0);
      copyFileSync(from, path, constants.COPYFILE_EXCL);
    },
  };
}

async function fillDense(
  descriptor: number,
  entry: TarEntry,
  spend: (bytes: number, inodes: number) => void,
): Promise<void> {
  let turn = performance.now();
  for await (const chunk of entry.stored()) {
    spend(chunk.length, 0);
    writeAll(descriptor, asBuffer(chunk), null);
    if (performance.now() - turn > turnMs) {
      await new Promise(setImmediate);
      turn = performance.now();
    }
  }
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

function writeAll(descriptor: number, data: Buffer, position: number | null): void {
  for (let at = 0; at < data.length; ) {
    at += writeSync(descriptor, data, at, data.length - at, position === null ? null : position + at);
  }
}
