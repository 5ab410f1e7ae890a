/** The removal itself: begun by one rename, so that a crash before it leaves the container, and after it a removal that is ended at the next start. */
import { rename } from 'node:fs/promises';
import { errorCode, removeAll } from '../std/index.ts';
import { bundleDirectory, type Context, containerDirectory, type Live } from './context.ts';
import { imageMountNames } from './create.ts';
import { containerEvent } from './event.ts';
import { removingSuffix } from './interrupted.ts';
import { logsForwarded } from './log-forward.ts';
import { cancelRestart } from './restart-timer.ts';
import { settleWaiters } from './wait.ts';

/** The caller holds the lock and the container does not run. */
export async function removeLocked(context: Context, live: Live, options: { volumes: boolean }): Promise<void> {
  const { record } = live;
  if (context.live.get(record.id) !== live) return;
  live.removing = true;
  cancelRestart(live);
  await live.exited?.promise;
  await logsForwarded(live);
  for (const session of live.pending) session.detach();
  const directory = containerDirectory(context, record.id);
  await moveAway(directory);
  await context.snapshots.remove(record.id);
  for (const name of imageMountNames(record)) await context.snapshots.remove(name);
  // A record write may be on its way; the removal comes after it.
  await context.lock.run(`record:${record.id}`, async () => {
    context.deleting.add(record.id);
    context.live.delete(record.id);
    // One that goes with its end would go again at the next start.
    await context.records.delete(record.id, { durable: !(record.hostConfig.AutoRemove ?? false) });
  });
  try {
    await removeAll(`${directory}${removingSuffix}`);
    await removeAll(bundleDirectory(context, record.id));
  } finally {
    context.deleting.delete(record.id);
  }
  if (context.names.get(record.name) === record.id) context.names.delete(record.name);
  if (options.volumes) {
    for (const mount of record.mounts) {
      if (mount.type !== 'volume' || !mount.anonymous) continue;
      await context.volumes.remove(mount.source, { force: true }).catch((error: Error) => {
        context.log.debug('an anonymous volume stays', { volume: mount.source, reason: error.message });
      });
    }
  }
  for (const id of live.execs.keys()) context.execs.delete(id);
  settleWaiters(live, ['not-running', 'next-exit', 'removed'], { StatusCode: record.state.exitCode, Error: null });
  containerEvent(context, record, 'destroy');
}

/** From here on a crash ends in the container's removal, not in half a container. */
async function moveAway(directory: string): Promise<void> {
  try {
    await rename(directory, `${directory}${removingSuffix}`);
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
  }
}
