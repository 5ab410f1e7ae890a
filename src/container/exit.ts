/** The end of a run: noticed by the exit file that conmon writes, settled once, cleaned up, and perhaps begun anew. */
import { existsSync, type FSWatcher, mkdirSync, readFileSync, rmSync, statSync, watch } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isAlive, runsWith, unmount } from '../linux/index.ts';
import { errorCode, faultKind, formatNanos, messageOf, nowNanos, parseRfc3339 } from '../std/index.ts';
import { bundleDirectory, type Context, exitDirectory, type Live } from './context.ts';
import { imageMountName } from './create.ts';
import { containerEvent } from './event.ts';
import type { RunState } from './record.ts';
import { removeLocked } from './remove-locked.ts';
import { nextRestart } from './restart-policy.ts';
import { saveIfThere, startContainer } from './start.ts';
import { unmountMapped } from './user-namespace.ts';
import { settleWaiters } from './wait.ts';
import { endLeftProcesses } from './without-cgroups.ts';

/** How long a monitor may take to tell how a process ended: it does so at once, but the machine may be very busy. */
const monitorPatienceMs = 60_000;

/** Watches for exits of all containers; one watch for the whole daemon, and a slow sweep for what inotify missed. */
export function watchExits(context: Context): Disposable {
  const directory = exitDirectory(context);
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const watcher: FSWatcher = watch(directory, (_event, name) => {
    const live = name === null ? undefined : context.live.get(name);
    if (live?.run !== undefined) watchExit(context, live);
  });
  watcher.on('error', (error) => context.log.error('cannot watch for exits', { error: error.message }));
  const sweep = setInterval(() => {
    for (const live of context.live.values()) if (live.run !== undefined) sweepOne(context, live);
  }, 5000);
  sweep.unref();
  return {
    [Symbol.dispose]: () => {
      watcher.close();
      clearInterval(sweep);
    },
  };
}

function sweepOne(context: Context, live: Live): void {
  const run = live.run!;
  watchExit(context, live);
  if (live.run !== run || isAlive(run.pid, run.startTicks)) return;
  for (const session of live.sessions) session.processEnded();
  if (awaited.has(run)) return;
  context.background(awaitExit(context, live));
}

const awaited = new WeakSet<RunState>();

/** Without a monitor nobody tells of the end: after a signal it is looked for, so that whoever stops it need not wait for a sweep. */
export function watchOrphan(context: Context, live: Live): void {
  const { run } = live;
  if (run === undefined || runsWith(run.monitorPid, live.record.id)) return;
  context.background(
    (async () => {
      for (let look = 0; live.run === run && !context.closing() && look < 200; look++) {
        sweepOne(context, live);
        await sleep(50);
      }
    })(),
  );
}

/**
 * Settles a run whose process is gone: its monitor writes the exit code in a moment, unless it is gone as well. Settled when the
 * run is, at the latest when the monitor has had its time.
 */
export async function awaitExit(context: Context, live: Live): Promise<void> {
  const run = live.run!;
  awaited.add(run);
  for (const late = Date.now() + monitorPatienceMs; ; await sleep(10)) {
    // In this order: the monitor writes before it ends.
    const holds = runsWith(run.monitorPid, live.record.id);
    watchExit(context, live);
    await live.starting;
    if (live.run !== run || context.closing()) return;
    if (holds && Date.now() < late) continue;
    context.log.error('the monitor of a container is gone; its exit code is unknown', { container: live.record.id });
    context.background(handleExit(context, live, 255, nowNanos()));
    return;
  }
}

/** Handles the exit of a container if its exit file is there. */
export function watchExit(context: Context, live: Live): void {
  if (live.starting !== undefined) {
    // A process may end before its start has been noted: first things first.
    context.background(live.starting.then(() => watchExit(context, live)));
    return;
  }
  const file = join(exitDirectory(context), live.record.id);
  let text: string;
  let at: bigint;
  try {
    text = readFileSync(file, 'utf8');
    at = statSync(file, { bigint: true }).mtimeNs;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return;
    throw error;
  }
  if (!/^-?\d+/.test(text)) return;
  context.background(handleExit(context, live, Number.parseInt(text, 10), at));
}

