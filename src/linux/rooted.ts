/**
 * Paths inside a root that nobody outside controls: openat2(2) with RESOLVE_IN_ROOT, so that symlinks, `..` and races with
 * the container's own processes cannot lead out. Names may be any bytes.
 */
import { closeSync, constants, readlinkSync } from 'node:fs';
import { constants as systemConstants } from 'node:os';
import { posix } from 'node:path';
import { errorCode } from '../std/index.ts';
import { check, libc, syscallNumber, SystemError } from './libc.ts';

const RESOLVE_IN_ROOT = 0x10;
const RESOLVE_NO_MAGICLINKS = 0x02;
export const O_PATH = 0o10000000;
const O_CLOEXEC = 0o2000000;

/**
 * Opens `path` as if `root` (an open directory's descriptor) were "/". Returns a descriptor that the caller closes.
 * @throws SystemError ENOENT, ENOTDIR, ELOOP, EXDEV, …
 */
export function openInRoot(root: number, path: string | Buffer, flags: number, mode = 0): number {
  const call = libc('long syscall(long number, int dirfd, const void *path, const void *how, size_t size)');
  const how = Buffer.alloc(24);
  how.writeBigUInt64LE(BigInt(flags | O_CLOEXEC), 0);
  how.writeBigUInt64LE(BigInt(mode), 8);
  how.writeBigUInt64LE(BigInt(RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS), 16);
  const bytes = typeof path === 'string' ? Buffer.from(path) : path;
  // The kernel would read it to the first NUL and open something else: nothing has such a name.
  if (bytes.includes(0))
    throw new SystemError('openat2', systemConstants.errno.ENOENT, JSON.stringify(bytes.toString()));
  const name = Buffer.concat([bytes.length === 0 ? Buffer.from('.') : bytes, Buffer.of(0)]);
  for (let attempt = 0; ; attempt++) {
    const fd = call(syscallNumber({ x64: 437, arm64: 437 }), root, name, how, how.length);
    if (fd >= 0) return fd;
    try {
      return check('openat2', fd, bytes.toString());
    } catch (error) {
      // EAGAIN: a concurrent rename made the kernel unsure about `..`; trying again is what the manual asks for.
      if ((error as { code?: string }).code !== 'EAGAIN' || attempt > 64) throw error;
    }
  }
}

/** The path by which this process reaches an open descriptor. */
export function descriptorPath(fd: number): string {
  return `/proc/self/fd/${fd}`;
}

export const openFlags = {
  directory: constants.O_RDONLY | constants.O_DIRECTORY,
  path: O_PATH,
  pathNoFollow: O_PATH | constants.O_NOFOLLOW,
  read: constants.O_RDONLY | constants.O_NONBLOCK,
} as const;

/** All xattrs of what an O_PATH descriptor holds (a folder or a file). */
export function xattrsOfDescriptor(fd: number): Map<string, Buffer> {
  const path = descriptorPath(fd);
  const list = libc('long listxattr(const char *path, void *list, size_t size)');
  const get = libc('long getxattr(const char *path, const char *name, void *value, size_t size)');
  const buffer = Buffer.alloc(65536);
  const length = list(path, buffer, buffer.length);
  const xattrs = new Map<string, Buffer>();
  if (length <= 0) return xattrs;
  for (const name of buffer.toString('utf8', 0, length).split('\0').filter(Boolean)) {
    const value = Buffer.alloc(65536);
    const size = get(path, name, value, value.length);
    if (size >= 0) xattrs.set(name, Buffer.from(value.subarray(0, size)));
  }
  return xattrs;
}

const mostLinks = 40;

/**
 * The path with its links followed, also those that lead to what is not there yet; never out of the root, at which `..` ends. It is free
 * of links at the moment only: open it with `openInRoot`. After too many links it is what it was by then.
 */
export function resolveInRoot(root: number, path: string, seen = 0): string {
  const parts = posix.resolve('/', path).split('/').filter(Boolean);
  let done = '/';
  for (const [index, part] of parts.entries()) {
    const target = linkTarget(root, done, part);
    if (target !== undefined && seen < mostLinks) {
      return resolveInRoot(root, posix.join(posix.resolve(done, target), ...parts.slice(index + 1)), seen + 1);
    }
    done = posix.join(done, part);
  }
  return done;
}

function linkTarget(root: number, folder: string, name: string): string | undefined {
  let parent;
  try {
    parent = openInRoot(root, folder, openFlags.path);
    return readlinkSync(`${descriptorPath(parent)}/${name}`);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'EINVAL', 'ELOOP'].includes(errorCode(error) ?? '')) return undefined;
    throw error;
  } finally {
    if (parent !== undefined) closeSync(parent);
  }
}
