/**
 * Unpacks one layer tar into an overlayfs lower directory. File calls are synchronous, for they are ten times cheaper than
 * promises; the event loop gets its turn every few milliseconds.
 */
import {
  type BigIntStats,
  closeSync,
  constants,
  copyFileSync,
  ftruncateSync,
  lstatSync,
  rmSync,
  writeSync,
} from 'node:fs';
import {
  changeMode,
  changeModeAt,
  changeOwner,
  changeOwnerAt,
  errno,
  linkAt,
  makeDirectoryAt,
  makeNodeAt,
  must,
  openAt,
  setTimes,
  setTimesAt,
  setXattr,
  setXattrOf,
  symlinkAt,
} from '../linux/index.ts';
import { readTar, type TarEntry } from '../oci/index.ts';
import { asBuffer, Fault } from '../std/index.ts';
import { joinPath, type LowerDirectory, lookLower, statIfExists } from './lower.ts';
import { childKey, type Directory, likeLower, splitPath, Tree } from './tree.ts';
import {
  isWhiteout,
  opaqueName,
  opaqueValue,
  opaqueXattr,
  startsWith,
  whiteoutMetaPrefix,
  whiteoutPrefix,
} from './whiteout.ts';

const turnMs = 10;
const fileFlags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
const typeBits = { character: 0o020000, block: 0o060000, fifo: 0o010000 } as const;

export interface Unpacked {
  /** Bytes of files and symlinks, each inode once, as Docker counts a layer. */
  size: number;
  /** The layer hides everything below it. */
  opaque: boolean;
}

/** Unpacks `tar` into the open, empty directory `root`, which it closes. */
export async function unpackLayer(
  root: number,
  lower: LowerDirectory,
  tar: AsyncIterable<Uint8Array>,
  signal?: AbortSignal,
): Promise<Unpacked> {
  const unpacker = new Unpacker(root, lower);
  try {
    let turn = performance.now();
    for await (const entry of readTar(tar)) {
      const descriptor = unpacker.place(entry);
      if (descriptor !== undefined) await unpacker.fill(descriptor, entry);
      if (performance.now() - turn > turnMs) {
        await new Promise(setImmediate);
        signal?.throwIfAborted();
        turn = performance.now();
      }
    }
    unpacker.finish();
    return { size: unpacker.size, opaque: unpacker.opaque };
  } finally {
    unpacker.close();
  }
}

interface LateAttributes {
  path: Buffer[];
  mtime: bigint;
  xattrs: ReadonlyMap<string, Buffer>;
}

class Unpacker {
  size = 0;
  opaque = false;
  readonly #tree: Tree;
  /** Set when all is unpacked: filling a directory changes its time, and a default ACL would be inherited. */
  readonly #late = new Map<string, LateAttributes>();

  constructor(root: number, lower: LowerDirectory) {
    this.#tree = new Tree(root, lower, (directory, like) => this.#implicit(directory, like));
    const below = lower[0];
    if (below === undefined) return;
    const stat = lstatSync(below, { bigint: true });
    likeLower(root, below, stat);
    this.#setLate(this.#tree.root, stat.mtimeNs, new Map());
  }

