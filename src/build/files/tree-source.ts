/** What a walk finds as entries of an archive, so that one writer serves trees and archives. */
import { closeSync, openSync, readSync } from 'node:fs';
import { descriptorPath, nextData, openFlags, xattrsOfDescriptor } from '../../linux/index.ts';
import { type TarEntry, type TarExtent, tarHeader, type TarType } from '../../oci/index.ts';
import { isPortable } from './content-digest.ts';
import type { TreeEntry } from './lent-tree.ts';

const pieceSize = 256 * 1024;
/** Bytes between two turns of everybody else. */
const turnBytes = 4 << 20;
const none: ReadonlyMap<string, Buffer> = new Map();

/** Under that name, with the attributes it has. Undefined for a socket, which no layer can hold. Read it before the walk goes on. */
export function entryOf(name: Buffer, { stat, descriptor, target }: TreeEntry): TarEntry | undefined {
  const type = typeOf(stat);
  if (type === undefined) return undefined;
  const size = type === 'file' ? Number(stat.size) : 0;
  const hasHoles = stat.blocks * 512n < stat.size;
  const xattrs = type === 'file' || type === 'directory' ? xattrsOf(descriptor) : none;
  const header = tarHeader(name, type, {
    mode: Number(stat.mode) & 0o7777,
    uid: Number(stat.uid),
    gid: Number(stat.gid),
    size,
    mtime: stat.mtimeNs,
    linkName: target ?? Buffer.alloc(0),
    xattrs,
    ...(type === 'character' || type === 'block' ? deviceOf(stat.rdev) : {}),
  });
  const extents = type === 'file' && hasHoles ? extentsOf(descriptor, size) : undefined;
  const stored = (): AsyncIterable<Uint8Array> => pieces(descriptor, extents ?? [{ offset: 0, length: size }]);
  return {
    ...header,
    extents,
    storedSize: extents?.reduce((sum, { length }) => sum + length, 0) ?? size,
    body: () => pieces(descriptor, [{ offset: 0, length: size }]),
    stored,
    storedNow: () => undefined,
  };
}

/** The bytes of a file. Read them before the walk goes on. */
export function contentOf({ stat, descriptor }: TreeEntry): AsyncIterable<Uint8Array> {
  return pieces(descriptor, [{ offset: 0, length: Number(stat.size) }]);
}

/** Another name for what an earlier entry is. */
export function linkEntry(name: Buffer, first: Buffer): TarEntry {
  const nothing = (): AsyncIterable<Uint8Array> => pieces(-1, []);
  const header = tarHeader(name, 'hardlink', { linkName: first });
  return { ...header, extents: undefined, storedSize: 0, body: nothing, stored: nothing, storedNow: () => undefined };
}

function typeOf(stat: TreeEntry['stat']): TarType | undefined {
  if (stat.isFile()) return 'file';
  if (stat.isDirectory()) return 'directory';
  if (stat.isSymbolicLink()) return 'symlink';
  if (stat.isFIFO()) return 'fifo';
  if (stat.isCharacterDevice()) return 'character';
  return stat.isBlockDevice() ? 'block' : undefined;
}

function xattrsOf(descriptor: number): ReadonlyMap<string, Buffer> {
  return new Map([...xattrsOfDescriptor(descriptor)].filter(([key]) => isPortable(key)));
}

/** The kernel's device number taken apart (gnu_dev_major, gnu_dev_minor). */
function deviceOf(device: bigint): { major: number; minor: number } {
  return {
    major: Number(((device >> 8n) & 0xfffn) | ((device >> 32n) & 0xfffff000n)),
    minor: Number((device & 0xffn) | ((device >> 12n) & 0xffffff00n)),
  };
}

function extentsOf(descriptor: number, size: number): TarExtent[] {
  const file = openSync(descriptorPath(descriptor), openFlags.read);
  try {
    const extents: TarExtent[] = [];
    for (let run = nextData(file, 0); run !== undefined && run.start < size; run = nextData(file, run.end)) {
      extents.push({ offset: run.start, length: Math.min(run.end, size) - run.start });
    }
    return extents;
  } finally {
    closeSync(file);
  }
}

/** Exactly those bytes; a file that became shorter meanwhile ends in zeros. */
async function* pieces(descriptor: number, extents: readonly TarExtent[]): AsyncGenerator<Uint8Array, void, void> {
  if (extents.every(({ length }) => length === 0)) return;
  const file = openSync(descriptorPath(descriptor), openFlags.read);
  try {
    let untilTurn = turnBytes;
    for (const { offset, length } of extents) {
      for (let at = 0; at < length; ) {
        const piece = Buffer.allocUnsafe(Math.min(pieceSize, length - at));
        const count = readSync(file, piece, 0, piece.length, offset + at);
        const bytes = count === 0 ? piece.fill(0) : piece.subarray(0, count);
        yield bytes;
        at += bytes.length;
        untilTurn -= bytes.length;
        if (untilTurn > 0) continue;
        untilTurn = turnBytes;
        await new Promise(setImmediate);
      }
    }
  } finally {
    closeSync(file);
  }
}
