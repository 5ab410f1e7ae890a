/**
 * Unpacks one layer tar into an overlayfs lower directory. File calls are synchronous, for they are ten times cheaper than
 * promises; the event loop gets its turn every few milliseconds. Memory is bounded whatever the archive holds.
 */
import { type BigIntStats, closeSync, constants, fstatSync, lstatSync, readdirSync, rmSync } from 'node:fs';
import {
  changeMode,
  changeModeAt,
  changeOwner,
  changeOwnerAt,
  descriptorPath,
  errno,
  linkAt,
  listXattrs,
  makeDirectoryAt,
  makeNodeAt,
  must,
  mustOwn,
  openAt,
  privileges,
  removeXattrOf,
  setTimes,
  setTimesAt,
  setXattr,
  setXattrOf,
  symlinkAt,
  unlinkAt,
} from '../linux/index.ts';
import { readTar, type TarEntry } from '../oci/index.ts';
import { Fault } from '../std/index.ts';
import { isOurs, tolerate, xattrsOf } from './attributes.ts';
import { type ContentSink, writeContent } from './content-sink.ts';
import { copyUp } from './copy-up.ts';
import { LateAttributes } from './late-attributes.ts';
import { joinPath, type LowerDirectory, lookLower, statIfExists } from './lower.ts';
import { childKey, type Directory, splitPath, Tree } from './tree.ts';
import { unpackFault } from './unpack-fault.ts';
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
  /** Device nodes that could not be made here, by name. */
  leftOut: readonly string[];
}

export interface UnpackOptions {
  /** Hears of bytes and files before they are written. @throws Fault when the disk is too full for them */
  spend?: (bytes: number, inodes: number) => void;
  /** Where contents go; into the files, if nothing else is said. */
  sink?: ContentSink;
  signal?: AbortSignal | undefined;
}

/** Unpacks `tar` into the open, empty directory `root`, which it closes. @throws Fault invalid naming the entry */
export async function unpackLayer(
  root: number,
  lower: LowerDirectory,
  tar: AsyncIterable<Uint8Array>,
  options: UnpackOptions = {},
): Promise<Unpacked> {
  const { spend = () => {}, sink = writeContent(spend), signal } = options;
  const unpacker = new Unpacker(root, lower, sink);
  let current: TarEntry | undefined;
  try {
    let turn = performance.now();
    for await (const entry of readTar(tar)) {
      current = entry;
      spend(0, 1);
      const descriptor = unpacker.place(entry);
      if (descriptor !== undefined) await unpacker.fill(descriptor, entry);
      current = undefined;
      if (performance.now() - turn > turnMs) {
        await new Promise(setImmediate);
        signal?.throwIfAborted();
        turn = performance.now();
      }
    }
    unpacker.finish();
    return { size: unpacker.size, opaque: unpacker.opaque, leftOut: [...unpacker.leftOut.values()] };
  } catch (error) {
    throw unpackFault(error, current?.name);
  } finally {
    unpacker.close();
  }
}

type Attributes = Pick<TarEntry, 'name' | 'mode' | 'uid' | 'gid' | 'mtime' | 'xattrs'>;