  #implicit(directory: Directory, like: BigIntStats | undefined): void {
    if (like !== undefined) this.#setLate(directory, like.mtimeNs, new Map());
  }

  #setLate(directory: Directory, mtime: bigint, xattrs: ReadonlyMap<string, Buffer>): void {
    this.#late.set(directory.key, { path: splitPath(Buffer.from(directory.key, 'latin1')), mtime, xattrs });
  }

  /** Makes what the entry says; returns the open file when its content is to be written by `fill`. */
  place(entry: TarEntry): number | undefined {
    const path = resolveDots(entry.name);
    const name = path.pop();
    if (name === undefined) {
      if (entry.type === 'directory') this.#dress(this.#tree.root, entry);
      return undefined;
    }
    const parent = this.#tree.directory(path);
    if (startsWith(name, whiteoutPrefix)) {
      this.#whiteout(parent, name);
      return undefined;
    }
    switch (entry.type) {
      case 'directory':
        this.#directory(parent, name, entry);
        return undefined;
      case 'file':
        return this.#make(parent, name, 'openat', () => openAt(parent.descriptor, name, fileFlags, 0o600));
      case 'hardlink':
        this.#hardlink(parent, name, entry);
        return undefined;
      case 'symlink':
        this.#make(parent, name, 'symlinkat', () => symlinkAt(entry.linkName, parent.descriptor, name));
        this.size += entry.linkName.length;
        this.#attributes(parent, name, entry);
        return undefined;
      case 'character':
      case 'block':
      case 'fifo': {
        if (entry.type === 'character' && entry.major === 0 && entry.minor === 0) {
          this.#whiteout(parent, Buffer.concat([whiteoutPrefix, name]));
          return undefined;
        }
        const mode = typeBits[entry.type] | (entry.mode & 0o777);
        this.#make(parent, name, 'mknodat', () => makeNodeAt(parent.descriptor, name, mode, entry));
        this.#attributes(parent, name, entry);
        return undefined;
      }
      default:
        return undefined;
    }
  }

  /** Writes the content, sets owner, mode, xattrs and time, and closes. */
  async fill(descriptor: number, entry: TarEntry): Promise<void> {
    try {
      const now = entry.extents === undefined ? entry.storedNow() : undefined;
      if (now !== undefined) writeAll(descriptor, now, null);
      else if (entry.extents === undefined) {
        let turn = performance.now();
        for await (const chunk of entry.stored()) {
          writeAll(descriptor, asBuffer(chunk), null);
          if (performance.now() - turn > turnMs) {
            await new Promise(setImmediate);
            turn = performance.now();
          }
        }
      } else await fillSparse(descriptor, entry);
      this.size += entry.size;
      must('fchown', changeOwner(descriptor, entry.uid, entry.gid), entry.name);
      must('fchmod', changeMode(descriptor, entry.mode), entry.name);
      for (const [key, value] of entry.xattrs) {
        if (isOurs(key)) continue;
        tolerate(setXattrOf(descriptor, key, value), key, entry.name);
      }
      must('futimens', setTimes(descriptor, entry.mtime), entry.name);
    } finally {
      closeSync(descriptor);
    }
  }

  finish(): void {
    const deepestFirst = [...this.#late.entries()].sort(([a], [b]) => (a < b ? 1 : a > b ? -1 : 0));
    for (const [key, late] of deepestFirst) {
      const { descriptor } = this.#tree.directory(late.path);
      for (const [name, value] of late.xattrs) tolerate(setXattrOf(descriptor, name, value), name, Buffer.from(key));
      must('futimens', setTimes(descriptor, late.mtime), key);
    }
  }

  close(): void {
    this.#tree.close();
  }

  #directory(parent: Directory, name: Buffer, entry: TarEntry): void {
    let made = makeDirectoryAt(parent.descriptor, name, 0o700);
    let hides = false;
    if (made === -errno.EEXIST) {
      const stat = statIfExists(this.#path(parent, name));
      if (stat?.isDirectory() === true) made = 0;
      else {
        hides = stat !== undefined && isWhiteout(stat);
        this.#remove(parent, name);
        made = makeDirectoryAt(parent.descriptor, name, 0o700);
      }
    }
    must('mkdirat', made, name);
    const key = childKey(parent, name);
    const directory = this.#tree.directory(splitPath(Buffer.from(key, 'latin1')));
    if (hides) this.#hide(directory);
    this.#dress(directory, entry);
  }

  #dress(directory: Directory, entry: TarEntry): void {
    must('fchown', changeOwner(directory.descriptor, entry.uid, entry.gid), entry.name);
    must('fchmod', changeMode(directory.descriptor, entry.mode), entry.name);
    const xattrs = new Map([...entry.xattrs].filter(([key]) => !isOurs(key)));
    this.#setLate(directory, entry.mtime, xattrs);
  }

  #hardlink(parent: Directory, name: Buffer, entry: TarEntry): void {
    const path = resolveDots(entry.linkName);
    const targetName = path.pop();
    if (targetName === undefined) throw new Fault('invalid', `Cannot unpack layer: hard link to the root`);
    const target = this.#tree.directory(path);
    if (childKey(target, targetName) === childKey(parent, name)) return;
    if (statIfExists(this.#path(target, targetName)) === undefined) this.#copyUp(target, targetName);
    const link = (): number => linkAt(target.descriptor, targetName, parent.descriptor, name);
    this.#make(parent, name, 'linkat', () => {
      const result = link();
      if (result === -errno.ENOENT) {
        throw new Fault('invalid', `Cannot unpack layer: hard link to missing "${entry.linkName.toString()}"`);
      }
      return result;
    });
  }

  /** Brings a file of a layer below into this one, so that it can be hard linked. */
  #copyUp(parent: Directory, name: Buffer): void {
    const below = lookLower(parent.lower, name);
    if (below === undefined || !below.stat.isFile()) return;
    const path = this.#path(parent, name);
    copyFileSync(below.path, path, constants.COPYFILE_EXCL);
    const descriptor = must('openat', openAt(parent.descriptor, name, constants.O_WRONLY | constants.O_NOFOLLOW), name);
    try {
      likeLower(descriptor, below.path, below.stat);
      must('futimens', setTimes(descriptor, below.stat.mtimeNs), name);
    } finally {
      closeSync(descriptor);
    }
    this.size += Number(below.stat.size);
  }

  #whiteout(parent: Directory, name: Buffer): void {
    if (name.equals(opaqueName)) {
      this.#hide(parent);
      return;
    }
    if (startsWith(name, whiteoutMetaPrefix)) return;
    const hidden = name.subarray(whiteoutPrefix.length);
    if (hidden.length === 0 || hidden.equals(Buffer.from('.')) || hidden.equals(Buffer.from('..'))) {
      throw new Fault('invalid', `Cannot unpack layer: "${name.toString()}" is not a whiteout`);
    }
    if (parent.lower.length === 0) return;
    const made = makeNodeAt(parent.descriptor, hidden, 0o020000, { major: 0, minor: 0 });
    if (made !== -errno.EEXIST) {
      must('mknodat', made, hidden);
      return;
    }
    // The layer has both the whiteout and the name: the whiteout speaks of the layers below only.
    const stat = statIfExists(this.#path(parent, hidden));
    if (stat?.isDirectory() === true) {
      this.#hide(this.#tree.directory(splitPath(Buffer.from(childKey(parent, hidden), 'latin1'))));
    }
  }

  #hide(directory: Directory): void {
    if (directory === this.#tree.root) this.opaque = true;
    if (directory.lower.length === 0) return;
    must('fsetxattr', setXattrOf(directory.descriptor, opaqueXattr, opaqueValue), directory.key);
    this.#tree.hideLower(directory);
  }

  /** Runs `make`; what was unpacked earlier under that name gives way. */
  #make(parent: Directory, name: Buffer, call: string, make: () => number): number {
    let result = make();
    if (result === -errno.EEXIST) {
      this.#remove(parent, name);
      result = make();
    }
    return must(call, result, name);
  }

  #remove(parent: Directory, name: Buffer): void {
    const key = childKey(parent, name);
    for (const each of this.#late.keys()) if (each === key || each.startsWith(`${key}/`)) this.#late.delete(each);
    this.#tree.forget(parent, name);
    rmSync(this.#path(parent, name), { recursive: true, force: true });
  }

  /** Owner, mode, xattrs and time of a symlink or special file just made. */
  #attributes(parent: Directory, name: Buffer, entry: TarEntry): void {
    must('fchownat', changeOwnerAt(parent.descriptor, name, entry.uid, entry.gid), name);
    if (entry.type !== 'symlink') must('fchmodat', changeModeAt(parent.descriptor, name, entry.mode), name);
    for (const [key, value] of entry.xattrs) {
      if (!isOurs(key)) tolerate(setXattr(this.#path(parent, name), key, value), key, name);
    }
    must('utimensat', setTimesAt(parent.descriptor, name, entry.mtime), name);
  }

  /** A path through the parent's descriptor: its last component is never followed by the calls that use it. */
  #path(parent: Directory, name: Buffer): Buffer {
    return joinPath(Buffer.from(`/proc/self/fd/${parent.descriptor}`), name);
  }
}

