/**
 * Mount points that a root filesystem lacks, there while something is mounted on them. What nobody filled goes again, and the times of
 * the folders around it come back, so that the layer that is made of the root does not tell.
 */
import { closeSync, fstatSync, lstatSync, mkdirSync, rmdirSync, unlinkSync, writeFileSync } from 'node:fs';
import { posix } from 'node:path';
import { descriptorPath, must, openFlags, openInRoot, resolveInRoot, setTimes } from '../linux/index.ts';
import { errorCode } from '../std/index.ts';
import { withRoot } from './rootfs.ts';

export interface MountPoint {
  /** Absolute inside the root. */
  path: string;
  kind: 'directory' | 'file';
}

interface Stub {
  /** Its folder's path inside the root, free of links when it was made. */
  folder: string;
  name: string;
  kind: MountPoint['kind'];
  /** The folder's time of change before, and right after. */
  beforeNs: bigint;
  afterNs: bigint;
}

/** Makes what is missing of `points` in the root at `root`; disposing takes it away. Links lead inside the root only. */
export function lendMountPoints(root: string, points: readonly MountPoint[]): Disposable {
  const stubs: Stub[] = [];
  const clear = (): void => {
    // The last one first: its folder is as the one before left it.
    for (let stub = stubs.pop(); stub !== undefined; stub = stubs.pop()) removeStub(root, stub);
  };
  try {
    withRoot(root, (fd) => {
      for (const { path, kind } of points) {
        const parts = resolveInRoot(fd, path).split('/').filter(Boolean);
        let folder = '/';
        for (const [index, name] of parts.entries()) {
          makeStub(fd, folder, name, index < parts.length - 1 ? 'directory' : kind, stubs);
          folder = posix.join(folder, name);
        }
      }
    });
  } catch (error) {
    clear();
    throw error;
  }
  return { [Symbol.dispose]: clear };
}

function makeStub(root: number, folder: string, name: string, kind: MountPoint['kind'], stubs: Stub[]): void {
  const parent = openInRoot(root, folder, openFlags.path);
  try {
    const beforeNs = fstatSync(parent, { bigint: true }).mtimeNs;
    const path = `${descriptorPath(parent)}/${name}`;
    try {
      if (kind === 'directory') mkdirSync(path, { mode: 0o755 });
      else writeFileSync(path, '', { mode: 0o644, flag: 'wx' });
    } catch (error) {
      if (errorCode(error) === 'EEXIST') return;
      throw error;
    }
    stubs.push({ folder, name, kind, beforeNs, afterNs: fstatSync(parent, { bigint: true }).mtimeNs });
  } finally {
    closeSync(parent);
  }
}

function removeStub(root: string, { folder, name, kind, beforeNs, afterNs }: Stub): void {
  try {
    withRoot(root, (fd) => {
      const parent = openInRoot(fd, folder, openFlags.directory);
      try {
        const untouched = fstatSync(parent, { bigint: true }).mtimeNs === afterNs;
        const path = `${descriptorPath(parent)}/${name}`;
        const stat = lstatSync(path);
        if (kind === 'directory') rmdirSync(path);
        else if (stat.isFile() && stat.size === 0) unlinkSync(path);
        else return;
        if (untouched) must('futimens', setTimes(parent, beforeNs), folder);
      } finally {
        closeSync(parent);
      }
    });
  } catch (error) {
    // Whoever ran there has removed it, filled it, or put something else in its way: it is theirs now.
    if (!['ENOENT', 'ENOTDIR', 'ENOTEMPTY', 'EEXIST', 'ELOOP'].includes(errorCode(error) ?? '')) throw error;
  }
}
