/** `rm`, by force or not. */
import { Fault, faultKind } from '../std/index.ts';
import type { Context, Live } from './context.ts';
import { removeLocked } from './remove-locked.ts';
import { killContainer } from './stop.ts';

/** @throws Fault conflict when it runs and `force` is not set */
export async function removeContainer(
  context: Context,
  live: Live,
  options: { volumes: boolean; force: boolean },
): Promise<void> {
  const { record } = live;
  if (live.removing) throw new Fault('conflict', `removal of container ${record.name} is already in progress`);
  if (!options.force) refuseActive(live);
  live.removing = true;
  try {
    await kill(context, live);
    await context.lock.run(record.id, async () => {
      // A start that had begun before may have come to its end.
      if (!options.force) refuseActive(live);
      await kill(context, live);
      await removeLocked(context, live, options);
    });
  } catch (error) {
    live.removing = false;
    throw error;
  }
}

function refuseActive({ record, run, restart }: Live): void {
  if (run === undefined && restart === undefined) return;
  const state = run === undefined ? 'restarting' : run.paused ? 'paused' : 'running';
  const advice = `${state === 'paused' ? 'unpause and then ' : ''}stop the container before removing or force remove`;
  throw new Fault('conflict', `cannot remove container "/${record.name}": container is ${state}: ${advice}`);
}

async function kill(context: Context, live: Live): Promise<void> {
  if (live.run === undefined && live.restart === undefined) return;
  try {
    await killContainer(context, live, 'KILL');
  } catch (error) {
    // It ended by itself, and its exit will be handled in a moment.
    if (faultKind(error) !== 'conflict') throw error;
  }
}