/** overlayfs's own xattrs in an archive could redirect lookups; Wherry alone sets them. */
function isOurs(key: string): boolean {
  return key.startsWith('trusted.overlay.') || key.startsWith('user.overlay.');
}

/** Filesystems and kernels without a kind of xattr lose it quietly, as in Docker. */
function tolerate(result: number, key: string, name: Buffer): void {
  if (result === -errno.ENOTSUP || (result === -errno.EPERM && key.startsWith('user.'))) return;
  must(`setxattr ${key}`, result, name);
}

/** Components with `..` taken away as filepath.Clean does. @throws Fault invalid when they lead above the root */
function resolveDots(path: Buffer): Buffer[] {
  const clean: Buffer[] = [];
  for (const part of splitPath(path)) {
    if (part.length !== 2 || part[0] !== 46 || part[1] !== 46) clean.push(part);
    else if (clean.pop() === undefined && path[0] !== 47) {
      throw new Fault('invalid', `Cannot unpack layer: "${path.toString()}" is outside of the root`);
    }
  }
  return clean;
}

async function fillSparse(descriptor: number, entry: TarEntry): Promise<void> {
  const extents = entry.extents ?? [];
  let index = 0;
  let within = 0;
  let turn = performance.now();
  for await (const chunk of entry.stored()) {
    let rest = asBuffer(chunk);
    while (rest.length > 0) {
      const extent = extents[index]!;
      const piece = rest.subarray(0, extent.length - within);
      writeAll(descriptor, piece, extent.offset + within);
      within += piece.length;
      rest = rest.subarray(piece.length);
      if (within === extent.length) {
        index++;
        within = 0;
      }
    }
    if (performance.now() - turn > turnMs) {
      await new Promise(setImmediate);
      turn = performance.now();
    }
  }
  ftruncateSync(descriptor, entry.size);
}

function writeAll(descriptor: number, data: Buffer, position: number | null): void {
  for (let at = 0; at < data.length; ) {
    at += writeSync(descriptor, data, at, data.length - at, position === null ? null : position + at);
  }
}
