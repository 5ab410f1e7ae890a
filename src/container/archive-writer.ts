/**
 * Writes tar entries below a folder of a root that others may be changing: every parent is opened with openInRoot, every name
 * is made relative to that descriptor, and nothing is followed in the last component.
 */
import { closeSync, constants, fstatSync, ftruncateSync, rmSync, writeSync } from 'node:fs';
import {
  changeMode,
  changeModeAt,
  changeOwner,
  changeOwnerAt,
  descriptorPath,
  errno,
  hostId,
  type IdMapping,
  linkAt,
  makeDirectoryAt,
  makeNodeAt,
  must,
  mustOwn,
  openAt,
  openFlags,
  privileges,
  openInRoot,
  seekTo,
  sendFile,
  setTimes,
  setTimesAt,
  setXattrOf,
  symlinkAt,
} from '../linux/index.ts';
import type { TarEntry } from '../oci/index.ts';
import { errorCode, Fault } from '../std/index.ts';

export interface TreeWriterOptions {
  noOverwriteDirNonDir: boolean;
  /** Everything belongs to this one instead of who the archive says. */
  owner: { uid: number; gid: number } | undefined;
  /** Owners are the container's; in the tree they are these. */
  mapping?: IdMapping | undefined;
}

const slash = Buffer.from('/');
const typeBits = { character: 0o020000, block: 0o060000, fifo: 0o010000 } as const;

export class TreeWriter {
  readonly #root: number;
  readonly #base: Buffer;
  readonly #options: TreeWriterOptions;
  #parent: { path: string; fd: number } | undefined;
  /** Folders' times are set last: filling them changes them. */
  /** Of folders, by path: the last that was said counts. */
  readonly #times = new Map<string, { path: Buffer; mtime: bigint }>();

  constructor(root: number, base: Buffer, options: TreeWriterOptions) {
    this.#root = root;
    this.#base = base;
    this.#options = options;
  }

  /**
   * @param file a descriptor of the file whose content the entry has: the kernel copies it, while others have their turn
   * @throws Fault invalid for names that lead out or a folder that would be overwritten
   */
  async write(entry: TarEntry, file?: number): Promise<void> {
    const parts = components(entry.name);
    const name = parts.pop();
    if (name === undefined) return;
    const parent = this.#open(parts);
    switch (entry.type) {
      case 'directory':
        this.#directory(parent, name, parts, entry);
        return;
      case 'file':
        this.#clear(parent, name, false);
        await this.#file(parent, name, entry, file);
        return;
      case 'symlink':
        this.#clear(parent, name, false);
        must('symlinkat', symlinkAt(entry.linkName, parent, name), name);
        break;
      case 'hardlink': {
        const target = components(entry.linkName);
        const targetName = target.pop();
        if (targetName === undefined) throw new Fault('invalid', `invalid hardlink "${entry.name.toString()}"`);
        this.#clear(parent, name, false);
        const from = openInRoot(this.#root, this.#path(target), openFlags.path | constants.O_DIRECTORY);
        try {
          must('linkat', linkAt(from, targetName, parent, name), name);
        } finally {
          closeSync(from);
        }
        return;
      }
      case 'character':
      case 'block':
      case 'fifo':
        // As Docker: what cannot be made in a user namespace is left out.
        if (entry.type !== 'fifo' && !privileges().mayMakeDevices) return;
        this.#clear(parent, name, false);
        must('mknodat', makeNodeAt(parent, name, typeBits[entry.type] | (entry.mode & 0o777), entry), name);
        must('fchmodat', changeModeAt(parent, name, entry.mode), name);
        break;
    }
    const owner = this.#ownerOf(entry);
    mustOwn('fchownat', changeOwnerAt(parent, name, owner.uid, owner.gid), name);
    must('utimensat', setTimesAt(parent, name, entry.mtime), name);
  }

  /** @throws Fault invalid for an id that the container does not have */
  #ownerOf(entry: { uid: number; gid: number }): { uid: number; gid: number } {
    const { owner = entry, mapping } = this.#options;
    if (mapping === undefined) return owner;
    const [uid, gid] = [hostId(mapping.uids, owner.uid), hostId(mapping.gids, owner.gid)];
    if (uid !== undefined && gid !== undefined) return { uid, gid };
    throw new Fault('invalid', `the container's user namespace has no owner ${owner.uid}:${owner.gid}`);
  }