class Unpacker {
  size = 0;
  opaque = false;
  /** Devices that root of a user namespace may not make, as keys of the tree: left out, as containerd does. */
  readonly leftOut = new Map<string, string>();
  readonly #tree: Tree;
  readonly #sink: ContentSink;
  /** Names that are here only because a hard link wanted them, as keys of the tree. */
  readonly #borrowed = new Set<string>();
  readonly #late = new LateAttributes({
    descriptorOf: (key) => this.#tree.directory(splitPath(Buffer.from(key, 'latin1'))).descriptor,
    closeAll: () => this.#tree.closeAll(),
  });

  constructor(root: number, lower: LowerDirectory, sink: ContentSink) {
    this.#sink = sink;
    this.#tree = new Tree(root, lower, {
      implicit: (directory, below) => this.#implicit(directory, below.path, below.stat),
      opened: (directory) =>
        this.#late.touch(directory.key, () => fstatSync(directory.descriptor, { bigint: true }).mtimeNs),
    });
    const below = lower[0];
    if (below !== undefined) this.#implicit(this.#tree.root, below, lstatSync(below, { bigint: true }));
  }

  /** A directory that the layer has no entry for, or not yet, takes after the one below. */
  #implicit(directory: Directory, below: Buffer, stat: BigIntStats): void {
    const attributes = { uid: Number(stat.uid), gid: Number(stat.gid), mode: Number(stat.mode) & 0o7777 };
    this.#dress(directory, { ...attributes, name: below, mtime: stat.mtimeNs, xattrs: xattrsOf(below) });
  }

  /** Makes what the entry says; returns the open file when its content is to be written by `fill`. */
  place(entry: TarEntry): number | undefined {
    const path = resolveDots(entry.name);
    const name = path.pop();
    if (name === undefined) {
      if (entry.type === 'directory') this.#redress(this.#tree.root, entry);
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
        if (entry.type !== 'fifo' && !privileges().mayMakeDevices) {
          this.leftOut.set(childKey(parent, name), `/${entry.name.toString()}`);
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
      const filled = this.#sink.fill(descriptor, entry);
      if (filled !== undefined) await filled;
      this.size += entry.size;
      mustOwn('fchown', changeOwner(descriptor, entry.uid, entry.gid), entry.name);
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
    this.#late.finish();
  }

  close(): void {
    this.#tree.close();
  }

  #directory(parent: Directory, name: Buffer, entry: TarEntry): void {
    let made = makeDirectoryAt(parent.descriptor, name, 0o700);
    let hides = false;
    let exists = false;
    if (made === -errno.EEXIST) {
      const stat = statIfExists(this.#path(parent, name));
      if (stat?.isDirectory() === true) {
        exists = true;
        made = 0;
      } else {
        hides = stat !== undefined && isWhiteout(stat);
        this.#remove(parent, name);
        made = makeDirectoryAt(parent.descriptor, name, 0o700);
      }
    }
    must('mkdirat', made, name);
    const key = childKey(parent, name);
    const directory = this.#tree.directory(splitPath(Buffer.from(key, 'latin1')));
    if (hides) this.#hide(directory);
    if (exists) this.#redress(directory, entry);
    else this.#dress(directory, entry);
  }

  /** The entry says all attributes of a directory that has some already, its own or those of the one below. */
  #redress(directory: Directory, entry: TarEntry): void {
    const path = Buffer.from(`${descriptorPath(directory.descriptor)}/.`);
    for (const key of listXattrs(path)) {
      if (!isOurs(key) && !entry.xattrs.has(key))
        must('fremovexattr', removeXattrOf(directory.descriptor, key), entry.name);
    }
    this.#dress(directory, entry);
  }

  /** A default ACL waits for the end, else what comes into the directory would inherit it; so does the time. */
  #dress(directory: Directory, entry: Attributes): void {
    mustOwn('fchown', changeOwner(directory.descriptor, entry.uid, entry.gid), entry.name);
    must('fchmod', changeMode(directory.descriptor, entry.mode), entry.name);
    let defaultAcl: Buffer | undefined;
    for (const [key, value] of entry.xattrs) {
      if (key === defaultAclXattr) defaultAcl = value;
      else if (!isOurs(key)) tolerate(setXattrOf(directory.descriptor, key, value), key, entry.name);
    }
    this.#late.set(directory.key, entry.mtime, defaultAcl);
  }

  #hardlink(parent: Directory, name: Buffer, entry: TarEntry): void {
    const path = resolveDots(entry.linkName);
    const targetName = path.pop();
    if (targetName === undefined) throw new Fault('invalid', `Cannot unpack layer: hard link to the root`);
    const target = this.#tree.directory(path);
    if (childKey(target, targetName) === childKey(parent, name)) return;
    if (this.leftOut.has(childKey(target, targetName))) {
      this.leftOut.set(childKey(parent, name), `/${entry.name.toString()}`);
      return;
    }
    const there = statIfExists(this.#path(target, targetName));
    if (there === undefined) this.#copyUp(target, targetName);
    const link = (): number => linkAt(target.descriptor, targetName, parent.descriptor, name);
    this.#make(parent, name, 'linkat', () => {
      // A whiteout is a device on disk, and must not become another one by another name.
      const result = there !== undefined && isWhiteout(there) ? -errno.ENOENT : link();
      if (result === -errno.ENOENT) {
        throw new Fault('invalid', `Cannot unpack layer: hard link to missing "${entry.linkName.toString()}"`);
      }
      return result;
    });
  }

  /** Brings what a layer below has under that name into this one, so that it can be hard linked. */
  #copyUp(parent: Directory, name: Buffer): void {
    const below = lookLower(parent.lower, name);
    if (below === undefined || below.stat.isDirectory()) return;
    this.size += copyUp(below, { directory: parent.descriptor, name, path: this.#path(parent, name) }, this.#sink);
    this.#borrowed.add(childKey(parent, name));
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
    if (this.#borrowed.has(childKey(parent, hidden))) {
      this.#remove(parent, hidden);
      must('mknodat', makeNodeAt(parent.descriptor, hidden, 0o020000, { major: 0, minor: 0 }), hidden);
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
    must('fsetxattr', setXattrOf(directory.descriptor, opaqueXattr(), opaqueValue), directory.key);
    directory.lower = [];
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
    const path = this.#path(parent, name);
    this.#borrowed.delete(childKey(parent, name));
    this.#tree.forget(parent, name);
    this.#sink.removed?.(path);
    const removed = unlinkAt(parent.descriptor, name);
    if (removed !== -errno.EISDIR && removed !== -errno.EPERM) {
      must('unlinkat', removed, name);
      return;
    }
    const filled = readdirSync(path).length > 0;
    rmSync(path, { recursive: true, force: true });
    this.#late.delete(childKey(parent, name), filled);
  }

  /** Owner, mode, xattrs and time of a symlink or special file just made. */
  #attributes(parent: Directory, name: Buffer, entry: TarEntry): void {
    mustOwn('fchownat', changeOwnerAt(parent.descriptor, name, entry.uid, entry.gid), name);
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

const defaultAclXattr = 'system.posix_acl_default';

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
