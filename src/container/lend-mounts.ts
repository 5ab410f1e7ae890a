/** The host folders behind a container's mounts, borrowed for one run. */
import { closeSync, existsSync, mkdirSync, readlinkSync } from 'node:fs';
import { descriptorPath, openFlags, openInRoot } from '../linux/index.ts';
import { errorCode, Fault, messageOf } from '../std/index.ts';
import type { Context } from './context.ts';
import { imageMountName } from './create.ts';
import type { ContainerMount, ContainerRecord } from './record.ts';
import { withRoot } from './rootfs.ts';

export async function lendVolumes(
  context: Context,
  record: ContainerRecord,
  loans: AsyncDisposableStack,
): Promise<Map<ContainerMount, string>> {
  const paths = new Map<ContainerMount, string>();
  for (const entry of record.mounts) {
    if (entry.type === 'volume') {
      const path = await context.volumes.mount(entry.source, record.id);
      loans.defer(() => context.volumes.unmount(entry.source, record.id));
      paths.set(entry, entry.subpath === '' ? path : await context.volumes.subpath(entry.source, entry.subpath));
    } else if (entry.type === 'image') {
      const name = imageMountName(record.id, entry);
      const path = context.snapshots.mount(name);
      loans.defer(() => context.snapshots.unmount(name));
      paths.set(entry, entry.subpath === '' ? path : inImage(path, entry.subpath));
    } else if (entry.type === 'bind') {
      if (entry.createSource && !existsSync(entry.source)) makeSource(entry.source);
      if (!existsSync(entry.source))
        throw new Fault(
          'invalid',
          `invalid mount config for type "bind": bind source path does not exist: ${entry.source}`,
        );
      paths.set(entry, entry.source);
    }
  }
  return paths;
}

/** A path in an image's root, with the image's links followed inside it only. @throws Fault invalid */
function inImage(root: string, subpath: string): string {
  return withRoot(root, (fd) => {
    try {
      const found = openInRoot(fd, subpath, openFlags.path);
      try {
        return readlinkSync(descriptorPath(found));
      } finally {
        closeSync(found);
      }
    } catch (error) {
      throw new Fault('invalid', `cannot access path ${subpath} in the image: ${messageOf(error)}`, { cause: error });
    }
  });
}

/** @throws Fault in Docker's words */
function makeSource(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o755 });
  } catch (error) {
    const reason = errorCode(error) === 'EACCES' ? `mkdir ${path}: permission denied` : messageOf(error);
    const kind = errorCode(error) === 'EACCES' ? 'forbidden' : 'internal';
    throw new Fault(kind, `error while creating mount source path '${path}': ${reason}`, { cause: error });
  }
}
