/** Names of what a step uses while it runs: its writable snapshots, its process. */
import type { Snapshots } from '../../snapshot/index.ts';
import { randomId, shortId } from '../../std/index.ts';

/** No container's id begins so. */
const prefix = 'build-';

export function newStepId(): string {
  return `${prefix}${shortId(randomId())}`;
}

/** Removes the snapshots of steps that a killed daemon did not end; call before the first step, and before containers are looked for. */
export async function clearUnfinished(snapshots: Snapshots): Promise<void> {
  for (const id of snapshots.writables()) if (id.startsWith(prefix)) await snapshots.remove(id);
}