  finish(): void {
    for (const { path, mtime } of this.#times.values()) {
      try {
        const fd = openInRoot(this.#root, path, openFlags.directory);
        try {
          setTimes(fd, mtime);
        } finally {
          closeSync(fd);
        }
      } catch (error) {
        if (errorCode(error) !== 'ENOENT' && errorCode(error) !== 'ENOTDIR') throw error;
      }
    }
  }

  close(): void {
    if (this.#parent !== undefined) closeSync(this.#parent.fd);
    this.#parent = undefined;
  }

  #path(parts: readonly Buffer[]): Buffer {
    return Buffer.concat([this.#base, ...parts.flatMap((part) => [slash, part])]);
  }

  /** The folder of these components, made where missing. */
  #open(parts: readonly Buffer[]): number {
    const path = this.#path(parts);
    const key = path.toString('latin1');
    if (this.#parent?.path === key) return this.#parent.fd;
    this.close();
    let fd: number;
    try {
      fd = openInRoot(this.#root, path, openFlags.directory);
    } catch (error) {
      if (errorCode(error) === 'ENOTDIR')
        throw new Fault('invalid', `cannot extract to "${path.toString()}": not a directory`, { cause: error });
      if (errorCode(error) !== 'ENOENT' || parts.length === 0) throw error;
      const above = this.#open(parts.slice(0, -1));
      const made = makeDirectoryAt(above, parts.at(-1)!, 0o755);
      if (made !== -errno.EEXIST) {
        must('mkdirat', made, path);
        const { mapping } = this.#options;
        if (mapping !== undefined) {
          const [uid = 0, gid = 0] = [hostId(mapping.uids, 0), hostId(mapping.gids, 0)];
          mustOwn('fchownat', changeOwnerAt(above, parts.at(-1)!, uid, gid), path);
        }
      }
      fd = openInRoot(this.#root, path, openFlags.directory);
      this.close();
    }
    this.#parent = { path: key, fd };
    return fd;
  }

  /** Makes way for something that is no folder. */
  #clear(parent: number, name: Buffer, forDirectory: boolean): void {
    let fd: number;
    try {
      fd = openAt(parent, name, openFlags.pathNoFollow);
      if (fd === -errno.ENOENT) return;
      must('openat', fd, name);
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return;
      throw error;
    }
    try {
      const existing = fstatSync(fd).isDirectory();
      if (existing && !forDirectory && this.#options.noOverwriteDirNonDir) {
        throw new Fault('invalid', `cannot overwrite directory "${name.toString()}" with non-directory`);
      }
      if (!existing && forDirectory && this.#options.noOverwriteDirNonDir) {
        throw new Fault('invalid', `cannot overwrite non-directory "${name.toString()}" with directory`);
      }
      // rm goes by name through the parent's descriptor and does not follow the last component.
      rmSync(Buffer.concat([Buffer.from(`${descriptorPath(parent)}/`), name]), { recursive: existing });
    } finally {
      closeSync(fd);
    }
  }

  #directory(parent: number, name: Buffer, parts: readonly Buffer[], entry: TarEntry): void {
    let made = makeDirectoryAt(parent, name, 0o700);
    if (made === -errno.EEXIST) {
      const fd = openAt(parent, name, openFlags.pathNoFollow);
      const existing = fd >= 0 && fstatSync(fd).isDirectory();
      if (fd >= 0) closeSync(fd);
      if (existing) made = 0;
      else {
        this.#clear(parent, name, true);
        made = makeDirectoryAt(parent, name, 0o700);
      }
    }
    must('mkdirat', made, name);
    const fd = must('openat', openAt(parent, name, openFlags.directory | constants.O_NOFOLLOW), name);
    try {
      const owner = this.#ownerOf(entry);
      mustOwn('fchown', changeOwner(fd, owner.uid, owner.gid), name);
      must('fchmod', changeMode(fd, entry.mode), name);
      applyXattrs(fd, entry);
      const path = this.#path([...parts, name]);
      this.#times.set(path.toString('latin1'), { path, mtime: entry.mtime });
    } finally {
      closeSync(fd);
    }
  }

  async #file(parent: number, name: Buffer, entry: TarEntry, file: number | undefined): Promise<void> {
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
    const fd = must('openat', openAt(parent, name, flags, 0o600), name);
    try {
      const extents = entry.extents;
      if (file !== undefined && (await copyContent(fd, file, entry))) {
        // The kernel has done it.
      } else if (extents === undefined) for await (const chunk of entry.body()) writeAll(fd, chunk);
      else {
        let index = 0;
        let within = 0;
        for await (const chunk of entry.stored()) {
          for (let rest = chunk; rest.length > 0; ) {
            const extent = extents[index]!;
            const piece = rest.subarray(0, extent.length - within);
            writeAll(fd, piece, extent.offset + within);
            within += piece.length;
            rest = rest.subarray(piece.length);
            if (within === extent.length) {
              index++;
              within = 0;
            }
          }
        }
        ftruncateSync(fd, entry.size);
      }
      const owner = this.#ownerOf(entry);
      mustOwn('fchown', changeOwner(fd, owner.uid, owner.gid), name);
      must('fchmod', changeMode(fd, entry.mode), name);
      applyXattrs(fd, entry);
      must('futimens', setTimes(fd, entry.mtime), name);
    } finally {
      closeSync(fd);
    }
  }
}

const copiedAtOnce = 16 << 20;

/** @returns whether the content is there; if not, the file is empty again */
async function copyContent(to: number, from: number, { extents, size }: TarEntry): Promise<boolean> {
  for (const { offset, length } of extents ?? [{ offset: 0, length: size }]) {
    seekTo(to, offset);
    for (let at = offset; at < offset + length; ) {
      const count = await sendFile(to, from, at, Math.min(copiedAtOnce, offset + length - at));
      if (count < 0) {
        ftruncateSync(to, 0);
        seekTo(to, 0);
        return false;
      }
      // The file became shorter meanwhile: it ends in zeros.
      if (count === 0) break;
      at += count;
    }
  }
  ftruncateSync(to, size);
  return true;
}

function applyXattrs(fd: number, entry: TarEntry): void {
  for (const [key, value] of entry.xattrs) {
    if (key.startsWith('trusted.overlay.') || key.startsWith('user.overlay.')) continue;
    const result = setXattrOf(fd, key, value);
    if (result !== -errno.ENOTSUP && result !== -errno.EPERM) must(`fsetxattr ${key}`, result, entry.name);
  }
}

function writeAll(fd: number, data: Uint8Array, position?: number): void {
  for (let at = 0; at < data.length; )
    at += writeSync(fd, data, at, data.length - at, position === undefined ? null : position + at);
}

/** The name's parts without "." and empty ones. @throws Fault invalid when ".." leads out */
function components(name: Buffer): Buffer[] {
  const parts: Buffer[] = [];
  let from = 0;
  for (let at = 0; at <= name.length; at++) {
    if (at < name.length && name[at] !== 47) continue;
    const part = name.subarray(from, at);
    from = at + 1;
    if (part.length === 0 || (part.length === 1 && part[0] === 46)) continue;
    if (part.length === 2 && part[0] === 46 && part[1] === 46) {
      if (parts.pop() === undefined) throw new Fault('invalid', `"${name.toString()}" is outside of the destination`);
      continue;
    }
    parts.push(part);
  }
  return parts;
}
