/**
 * Whether a layer on disk is what its tar makes. The tar is unpacked once more by the very code that made the layer, into a
 * skeleton without contents; contents are compared as they pass, and then the two trees are, name by name.
 */
import {
  type BigIntStats,
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  lstatSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
  writeFileSync,
} from 'node:fs';
import { descriptorPath, getXattr, listXattrs, nextData } from '../linux/index.ts';
import type { TarEntry } from '../oci/index.ts';
import { type ContentSink, placedPieces } from './content-sink.ts';
import { joinPath, type LowerDirectory, statIfReachable } from './lower.ts';
import { unpackLayer } from './unpack.ts';
import { isWhiteout } from './whiteout.ts';

/** One name that is not as it should be. */
export interface Difference {
  /** From the layer's root, with a leading slash. */
  path: string;
  detail: string;
}

export interface CompareOptions {
  /** The layer's own directory. */
  files: string;
  lower: LowerDirectory;
  tar: AsyncIterable<Uint8Array>;
  /** An empty directory for the skeleton. */
  skeleton: string;
  spend: (bytes: number, inodes: number) => void;
  signal: AbortSignal;
}

const turnMs = 10;
const pieceSize = 256 * 1024;
const mostDifferences = 20;

/** @returns the first differences, none when the layer is as it should be. @throws Fault invalid for a broken tar */
export async function compareLayer(options: CompareOptions): Promise<Difference[]> {
  const { files, lower, tar, skeleton, spend, signal } = options;
  const sink = new ComparingSink(skeleton, files);
  await unpackLayer(openSync(skeleton, 'r'), lower, tar, { sink, spend, signal });
  const found: Difference[] = [];
  let turn = performance.now();
  for (const difference of compareTrees(Buffer.from(skeleton), Buffer.from(files), sink.differs)) {
    if (performance.now() - turn > turnMs) {
      await new Promise(setImmediate);
      signal.throwIfAborted();
      turn = performance.now();
    }
    if (difference === undefined) continue;
    found.push(difference);
    if (found.length >= mostDifferences) break;
  }
  return found;
}

/** Makes empty files of the right size, and remembers those whose bytes in the layer are others. */
class ComparingSink implements ContentSink {
  /** Paths relative to the root, in latin1. */
  readonly differs = new Set<string>();
  readonly #skeleton: Buffer;
  readonly #files: Buffer;

  constructor(skeleton: string, files: string) {
    this.#skeleton = Buffer.from(skeleton);
    this.#files = Buffer.from(files);
  }

