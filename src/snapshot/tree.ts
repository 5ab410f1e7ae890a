/**
 * The directories of a layer being unpacked, reached one component at a time from the root's descriptor with O_NOFOLLOW, so
 * that no symlink, `..` or hard link in the archive can lead outside. Symlinks on the way are resolved by hand, inside the root.
 * What a parent lacks here it takes from the layers below, as if the archive had been unpacked on the merged view.
 */
import { type BigIntStats, closeSync, constants } from 'node:fs';
import {
  changeMode,
  descriptorPath,
  errno,
  makeDirectoryAt,
  must,
  openAt,
  readLinkAt,
  setXattrOf,
  unlinkAt,
} from '../linux/index.ts';
import { Fault } from '../std/index.ts';
import { joinPath, type LowerDirectory, lookLower, statIfExists } from './lower.ts';
import { isOpaque, isWhiteout, opaqueValue, opaqueXattr } from './whiteout.ts';

export interface Directory {
  /** Path components from the root, joined by "/" in latin1: a key, never a path for the kernel. */
  key: string;
  descriptor: number;
  lower: LowerDirectory;
}

export interface TreeListener {
  /** A directory was made because an entry's parent was missing here: it is to be as the one below. */
  implicit(directory: Directory, below: { path: Buffer; stat: BigIntStats }): void;
  /** A directory of this layer is opened, and what is made in it will change its time. */
  opened(directory: Directory): void;
}

const directoryFlags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
const openLimit = 256;
/** What PATH_MAX leaves beside the path of the layer itself: whatever walks layers does it by paths. */
export const longestPath = 4096 - 256;
const linkLimit = 40;
/** AT_FDCWD; the path beside it is absolute. */
const currentDirectory = -100;

export class Tree {
  readonly root: Directory;
  readonly #open = new Map<string, Directory>();
  readonly #listener: TreeListener;

  /** Takes over `descriptor`. */
  constructor(descriptor: number, lower: LowerDirectory, listener: TreeListener) {
    this.root = { key: '', descriptor, lower };
    this.#listener = listener;
  }

  /** The directory at `components`, made where it is missing. @throws Fault invalid when something else is in the way */
  directory(components: readonly Buffer[]): Directory {
    const key = components.map((part) => part.toString('latin1')).join('/');
    const known = this.#lookup(key);
    if (known !== undefined) return known;
    let pending = [...components];
    let stack: Directory[] = [this.root];
    let links = 0;
    while (pending.length > 0) {
      const name = pending.shift()!;
      if (name.length === 2 && name[0] === 46 && name[1] === 46) {
        if (stack.length > 1) stack.pop();
        continue;
      }
      const step = this.#enter(stack.at(-1)!, name);
      if (!Buffer.isBuffer(step)) {
        stack.push(step);
        continue;
      }
      if (++links > linkLimit)
        throw new Fault('invalid', `Cannot unpack layer: too many symlinks on the way to "${key}"`);
      if (step[0] === 47) stack = [this.root];
      pending = [...splitPath(step), ...pending];
    }
    return stack.at(-1)!;
  }

  #lookup(key: string): Directory | undefined {
    if (key === '') return this.root;
    const known = this.#open.get(key);
    if (known === undefined) return undefined;
    this.#open.delete(key);
    this.#open.set(key, known);
    return known;
  }

  /** One step down: the directory, or the target when `name` is a symlink. */
  #enter(parent: Directory, name: Buffer): Directory | Buffer {
    const key = childKey(parent, name);
    if (key.length > longestPath)
      throw new Fault('invalid', `Cannot unpack layer: a path of more than ${longestPath} bytes: file name too long`);
    const known = this.#lookup(key);
    if (known !== undefined) return known;
    let descriptor = openAt(parent.descriptor, name, directoryFlags);
    let below = lookLower(parent.lower, name);
    if (descriptor === -errno.ENOENT) {
      if (below !== undefined && below.stat.isSymbolicLink()) {
        const target = readLinkAt(currentDirectory, below.path);
        if (target !== undefined) return target;
      }
      if (below !== undefined && !below.stat.isDirectory()) below = undefined;
      must('mkdirat', makeDirectoryAt(parent.descriptor, name, 0o755), name);
      descriptor = must('openat', openAt(parent.descriptor, name, directoryFlags), name);
      const made = this.#remember({ key, descriptor, lower: below?.copies ?? [] });
      if (below === undefined) must('fchmod', changeMode(descriptor, 0o755), name);
      else this.#listener.implicit(made, below);
      return made;
    }
    if (descriptor === -errno.ELOOP || descriptor === -errno.ENOTDIR) {
      const target = readLinkAt(parent.descriptor, name);
      if (target !== undefined) return target;
      const replaced = this.#replaceWhiteout(parent, name, key);
      if (replaced !== undefined) return replaced;
      throw new Fault('invalid', `Cannot unpack layer: "${Buffer.from(key, 'latin1').toString()}" is not a directory`);
    }
    must('openat', descriptor, name);
    const copies = below?.copies ?? [];
    const hides = copies.length > 0 && isOpaque(Buffer.from(`${descriptorPath(descriptor)}/.`));
    const opened = this.#remember({ key, descriptor, lower: hides ? [] : copies });
    this.#listener.opened(opened);
    return opened;
  }

  /** The layer says that the name is gone from below, and then puts something under it: a directory that hides the one below. */
  #replaceWhiteout(parent: Directory, name: Buffer, key: string): Directory | undefined {
    const stat = statIfExists(joinPath(Buffer.from(descriptorPath(parent.descriptor)), name));
    if (stat === undefined || !isWhiteout(stat)) return undefined;
    must('unlinkat', unlinkAt(parent.descriptor, name), name);
    must('mkdirat', makeDirectoryAt(parent.descriptor, name, 0o755), name);
    const descriptor = must('openat', openAt(parent.descriptor, name, directoryFlags), name);
    const made = this.#remember({ key, descriptor, lower: [] });
    must('fchmod', changeMode(descriptor, 0o755), name);
    must('fsetxattr', setXattrOf(descriptor, opaqueXattr(), opaqueValue), name);
    return made;
  }

  /** Drops descriptors at and below `name` in `parent`, before it is deleted. */
  forget(parent: Directory, name: Buffer): void {
    const key = childKey(parent, name);
    for (const [each, directory] of this.#open) {
      if (each !== key && !each.startsWith(`${key}/`)) continue;
      this.#open.delete(each);
      closeSync(directory.descriptor);
    }
  }

  /** Closes all but the root. */
  closeAll(): void {
    for (const directory of this.#open.values()) closeSync(directory.descriptor);
    this.#open.clear();
  }

  close(): void {
    this.closeAll();
    closeSync(this.root.descriptor);
  }

  #remember(directory: Directory): Directory {
    this.#open.set(directory.key, directory);
    if (this.#open.size > openLimit) {
      const [oldest] = this.#open.keys();
      closeSync(this.#open.get(oldest!)!.descriptor);
      this.#open.delete(oldest!);
    }
    return directory;
  }
}

export function childKey(parent: Directory, name: Buffer): string {
  const text = name.toString('latin1');
  return parent.key === '' ? text : `${parent.key}/${text}`;
}

/** Components without empty ones and ".". */
export function splitPath(path: Buffer): Buffer[] {
  const parts: Buffer[] = [];
  for (let at = 0; at < path.length; ) {
    const slash = path.indexOf(47, at);
    const end = slash < 0 ? path.length : slash;
    const part = path.subarray(at, end);
    if (part.length > 1 || (part.length === 1 && part[0] !== 46)) parts.push(part);
    at = end + 1;
  }
  return parts;
}
