/** The machine goes down: containers end in the reverse of the order in which they come up, and come back with it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../std/index.ts';
import { bootDependencies } from './boot-order.ts';
import type { Context, Live } from './context.ts';
import { saveIfThere } from './start.ts';
import { endRun } from './stop.ts';

/** Beyond what the slowest container may take. */
const graceMs = 5000;

/**
 * Ends what runs as `stop` does, but nobody has stopped it: restart policies bring it back at the next boot. The context is closing.
 * @param seconds for all together, or as long as the most patient container has asked for
 */
export async function haltContainers(context: Context, seconds: number): Promise<void> {
  const running = [...context.live.values()].filter((live) => live.run !== undefined);
  if (running.length === 0) return;
  context.log.info('the machine goes down: containers are stopped', { containers: running.length });
  const dependents = dependentsOf(context);
  const halted = new Map<Live, Promise<void>>();
  const halt = (live: Live): Promise<void> => {
    const known = halted.get(live);
    if (known !== undefined) return known;
    const halting = Promise.all((dependents.get(live.record.id) ?? []).map(halt)).then(() => haltOne(context, live));
    halted.set(live, halting);
    return halting;
  };
  const patience = Math.max(seconds, ...running.map(({ record }) => record.config.StopTimeout ?? 0));
  const late = new AbortController();
  await Promise.race([
    Promise.all(running.map(halt)),
    sleep(patience * 1000 + graceMs, undefined, { signal: late.signal }).catch(() => {}),
  ]);
  late.abort();
}

/** Who depends on each. */
function dependentsOf(context: Context): Map<string, Live[]> {
  const dependents = new Map<string, Live[]>();
  const dependencies = bootDependencies([...context.live.values()].map(({ record }) => record));
  for (const [id, needs] of dependencies) {
    const live = context.live.get(id);
    for (const need of live === undefined ? [] : needs)
      dependents.set(need.id, [...(dependents.get(need.id) ?? []), live!]);
  }
  return dependents;
}

async function haltOne(context: Context, live: Live): Promise<void> {
  await context.lock.run(live.record.id, async () => {
    if (live.run === undefined) return;
    try {
      await endRun(context, live, {});
      live.record.wasRunning = true;
      if (!(live.record.hostConfig.AutoRemove ?? false)) await saveIfThere(context, live);
    } catch (error) {
      context.log.warn('cannot stop a container', { container: live.record.id, error: messageOf(error) });
    }
  });
}