  async fill(descriptor: number, entry: TarEntry): Promise<void> {
    const path = this.#pathOf(descriptor);
    this.differs.delete(path.toString('latin1'));
    if (!(await this.#same(path, entry))) this.differs.add(path.toString('latin1'));
    ftruncateSync(descriptor, entry.size);
  }

  /** Of a file taken from a layer below only the size is made; its bytes are compared at once. */
  copyUp(from: Buffer, path: Buffer, stat: BigIntStats): void {
    writeFileSync(path, '', { flag: 'wx' });
    const descriptor = openSync(path, constants.O_WRONLY | constants.O_NOFOLLOW);
    try {
      ftruncateSync(descriptor, Number(stat.size));
      const relative = this.#pathOf(descriptor);
      if (!sameFiles(from, joinPath(this.#files, relative))) this.differs.add(relative.toString('latin1'));
    } finally {
      closeSync(descriptor);
    }
  }

  removed(path: Buffer): void {
    if (this.differs.size === 0) return;
    const parent = readlinkSync(path.subarray(0, path.lastIndexOf(47)), { encoding: 'buffer' });
    const removed = joinPath(parent, path.subarray(path.lastIndexOf(47) + 1)).subarray(this.#skeleton.length + 1);
    const key = removed.toString('latin1');
    for (const each of this.differs) if (each === key || each.startsWith(`${key}/`)) this.differs.delete(each);
  }

  #pathOf(descriptor: number): Buffer {
    const path = readlinkSync(descriptorPath(descriptor), { encoding: 'buffer' });
    return path.subarray(this.#skeleton.length + 1);
  }

  async #same(path: Buffer, entry: TarEntry): Promise<boolean> {
    const descriptor = openRegular(joinPath(this.#files, path));
    if (descriptor === undefined) return false;
    try {
      const buffer = Buffer.allocUnsafe(pieceSize);
      let same = true;
      let turn = performance.now();
      for await (const { offset, bytes } of placedPieces(entry)) {
        same &&= holds(descriptor, offset, bytes, buffer);
        if (performance.now() - turn > turnMs) {
          await new Promise(setImmediate);
          turn = performance.now();
        }
      }
      return same && holesAreEmpty(descriptor, entry, buffer);
    } finally {
      closeSync(descriptor);
    }
  }
}

/** Undefined when there is no such regular file. */
function openRegular(path: Buffer): number | undefined {
  if (statIfReachable(path)?.isFile() !== true) return undefined;
  return openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
}

function holds(descriptor: number, offset: number, bytes: Buffer, buffer: Buffer): boolean {
  for (let at = 0; at < bytes.length; ) {
    const count = readSync(descriptor, buffer, 0, Math.min(buffer.length, bytes.length - at), offset + at);
    if (count === 0 || !buffer.subarray(0, count).equals(bytes.subarray(at, at + count))) return false;
    at += count;
  }
  return true;
}

/** What the disk stores outside of the extents must be zeros. */
function holesAreEmpty(descriptor: number, entry: TarEntry, buffer: Buffer): boolean {
  if (entry.extents === undefined) return true;
  const zeros = Buffer.alloc(buffer.length);
  let index = 0;
  for (let at = 0; ; ) {
    const data = nextData(descriptor, at);
    if (data === undefined) return true;
    for (at = data.start; at < data.end; ) {
      while (index < entry.extents.length && entry.extents[index]!.offset + entry.extents[index]!.length <= at) index++;
      const extent = entry.extents[index] ?? { offset: data.end, length: 0 };
      if (extent.offset <= at) {
        at = extent.offset + extent.length;
        continue;
      }
      const length = Math.min(extent.offset, data.end) - at;
      const count = readSync(descriptor, buffer, 0, Math.min(buffer.length, length), at);
      if (count === 0 || !buffer.subarray(0, count).equals(zeros.subarray(0, count))) return false;
      at += count;
    }
  }
}

function sameFiles(one: Buffer, other: Buffer): boolean {
  const [a, b] = [openRegular(one), openRegular(other)];
  try {
    if (a === undefined || b === undefined || fstatSync(a).size !== fstatSync(b).size) return false;
    const piece = Buffer.allocUnsafe(pieceSize);
    const buffer = Buffer.allocUnsafe(pieceSize);
    for (let at = 0; ; ) {
      const count = readSync(a, piece, 0, piece.length, at);
      if (count === 0) return true;
      if (!holds(b, at, piece.subarray(0, count), buffer)) return false;
      at += count;
    }
  } finally {
    for (const descriptor of [a, b]) if (descriptor !== undefined) closeSync(descriptor);
  }
}

/** Yields undefined for what is equal, so that the caller may take turns. */
function* compareTrees(
  wanted: Buffer,
  found: Buffer,
  contentDiffers: ReadonlySet<string>,
): Generator<Difference | undefined, void, void> {
  /** Hard links: the inode in the layer for each in the skeleton. */
  const links = new Map<bigint, bigint>();
  const pending: Buffer[] = [Buffer.alloc(0)];
  for (let path = pending.pop(); path !== undefined; path = pending.pop()) {
    const [one, other] = [within(wanted, path), within(found, path)];
    const [a, b] = [lstatSync(one, { bigint: true }), statIfReachable(other)];
    const shown = `/${path.toString()}`;
    if (b === undefined) {
      yield { path: shown, detail: 'is missing' };
      continue;
    }
    const detail = contentDiffers.has(path.toString('latin1'))
      ? 'has other bytes'
      : (attributesDiffer(a, b) ??
        linksDiffer(a, b, links) ??
        targetsDiffer(one, other, a) ??
        xattrsDiffer(one, other));
    yield detail === undefined ? undefined : { path: shown, detail };
    if (!a.isDirectory() || !b.isDirectory()) continue;
    const here = path;
    const names = namesIn(one);
    for (const name of namesIn(other).values()) {
      if (!names.delete(name.toString('latin1'))) {
        yield { path: `${shown === '/' ? '' : shown}/${name.toString()}`, detail: 'should not be there' };
      } else pending.push(here.length === 0 ? name : joinPath(here, name));
    }
    for (const name of names.values()) pending.push(here.length === 0 ? name : joinPath(here, name));
  }
}

function within(root: Buffer, path: Buffer): Buffer {
  return path.length === 0 ? root : joinPath(root, path);
}

function namesIn(directory: Buffer): Map<string, Buffer> {
  return new Map(readdirSync(directory, { encoding: 'buffer' }).map((name) => [name.toString('latin1'), name]));
}

function attributesDiffer(a: BigIntStats, b: BigIntStats): string | undefined {
  // Nothing but its being there means something.
  if (isWhiteout(a) && isWhiteout(b)) return undefined;
  if ((a.mode & 0o170000n) !== (b.mode & 0o170000n)) return 'is of another type';
  const octal = (stat: BigIntStats): string => (stat.mode & 0o7777n).toString(8).padStart(4, '0');
  if (a.mode !== b.mode) return `has mode ${octal(b)}, not ${octal(a)}`;
  if (a.uid !== b.uid || a.gid !== b.gid) return `belongs to ${b.uid}:${b.gid}, not ${a.uid}:${a.gid}`;
  if (a.isFile() && a.size !== b.size) return `has ${b.size} bytes, not ${a.size}`;
  if (a.rdev !== b.rdev) return 'is another device';
  return a.mtimeNs !== b.mtimeNs && (!a.isDirectory() || wasSet(a)) ? 'has another time' : undefined;
}

/** A directory of which the archive tells no time has that of its making, in the skeleton as in the layer. */
function wasSet(stat: BigIntStats): boolean {
  return stat.ctimeNs - stat.mtimeNs > 1_000_000_000n || stat.mtimeNs > stat.ctimeNs;
}

function linksDiffer(a: BigIntStats, b: BigIntStats, links: Map<bigint, bigint>): string | undefined {
  if (a.isDirectory()) return undefined;
  if (a.nlink !== b.nlink) return `has ${b.nlink} names, not ${a.nlink}`;
  if (a.nlink === 1n) return undefined;
  const twin = links.get(a.ino) ?? b.ino;
  links.set(a.ino, twin);
  return twin === b.ino ? undefined : 'is no longer the same file under its other names';
}

function targetsDiffer(one: Buffer, other: Buffer, stat: BigIntStats): string | undefined {
  if (!stat.isSymbolicLink()) return undefined;
  const [a, b] = [one, other].map((path) => readlinkSync(path, { encoding: 'buffer' })) as [Buffer, Buffer];
  return a.equals(b) ? undefined : `points to ${JSON.stringify(b.toString())}, not ${JSON.stringify(a.toString())}`;
}

/** What the kernel notes for itself: the first is the host's, the others overlayfs's (kernel, filesystems/overlayfs). */
const unread = new Set([
  'security.selinux',
  ...['trusted', 'user'].flatMap((space) => ['uuid', 'origin', 'impure'].map((name) => `${space}.overlay.${name}`)),
]);

function xattrsDiffer(one: Buffer, other: Buffer): string | undefined {
  const [a, b] = [one, other].map((path) => listXattrs(path).filter((key) => !unread.has(key))) as [string[], string[]];
  for (const key of new Set([...a, ...b])) {
    const [wanted, found] = [getXattr(one, key), getXattr(other, key)];
    if (wanted === undefined || found === undefined || !wanted.equals(found)) return `has another ${key}`;
  }
  return undefined;
}
