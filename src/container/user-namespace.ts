/**
 * Containers in user namespaces (`userns-remap`): root inside is nobody in particular outside. Images, writable roots and volumes lie
 * on disk as always, with the owners that the container sees; they are mounted through the mapping. So the same image, and the
 * same volume, serves containers with and without one, and switching it on or off moves no data.
 */
import { chmodSync, chownSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import {
  hostId,
  type IdMapping,
  type IdRange,
  makeUserNamespace,
  mountMapped,
  unmount,
  type UserNamespace,
  withMounter,
} from '../linux/index.ts';
import { Fault, messageOf } from '../std/index.ts';
import { bundleDirectory, type Context, containerDirectory } from './context.ts';
import { imageMountName } from './create.ts';
import { find } from './find.ts';
import type { ContainerMount, ContainerRecord, IdMapOption, RunState } from './record.ts';

export interface Remapped {
  mapping: IdMapping;
  /** Path of the namespace to join. */
  path: string;
  /** A process in a network namespace that belongs to it; undefined where the network is another container's. */
  networkOf: number | undefined;
}

/** Those of a container that is to be started; undefined without. Made for the time of the loans, then the container's own processes hold it. */
export async function enterUserNamespace(
  context: Context,
  record: ContainerRecord,
  loans: AsyncDisposableStack | DisposableStack,
): Promise<Remapped | undefined> {
  const { idMapping } = context.settings;
  const mode = record.hostConfig.NetworkMode ?? '';
  // To share a network is to share the user namespace that it belongs to.
  const other = mode.startsWith('container:') ? runOf(context, mode.slice('container:'.length)) : undefined;
  if (other !== undefined) {
    return other.idMapping === undefined
      ? undefined
      : { mapping: other.idMapping, path: `/proc/${other.pid}/ns/user`, networkOf: undefined };
  }
  if (idMapping === undefined || record.hostConfig.UsernsMode === 'host') return undefined;
  const namespace = await makeUserNamespace(idMapping, { network: true });
  loans.defer(() => namespace[Symbol.dispose]());
  return { mapping: idMapping, path: `/proc/${namespace.pid}/ns/user`, networkOf: namespace.pid };
}

/** Of another container; that it is not there is told by who joins its network. */
function runOf(context: Context, ref: string): RunState | undefined {
  try {
    return find(context, ref).run;
  } catch (error) {
    if (error instanceof Fault) return undefined;
    throw error;
  }
}

/**
 * Mounts what the container gets, through the mapping: its root, its volumes, images and the binds that ask for it. The root was
 * mounted plainly until now, for folders that are made in it.
 */
export async function mountThroughMapping(
  context: Context,
  record: ContainerRecord,
  remapped: Remapped | undefined,
  paths: Map<ContainerMount, string>,
  loans: AsyncDisposableStack,
): Promise<void> {
  using made = new DisposableStack();
  if (remapped !== undefined) {
    const { gid: group } = rootOf(remapped.mapping);
    const through = { namespace: await namespaceOf(withMounter(remapped.mapping), made), group };
    // The runtime mounts what is there as the container's root, who must come to it.
    for (const folder of [containerDirectory(context, record.id), bundleDirectory(context, record.id)]) {
      admitGroup(dirname(folder), group);
      admitGroup(folder, group);
    }
    context.snapshots.unmount(record.id);
    context.snapshots.mount(record.id, through);
    for (const [entry, path] of paths) {
      if (entry.type !== 'image') continue;
      const name = imageMountName(record.id, entry);
      context.snapshots.unmount(name);
      paths.set(
        entry,
        `${context.snapshots.mount(name, through)}${path.slice(context.snapshots.describe(name).merged.length)}`,
      );
    }
  }
  for (const [index, entry] of record.mounts.entries()) {
    const source = paths.get(entry);
    if (source === undefined) continue;
    const mapping = mappingOf(entry, remapped?.mapping);
    if (mapping === undefined) continue;
    const target = mappedPath(context, record.id, index);
    mkdirSync(join(target, '..'), { recursive: true, mode: 0o711 });
    if (statSync(source).isDirectory()) mkdirSync(target, { mode: 0o711 });
    else writeFileSync(target, '');
    try {
      const namespace = await namespaceOf(mapping, made);
      mountMapped({ source, target, namespace, recursive: entry.type === 'bind' && !entry.nonRecursive });
    } catch (error) {
      if (error instanceof Fault) throw error;
      const what = entry.type === 'bind' ? entry.source : `volume ${entry.source}`;
      throw new Fault(
        'unavailable',
        `Cannot mount ${what} on ${entry.destination} with other ids: ${messageOf(error)}; its file system or this kernel cannot do that`,
        { cause: error },
      );
    }
    loans.defer(() => unmount(target));
    paths.set(entry, target);
  }
}

/** Members of the group may go through the folder, not look into it. */
export function admitGroup(folder: string, group: number): void {
  chownSync(folder, 0, group);
  chmodSync(folder, 0o710);
}

/** Gives back the mounts of `mountThroughMapping`, also those of an earlier daemon. */
export function unmountMapped(context: Context, record: ContainerRecord): void {
  for (const index of record.mounts.keys()) unmount(mappedPath(context, record.id, index));
}

function mappedPath(context: Context, id: string, index: number): string {
  return join(bundleDirectory(context, id), 'mapped', String(index));
}

/** How a mount's owners are shown to the container; undefined: as they are. @throws Fault invalid */
function mappingOf(entry: ContainerMount, container: IdMapping | undefined): IdMapping | undefined {
  if (entry.idMap === undefined) return entry.type === 'volume' ? container : undefined;
  if (entry.idMap === 'container') {
    if (container !== undefined) return container;
    throw new Fault(
      'invalid',
      `Cannot mount on ${entry.destination}: idmap alone is for containers in a user namespace (userns-remap); say which ids: idmap=uids=0-1000-1;gids=0-1000-1`,
    );
  }
  return throughContainer(entry.idMap, entry.destination, container);
}

/** From ids on disk to ids in the container to ids of the host. @throws Fault invalid */
function throughContainer(option: IdMapOption, destination: string, container: IdMapping | undefined): IdMapping {
  const outside = (ranges: readonly IdRange[], of: readonly IdRange[] | undefined): IdRange[] =>
    ranges.map(({ container: disk, host: inside, size }) => {
      const [first, last] =
        of === undefined ? [inside, inside + size - 1] : [hostId(of, inside), hostId(of, inside + size - 1)];
      if (first === undefined || last !== first + size - 1) {
        throw new Fault(
          'invalid',
          `Cannot mount on ${destination}: ids ${inside} to ${inside + size - 1} are not the container's`,
        );
      }
      return { container: disk, host: first, size };
    });
  return { uids: outside(option.uids, container?.uids), gids: outside(option.gids, container?.gids) };
}

/** A namespace of that mapping for the time of mounting; one each of the same. */
async function namespaceOf(mapping: IdMapping, made: DisposableStack): Promise<string> {
  const namespace: UserNamespace = await makeUserNamespace(mapping);
  made.defer(() => namespace[Symbol.dispose]());
  return `/proc/${namespace.pid}/ns/user`;
}

/** Ids of the host's that are the container's root; 0 without a mapping. */
export function rootOf(mapping: IdMapping | undefined): { uid: number; gid: number } {
  return { uid: hostId(mapping?.uids ?? [], 0) ?? 0, gid: hostId(mapping?.gids ?? [], 0) ?? 0 };
}