async function handleExit(context: Context, live: Live, exitCode: number, at: bigint): Promise<void> {
  const { record, run } = live;
  if (run === undefined) return;
  live.run = undefined;
  live.lastHealth = run.health;
  const cleaned = Promise.withResolvers<void>();
  live.ending = cleaned.promise;
  live.stopHealth?.();
  live.stopHealth = undefined;
  const oomKilled = live.oomKilled || existsSync(join(bundleDirectory(context, record.id), 'oom'));
  const startedNanos = parseRfc3339(run.startedAt) ?? at;
  const ranMs = Number((at - startedNanos) / 1_000_000n);
  record.state = {
    status: 'exited',
    exitCode,
    error: '',
    oomKilled,
    startedAt: run.startedAt,
    finishedAt: formatNanos(at),
  };
  record.wasRunning = false;
  const stopped = live.stopRequested || live.removing;
  const delayMs = context.closing()
    ? undefined
    : nextRestart(record.hostConfig.RestartPolicy, {
        exitCode,
        ranMs,
        manuallyStopped: stopped,
        restartCount: record.restartCount,
        delayMs: live.restartDelayMs,
      });
  if (delayMs !== undefined) {
    record.restartCount++;
    record.wasRunning = true;
    live.restartDelayMs = delayMs;
    scheduleRestart(context, live, delayMs, cleaned.promise);
  }
  const autoRemove = (record.hostConfig.AutoRemove ?? false) && !live.removing;
  if (delayMs === undefined) settleWaiters(live, ['not-running', 'next-exit'], { StatusCode: exitCode, Error: null });
  if (oomKilled) containerEvent(context, record, 'oom');
  containerEvent(context, record, 'die', {
    exitCode: String(exitCode),
    execDuration: String(Math.max(0, Math.trunc(ranMs / 1000))),
  });
  for (const exec of live.execs.values()) exec.containerExited();
  try {
    await giveBack(context, live, run);
  } catch (error) {
    context.log.error('cannot clean up after a container', { container: record.id, error: messageOf(error) });
  }
  try {
    // The record first: a daemon that is killed in between learns the exit code from the file again.
    if (!autoRemove) await saveIfThere(context, live);
    await forget(context, record.id);
  } catch (error) {
    context.log.error('cannot write down how a container ended', { container: record.id, error: messageOf(error) });
  } finally {
    live.ending = undefined;
    cleaned.resolve();
    live.exited?.resolve();
  }
  if (autoRemove) await autoRemoveNow(context, live);
}

async function autoRemoveNow(context: Context, live: Live): Promise<void> {
  try {
    await context.lock.run(live.record.id, () => removeLocked(context, live, { volumes: true }));
  } catch (error) {
    if (faultKind(error) === 'not-found' || faultKind(error) === 'conflict') return;
    context.log.error('cannot remove a container', { container: live.record.id, error: messageOf(error) });
    settleWaiters(live, ['removed'], { StatusCode: live.record.state.exitCode, Error: { Message: messageOf(error) } });
  }
}

/** Gives back what a run had borrowed and forgets it. @throws the first failure, when each part was tried */
export async function cleanUp(context: Context, live: Live, run: Loan): Promise<void> {
  try {
    await giveBack(context, live, run);
  } finally {
    await forget(context, live.record.id);
  }
}

/** What a run has that others may not have at the same time. */
type Loan = Pick<RunState, 'cgroup' | 'sandbox'>;

async function giveBack(context: Context, live: Live, run: Loan): Promise<void> {
  const { record } = live;
  const runtime = context.runtime(record.hostConfig.Runtime ?? '');
  const results = await Promise.allSettled([
    context.networking.closeSandbox(record.id),
    endLeftProcesses(context, record).then(() => runtime.delete(record.id, run.cgroup)),
  ]);
  await unmountAll(context, record.id, record);
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}

async function forget(context: Context, id: string): Promise<void> {
  await context.runs.delete(id, { durable: false });
  rmSync(bundleDirectory(context, id), { recursive: true, force: true });
  rmSync(join(exitDirectory(context), id), { force: true });
}

async function unmountAll(context: Context, id: string, record: Live['record']): Promise<void> {
  if (record.hostConfig.IpcMode === 'shareable') unmount(join(bundleDirectory(context, id), 'shm'));
  unmountMapped(context, record);
  context.snapshots.unmount(id);
  for (const mount of record.mounts) {
    if (mount.type === 'volume') await context.volumes.unmount(mount.source, id);
    if (mount.type === 'image') context.snapshots.unmount(imageMountName(id, mount));
  }
}

function scheduleRestart(context: Context, live: Live, delayMs: number, cleaned: Promise<void>): void {
  const timer = setTimeout(() => {
    context.background(
      (async () => {
        await cleaned;
        await context.lock.run(live.record.id, async () => {
          if (live.restart?.timer !== timer || live.removing || context.closing()) return;
          live.restart = undefined;
          try {
            await startContainer(context, live, { automatic: true });
          } catch (error) {
            const next = nextRestart(live.record.hostConfig.RestartPolicy, {
              exitCode: live.record.state.exitCode || 1,
              ranMs: 0,
              manuallyStopped: false,
              restartCount: live.record.restartCount,
              delayMs,
            });
            context.log.warn('cannot restart a container', { container: live.record.id, error: messageOf(error) });
            if (next === undefined || faultKind(error) === 'invalid') {
              settleWaiters(live, ['not-running', 'next-exit'], {
                StatusCode: live.record.state.exitCode,
                Error: { Message: messageOf(error) },
              });
              return;
            }
            live.record.restartCount++;
            live.restartDelayMs = next;
            scheduleRestart(context, live, next, Promise.resolve());
          }
        });
      })(),
    );
  }, delayMs);
  live.restart = { timer };
}
