/** After a daemon restart or a reboot: which containers still run, which ended meanwhile, which come up again. */
import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { isAlive } from '../linux/index.ts';
import { faultKind, messageOf, Slots } from '../std/index.ts';
import { type BootDependency, bootDependencies } from './boot-order.ts';
import { type Context, type Live, logPath } from './context.ts';
import { newLive } from './create.ts';
import { awaitExit, cleanUp, watchExit } from './exit.ts';
import { probeOf, startHealth } from './health.ts';
import { forwardLogs } from './log-forward.ts';
import { removeLocked } from './remove-locked.ts';
import { restartsAtBoot } from './restart-policy.ts';
import { cancelRestart } from './restart-timer.ts';
import { startContainer } from './start.ts';
import { settlePause } from './stop.ts';
import type { RunState } from './record.ts';

/** Fills `context.live` and `context.names`; returns the containers that run. Call before any other verb. */
export function loadContainers(context: Context): Map<string, number> {
  const alive = new Map<string, number>();
  for (const record of context.records.values()) {
    context.live.set(record.id, newLive(record));
    context.names.set(record.name, record.id);
  }
  for (const [id, run] of context.runs.entries()) {
    const live = context.live.get(id);
    if (live === undefined || run.bootId !== context.bootId) continue;
    live.run = run;
    live.exited = Promise.withResolvers<void>();
    if (isAlive(run.pid, run.startTicks)) alive.set(id, run.pid);
  }
  return alive;
}

/** After networks were restored: adopts what runs, settles what ended, starts what should run. */
export async function resumeContainers(context: Context): Promise<void> {
  const stale: [string, RunState][] = [];
  for (const [id, run] of context.runs.entries()) {
    const live = context.live.get(id);
    if (live?.run === undefined) stale.push([id, run]);
  }
  for (const [id, run] of stale) {
    // A run whose container is gone, or one of an earlier boot: nothing of it can be alive.
    const live = context.live.get(id);
    if (live !== undefined && run.bootId !== context.bootId) {
      live.record.state = { ...live.record.state, status: 'exited', exitCode: 255, startedAt: run.startedAt };
    }
    await context.runs.delete(id, { durable: false });
  }
  const lost: Live[] = [];
  for (const live of context.live.values()) {
    // Also what a run printed that ended, or a host that lost power, before its lines were sent.
    if (existsSync(logPath(context, live.record.id))) forwardLogs(context, live);
    if (live.run === undefined) continue;
    if (isAlive(live.run.pid, live.run.startTicks)) {
      settlePause(context, live);
      startHealth(context, live);
      // It may have ended between the two looks.
      watchExit(context, live);
    } else lost.push(live);
  }
  await Promise.all(lost.map((live) => settleLost(context, live)));
  for (const live of context.live.values()) await live.ending;
  for (const live of context.live.values()) await tidy(context, live);
  context.background(startAll(context));
}

/** How long a start of the daemon waits, so that nobody is told of a run that has ended. */
const settlePatienceMs = 5000;

async function settleLost(context: Context, live: Live): Promise<void> {
  context.log.warn('a container ended while no daemon watched', { container: live.record.id });
  const settled = awaitExit(context, live);
  context.background(settled);
  await Promise.race([settled, sleep(settlePatienceMs)]);
}

/** Removes what a crash left of containers that do not run; ends removals that it cut short, and --rm containers that ended unseen. */
async function tidy(context: Context, live: Live): Promise<void> {
  if (live.run !== undefined || live.restart !== undefined) return;
  const { record } = live;
  try {
    if (record.wasRunning && record.state.status === 'created')
      record.state = { ...record.state, status: 'exited', exitCode: 255 };
    await cleanUp(context, live, { cgroup: `${context.settings.cgroupParent}/${record.id}`, sandbox: undefined });
    // The record of a --rm container is not written again when it starts; after a reboot only its log tells that it did.
    const started = record.state.status !== 'created' || existsSync(logPath(context, record.id));
    // Without its root it was being removed when the daemon died: what remains of it goes, too.
    const halfRemoved = !context.snapshots.exists(record.id);
    if (halfRemoved || (record.hostConfig.AutoRemove && started)) {
      await context.lock.run(record.id, () => removeLocked(context, live, { volumes: !halfRemoved }));
    }
  } catch (error) {
    context.log.warn('cannot tidy a container', { container: record.id, error: messageOf(error) });
  }
}

async function startAll(context: Context): Promise<void> {
  const waiting = [...context.live.values()]
    .filter((live) => live.run === undefined && !live.removing)
    .filter(({ record }) =>
      restartsAtBoot(record.hostConfig.RestartPolicy, {
        manuallyStopped: record.manuallyStopped,
        exitCode: record.state.exitCode,
        wasRunning: record.wasRunning,
      }),
    )
    .filter(({ record }) => record.wasRunning || record.state.status !== 'created')
    .sort((a, b) => Number(BigInt(a.record.createdNanos) - BigInt(b.record.createdNanos)));
  // One that ended while no daemon watched is in no more of a hurry than the others: it comes in its turn.
  for (const live of waiting) cancelRestart(live);
  const slots = new Slots(startsAtOnce);
  const dependencies = bootDependencies([...context.live.values()].map(({ record }) => record));
  const started = new Map<string, Promise<void>>();
  const start = (live: Live): Promise<void> => {
    const known = started.get(live.record.id);
    if (known !== undefined) return known;
    const run = async (): Promise<void> => {
      const needs = dependencies.get(live.record.id) ?? [];
      await Promise.all(
        needs.map((need) =>
          reached(context, live, need, (other) => (waiting.includes(other) ? start(other) : undefined)),
        ),
      );
      await slots.run(() => startOne(context, live), new AbortController().signal);
    };
    const running = run();
    started.set(live.record.id, running);
    return running;
  };
  await Promise.all(waiting.map(start));
}

/** A host that comes up has other things to do as well. */
const startsAtOnce = 4;
/** Who depends on one that does not become healthy comes up all the same, after this long: it is no worse off than without any order. */
const patienceMs = 5 * 60_000;
const lookMs = 100;

/** When what a container waits for has come, or will not come. */
async function reached(
  context: Context,
  live: Live,
  { id, until }: BootDependency,
  start: (other: Live) => Promise<void> | undefined,
): Promise<void> {
  const other = context.live.get(id);
  if (other === undefined) return;
  await start(other);
  if (until === 'started') return;
  const late = Date.now() + patienceMs;
  while (!context.closing() && !live.removing && Date.now() < late) {
    const { run } = other;
    // It has ended, or was never to run: nothing will come of it any more.
    if (run === undefined && other.restart === undefined) return;
    if (until === 'healthy' && run !== undefined) {
      if (probeOf(other.record.config) === undefined || run.health?.Status === 'healthy') return;
      if (run.health?.Status === 'unhealthy') break;
    }
    await sleep(lookMs);
  }
  if (!context.closing() && !live.removing)
    context.log.warn('a container starts though what it depends on is not ready', {
      container: live.record.id,
      dependency: other.record.name,
      condition: until,
    });
}

async function startOne(context: Context, live: Live): Promise<void> {
  await context.lock.run(live.record.id, async () => {
    if (live.run !== undefined || live.removing || context.closing()) return;
    try {
      await startContainer(context, live, { automatic: true });
    } catch (error) {
      if (faultKind(error) !== 'not-modified')
        context.log.error('cannot start a container', { container: live.record.id, error: messageOf(error) });
    }
  });
}
