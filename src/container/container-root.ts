/**
 * A container's file system as its processes see it, volumes included, as one open descriptor. Of a running container it is
 * the root of its first process; of one at rest the root is mounted for the time of the call.
 */
import { closeSync, mkdirSync, openSync, rmdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { descriptorPath, type IdMapping, mount, mountFlags, openFlags, openInRoot, unmount } from '../linux/index.ts';
import { errorCode, randomId } from '../std/index.ts';
import type { Context, Live } from './context.ts';
import { imageMountName } from './create.ts';
import { makeDirectoryInRoot } from './rootfs.ts';

export interface ContainerRoot extends AsyncDisposable {
  fd: number;
  /** The prefix that readlink on a descriptor shows before paths of this root; "" when it is a process's own "/". */
  prefix: string;
  /** Of the container's user namespace: files here have the host's ids. */
  mapping: IdMapping | undefined;
}

export async function openContainerRoot(context: Context, live: Live): Promise<ContainerRoot> {
  const run = live.run;
  if (run !== undefined) {
    const fd = openSync(`/proc/${run.pid}/root`, openFlags.directory);
    return { fd, prefix: '', mapping: run.idMapping, [Symbol.asyncDispose]: () => Promise.resolve(closeSync(fd)) };
  }
  return mountAtRest(context, live);
}

async function mountAtRest(context: Context, live: Live): Promise<ContainerRoot> {
  const { record } = live;
  await live.ending;
  await using loans = new AsyncDisposableStack();
  const holder = `${context.settings.runRoot}/roots/${randomId().slice(0, 16)}`;
  mkdirSync(holder, { recursive: true, mode: 0o700 });
  loans.defer(() => rmdirSync(holder));
  const merged = context.snapshots.mount(record.id);
  loans.defer(() => {
    if (live.run === undefined && !live.starting) context.snapshots.unmount(record.id);
  });
  mount({ source: merged, target: holder, flags: mountFlags.bind });
  mount({ source: 'none', target: holder, flags: mountFlags.private });
  loans.defer(() => unmount(holder));
  const fd = openSync(holder, openFlags.directory);
  loans.defer(() => closeSync(fd));
  const user = `cp-${randomId().slice(0, 12)}`;
  for (const entry of [...record.mounts].sort((a, b) => a.destination.length - b.destination.length)) {
    let source: string;
    if (entry.type === 'volume') {
      source = await context.volumes.mount(entry.source, user);
      loans.defer(() => context.volumes.unmount(entry.source, user));
      if (entry.subpath !== '') source = await context.volumes.subpath(entry.source, entry.subpath);
    } else if (entry.type === 'bind') source = entry.source;
    else if (entry.type === 'image') {
      source = join(context.snapshots.mount(imageMountName(record.id, entry)), entry.subpath);
      loans.defer(() => context.snapshots.unmount(imageMountName(record.id, entry)));
    } else continue;
    bindInside(fd, entry.destination, source, entry.readOnly, loans);
  }
  const kept = loans.move();
  return { fd, prefix: holder, mapping: undefined, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}

function bindInside(
  root: number,
  destination: string,
  source: string,
  readOnly: boolean,
  loans: AsyncDisposableStack,
): void {
  let directory: boolean;
  try {
    directory = statSync(source).isDirectory();
  } catch {
    return;
  }
  if (directory) makeDirectoryInRoot(root, destination);
  let target: number;
  try {
    target = openInRoot(root, destination, openFlags.path);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return;
    throw error;
  }
  try {
    const path = descriptorPath(target);
    mount({ source, target: path, flags: mountFlags.bind | mountFlags.rec });
    const mounted = openInRoot(root, destination, openFlags.path);
    loans.defer(() => {
      unmount(descriptorPath(mounted));
      closeSync(mounted);
    });
    mount({ source: 'none', target: descriptorPath(mounted), flags: mountFlags.private | mountFlags.rec });
    if (readOnly)
      mount({
        source: 'none',
        target: descriptorPath(mounted),
        flags: mountFlags.remount | mountFlags.bind | mountFlags.rdonly,
      });
  } finally {
    closeSync(target);
  }
}
