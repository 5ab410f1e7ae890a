/** What a crash interrupted: removals that were begun are ended, and what of a container was made before its record goes again. */
import { rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { errorCode, messageOf } from '../std/index.ts';
import { namesIn, snapshotNames } from './check.ts';
import type { Context } from './context.ts';
import { imageMountNames } from './create.ts';

/** The folder of a container whose removal has begun: whoever finds it ends the removal. */
export const removingSuffix = '.removing';

/** Before containers are loaded. */
export async function endRemovals({ settings, records, snapshots }: Context): Promise<void> {
  const folder = join(settings.dataRoot, 'containers');
  for (const name of namesIn(folder)) {
    if (!name.endsWith(removingSuffix)) continue;
    const id = name.slice(0, -removingSuffix.length);
    const record = records.get(id);
    await snapshots.remove(id);
    if (record !== undefined) for (const mounted of imageMountNames(record)) await snapshots.remove(mounted);
    await records.delete(id);
    await rm(join(folder, name), { recursive: true, force: true });
  }
}

/** After containers are loaded. What holds data is left for `system verify` to tell of. */
export async function clearUnmade(context: Context): Promise<void> {
  const { snapshots, settings, live, log } = context;
  const known = snapshotNames(context);
  for (const id of snapshots.writables()) {
    if (known.has(id)) continue;
    try {
      if (namesIn(snapshots.describe(id).data['UpperDir']!).length === 0) await snapshots.remove(id);
      else log.warn('files of a container without a record; see: wherry system verify', { snapshot: id });
    } catch (error) {
      log.warn('a snapshot of no container cannot be used', { snapshot: id, error: messageOf(error) });
    }
  }
  const folder = join(settings.dataRoot, 'containers');
  for (const name of namesIn(folder)) {
    if (live.has(name)) continue;
    await rmdir(join(folder, name)).catch((error: unknown) => {
      if (errorCode(error) !== 'ENOTEMPTY' && errorCode(error) !== 'ENOTDIR') throw error;
    });
  }
}
