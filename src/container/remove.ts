/** `rm`: the record goes last, so that a crash leaves a container that can be removed again. */
import { rm } from 'node:fs/promises';
import { Fault } from '../std/index.ts';
import { bundleDirectory, type Context, containerDirectory, type Live } from './context.ts';
import { imageMountName } from './create.ts';
import { containerEvent } from './event.ts';
import { killContainer } from './stop.ts';
import { cancelRestart } from './restart-timer.ts';
import { settleWaiters } from './wait.ts';

/** @throws Fault conflict when it runs and `force` is not set */
export async function removeContainer(
  context: Context,
  live: Live,
  options: { volumes: boolean; force: boolean },
): Promise<void> {
  const { record } = live;
  if (live.removing) throw new Fault('conflict', `removal of container ${record.name} is already in progress`);
  if ((live.run !== undefined || live.restart !== undefined) && !options.force) {
    const state = live.run?.paused ? 'paused' : live.run === undefined ? 'restarting' : 'running';
    const advice = `${state === 'paused' ? 'unpause and then ' : ''}stop the container before removing or force remove`;
    throw new Fault('conflict', `cannot remove container "/${record.name}": container is ${state}: ${advice}`);
  }
  live.removing = true;
  try {
    if (live.run !== undefined || live.restart !== undefined) await killContainer(context, live, 'KILL');
    await context.lock.run(record.id, () => removeLocked(context, live, options));
  } catch (error) {
    live.removing = false;
    throw error;
  }
}

/** The caller holds the lock and the container does not run. */
export async function removeLocked(context: Context, live: Live, options: { volumes: boolean }): Promise<void> {
  const { record } = live;
  if (context.live.get(record.id) !== live) return;
  live.removing = true;
  cancelRestart(live);
  await live.exited?.promise;
  for (const session of live.pending) session.detach();
  await context.snapshots.remove(record.id);
  for (const mount of record.mounts)
    if (mount.type === 'image') await context.snapshots.remove(imageMountName(record.id, mount));
  // A record write may be on its way; the removal comes after it.
  await context.lock.run(`record:${record.id}`, async () => {
    context.live.delete(record.id);
    await context.records.delete(record.id);
  });
  await rm(containerDirectory(context, record.id), { recursive: true, force: true });
  await rm(bundleDirectory(context, record.id), { recursive: true, force: true });
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
