/** Small reads and writes inside a root filesystem that its owner may have booby-trapped. */
import { closeSync, constants, fstatSync, mkdirSync, openSync, readlinkSync, readSync } from 'node:fs';
import { posix } from 'node:path';
import { descriptorPath, openFlags, openInRoot } from '../linux/index.ts';
import { errorCode, Fault } from '../std/index.ts';

/** Opens the root once for `task`. */
export function withRoot<T>(root: string, task: (fd: number) => T): T {
  const fd = openSync(root, openFlags.directory);
  try {
    return task(fd);
  } finally {
    closeSync(fd);
  }
}

/** A regular file's text, at most `limit` bytes; undefined when there is none. */
export function readInRoot(root: number, path: string, limit = 1 << 20): string | undefined {
  let fd;
  try {
    fd = openInRoot(root, path, openFlags.read);
  } catch (error) {
    const code = errorCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ELOOP' || code === 'ENXIO') return undefined;
    throw error;
  }
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) return undefined;
    const bytes = Buffer.alloc(Math.min(stat.size, limit));
    return bytes.toString('utf8', 0, readSync(fd, bytes, 0, bytes.length, 0));
  } finally {
    closeSync(fd);
  }
}

/** Makes what dangling links on the way to `path` point to, inside the root: the runtimes differ on those, Docker goes through. */
export function mendLinks(root: number, path: string): void {
  let done = '/';
  for (const part of posix.dirname(posix.normalize(path)).split('/').filter(Boolean)) {
    const next = posix.join(done, part);
    try {
      closeSync(openInRoot(root, next, openFlags.path));
    } catch (error) {
      if (errorCode(error) !== 'ENOENT') return;
      const parent = openInRoot(root, done, openFlags.path);
      try {
        makeDirectoryInRoot(root, posix.resolve(done, readlinkSync(`${descriptorPath(parent)}/${part}`)));
      } catch {
        // Not a link: the runtime makes the rest.
        return;
      } finally {
        closeSync(parent);
      }
    }
    done = next;
  }
}

/** `mkdir -p` inside the root; what exists stays as it is. New folders belong to `owner`. @throws Fault invalid when something else is in the way */
export function makeDirectoryInRoot(root: number, path: string, mode = 0o755): void {
  const parts = posix.normalize(path).split('/').filter(Boolean);
  let done = '/';
  for (const part of parts) {
    const parent = openInRoot(root, done, openFlags.path);
    try {
      mkdirSync(`${descriptorPath(parent)}/${part}`, { mode });
    } catch (error) {
      if (errorCode(error) !== 'EEXIST') throw error;
    } finally {
      closeSync(parent);
    }
    done = posix.join(done, part);
  }
  try {
    closeSync(openInRoot(root, path, openFlags.path | constants.O_DIRECTORY));
  } catch (error) {
    if (errorCode(error) === 'ENOTDIR') {
      throw new Fault('invalid', `Cannot mkdir: ${path} is not a directory`, { cause: error });
    }
    throw error;
  }
}
