/** What is mounted on a build step's root while it runs. A bind's source is found inside a tree that nobody trusts, and held, not named. */
import {
  chmodSync,
  chownSync,
  closeSync,
  fchownSync,
  fchmodSync,
  fstatSync,
  mkdirSync,
  openSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { descriptorPath, mount, mountFlags, openFlags, openInRoot, unmount } from '../linux/index.ts';
import { errorCode, Fault } from '../std/index.ts';
import type { MountPoint } from './mount-stubs.ts';
import { withRoot } from './rootfs.ts';
import type { SpecMount } from './spec.ts';

export type StepMount =
  | {
      type: 'bind';
      /** Absolute inside the step's root. */
      target: string;
      /** A directory of the host, and a path in it: links lead inside it only. */
      root: string;
      source: string;
      readOnly: boolean;
    }
  | { type: 'tmpfs'; target: string /** Bytes. */; size: number | undefined }
  /** A file that is never on a disk: a secret, a script. */
  | { type: 'file'; target: string; content: Uint8Array; mode: number; uid: number; gid: number }
  /** A socket of the host that is lent to this step alone: it gets the owner and the mode. */
  | { type: 'socket'; target: string; source: string; mode: number; uid: number; gid: number };

export type StepSpecMount = SpecMount & MountPoint;

/** Makes the sources ready under `bundle`; what it mounted goes on `loans` at once. @throws Fault invalid for a source that is not there */
export function lendStepMounts(
  bundle: string,
  mounts: readonly StepMount[],
  loans: AsyncDisposableStack,
): StepSpecMount[] {
  if (mounts.length === 0) return [];
  const folder = join(bundle, 'mounts');
  mkdirSync(folder, { mode: 0o700 });
  // One of our own, so that secrets are in memory only, and that nothing mounted here shows in other namespaces.
  mount({
    source: 'tmpfs',
    target: folder,
    type: 'tmpfs',
    flags: mountFlags.nosuid | mountFlags.nodev,
    data: 'mode=700',
  });
  loans.defer(() => unmount(folder));
  mount({ source: '', target: folder, flags: mountFlags.private });
  return mounts.map((entry, index): StepSpecMount => {
    const place = join(folder, String(index));
    const { target } = entry;
    if (entry.type === 'tmpfs') {
      const size = entry.size === undefined ? [] : [`size=${entry.size}`];
      const options = ['nosuid', 'nodev', 'mode=1777', ...size];
      return { destination: target, path: target, kind: 'directory', type: 'tmpfs', source: 'tmpfs', options };
    }
    if (entry.type === 'file') {
      writeOwned(place, entry);
      return stepFile(place, target);
    }
    if (entry.type === 'socket') {
      chownSync(entry.source, entry.uid, entry.gid);
      chmodSync(entry.source, entry.mode);
      const options = ['bind', 'rprivate', 'nosuid', 'nodev', 'noexec'];
      return { destination: target, path: target, kind: 'file', type: 'bind', source: entry.source, options };
    }
    const kind = bindInRoot(entry.root, entry.source, place);
    loans.defer(() => unmount(place));
    const options = ['rbind', 'rprivate', entry.readOnly ? 'ro' : 'rw'];
    return { destination: target, path: target, kind, type: 'bind', source: place, options };
  });
}

/** A file of the host as a read-only file of the step's. */
export function stepFile(source: string, target: string): StepSpecMount {
  const options = ['rbind', 'rprivate', 'nosuid', 'nodev', 'ro'];
  return { destination: target, path: target, kind: 'file', type: 'bind', source, options };
}

function writeOwned(path: string, file: Extract<StepMount, { type: 'file' }>): void {
  const fd = openSync(path, 'wx', 0o600);
  try {
    for (let at = 0; at < file.content.length; ) at += writeSync(fd, file.content, at);
    fchownSync(fd, file.uid, file.gid);
    fchmodSync(fd, file.mode);
  } finally {
    closeSync(fd);
  }
}

/** Mounts what `source` is inside `root` on `place`, and says what it is. */
function bindInRoot(root: string, source: string, place: string): MountPoint['kind'] {
  return withRoot(root, (fd) => {
    let found;
    try {
      found = openInRoot(fd, source, openFlags.path);
    } catch (error) {
      if (!['ENOENT', 'ENOTDIR', 'ELOOP'].includes(errorCode(error) ?? '')) throw error;
      throw new Fault('invalid', `failed to calculate checksum of ref: ${JSON.stringify(source)}: not found`, {
        cause: error,
      });
    }
    try {
      const kind = fstatSync(found).isDirectory() ? 'directory' : 'file';
      if (kind === 'directory') mkdirSync(place);
      else writeFileSync(place, '');
      mount({ source: descriptorPath(found), target: place, flags: mountFlags.bind });
      return kind;
    } finally {
      closeSync(found);
    }
  });
}
