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
import { descriptorPath, mount, mountFlags, mountMapped, openFlags, openInRoot, unmount } from '../linux/index.ts';
import type { Through } from '../snapshot/index.ts';
import { errorCode, Fault } from '../std/index.ts';
import type { MountPoint } from './mount-stubs.ts';
import { withRoot } from './rootfs.ts';
import type { SpecMount } from './spec.ts';
import { outsideOwner, type StepNamespace } from './step-user-namespace.ts';
import { admitGroup } from './user-namespace.ts';

export type StepMount =
  | {
      type: 'bind';
      /** Absolute inside the step's root. */
      target: string;
      /** A directory of the host, and a path in it: links lead inside it only. */
      root: string;
      source: string;
      readOnly: boolean;
      /** For a root that is a stack of layers: the same, mounted through a user namespace. A plain folder is mounted through it here. */
      mapped?: (through: Through) => Promise<string>;
    }
  | { type: 'tmpfs'; target: string /** Bytes. */; size: number | undefined }
  /** A file that is never on a disk: a secret, a script. */
  | { type: 'file'; target: string; content: Uint8Array; mode: number; uid: number; gid: number }
  /** A socket of the host that is lent to this step alone: it gets the owner and the mode. */
  | { type: 'socket'; target: string; source: string; mode: number; uid: number; gid: number };

export type StepSpecMount = SpecMount & MountPoint;

/** Makes the sources ready under `bundle`; what it mounted goes on `loans` at once. @throws Fault invalid for a source that is not there */
export async function lendStepMounts(
  bundle: string,
  mounts: readonly StepMount[],
  namespace: StepNamespace | undefined,
  loans: AsyncDisposableStack,
): Promise<StepSpecMount[]> {
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
  if (namespace !== undefined) admitGroup(folder, namespace.through.group);
  const lent: StepSpecMount[] = [];
  for (const [index, entry] of mounts.entries())
    lent.push(await lendStepMount(entry, join(folder, String(index)), namespace, loans));
  return lent;
}

async function lendStepMount(
  entry: StepMount,
  place: string,
  namespace: StepNamespace | undefined,
  loans: AsyncDisposableStack,
): Promise<StepSpecMount> {
  const { target } = entry;
  if (entry.type === 'tmpfs') {
    const size = entry.size === undefined ? [] : [`size=${entry.size}`];
    const options = ['nosuid', 'nodev', 'mode=1777', ...size];
    return { destination: target, path: target, kind: 'directory', type: 'tmpfs', source: 'tmpfs', options };
  }
  if (entry.type === 'file') {
    writeOwned(place, { ...entry, ...outsideOwner(namespace, entry) });
    return stepFile(place, target);
  }
  if (entry.type === 'socket') {
    const { uid, gid } = outsideOwner(namespace, entry);
    chownSync(entry.source, uid, gid);
    chmodSync(entry.source, entry.mode);
    const options = ['bind', 'rprivate', 'nosuid', 'nodev', 'noexec'];
    let { source } = entry;
    if (namespace !== undefined) {
      // Where it is, the step's root does not come to.
      writeFileSync(place, '');
      mount({ source, target: place, flags: mountFlags.bind });
      loans.defer(() => unmount(place));
      source = place;
    }
    return { destination: target, path: target, kind: 'file', type: 'bind', source, options };
  }
  let kind: MountPoint['kind'];
  if (namespace === undefined) kind = bindInRoot(entry.root, entry.source, place, undefined);
  else if (entry.mapped === undefined) kind = bindInRoot(entry.root, entry.source, place, namespace.path);
  else kind = bindInRoot(await entry.mapped(namespace.through), entry.source, place, undefined);
  loans.defer(() => unmount(place));
  const options = ['rbind', 'rprivate', entry.readOnly ? 'ro' : 'rw'];
  return { destination: target, path: target, kind, type: 'bind', source: place, options };
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

/** Mounts what `source` is inside `root` on `place`, as the user namespace sees it where there is one, and says what it is. */
function bindInRoot(root: string, source: string, place: string, namespace: string | undefined): MountPoint['kind'] {
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
      if (namespace === undefined) mount({ source: descriptorPath(found), target: place, flags: mountFlags.bind });
      else mountMapped({ source: descriptorPath(found), target: place, namespace });
      return kind;
    } finally {
      closeSync(found);
    }
  });
}
