/** Volumes. */
import { booleanFilter, type Filters } from '../../api/index.ts';
import { Fault, faultKind } from '../../std/index.ts';
import { parseVolumeBody } from '../body/volume.ts';
import type { Call } from '../call.ts';
import { empty, json, type Reply } from '../http/reply.ts';

export async function list(call: Call): Promise<Reply> {
  return json(await call.engine.volumes.list(call.query.filters(['dangling', 'driver', 'label', 'name'])));
}

export async function inspect(call: Call): Promise<Reply> {
  return json(await call.engine.volumes.inspect(call.name));
}

export async function create(call: Call): Promise<Reply> {
  return json(await call.engine.volumes.create(parseVolumeBody(await call.json())), 201);
}

/** With force, a volume that is not there is as good as removed. */
export async function remove(call: Call): Promise<Reply> {
  const force = call.query.boolean('force');
  try {
    await call.engine.volumes.remove(call.name, { force });
  } catch (error) {
    if (!force || faultKind(error) !== 'not-found') throw error;
  }
  return empty(204);
}

export async function rename(call: Call): Promise<Reply> {
  const name = call.query.text('name');
  if (name === undefined) throw new Fault('invalid', 'Cannot rename a volume: query parameter "name" is missing');
  return json(await call.engine.volumes.rename(call.name, name));
}

export async function trash(call: Call): Promise<Reply> {
  const items = await call.engine.volumes.trash();
  return json(items.map(({ name, removedAt, size }) => ({ Name: name, RemovedAt: removedAt, Size: size })));
}

export async function restore(call: Call): Promise<Reply> {
  return json(await call.engine.volumes.restore(call.name));
}

/** Before 1.42 named volumes were pruned too; since then only when the filter `all` says so. */
export async function prune(call: Call): Promise<Reply> {
  const asked = call.query.filters(call.version < 42 ? ['label', 'label!'] : ['all', 'label', 'label!']);
  const anonymousOnly = call.version >= 42 && booleanFilter(asked, 'all') !== true;
  const filters: Filters = new Map([...asked].filter(([key]) => key !== 'all'));
  const { deleted, reclaimed } = await call.engine.volumes.prune(filters, { anonymousOnly });
  return json({ VolumesDeleted: deleted, SpaceReclaimed: reclaimed });
}
