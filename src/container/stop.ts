/** `stop`, `kill`, `restart`, `pause` and `unpause`. Callers hold the container's lock unless said otherwise. */
import { setTimeout as sleep } from 'node:timers/promises';
import { freeze, isFrozen, signalNumber, thaw } from '../linux/index.ts';
import { Fault, faultKind } from '../std/index.ts';
import type { Context, Live } from './context.ts';
import { containerEvent } from './event.ts';
import { watchOrphan } from './exit.ts';
import { cancelRestart } from './restart-timer.ts';
import { requireRun } from './find.ts';
import { saveIfThere, startContainer } from './start.ts';

/** @throws Fault invalid "cannot kill container: web: invalid signal: FOO"; `what` is what cannot be done */
function parseSignal(text: string | undefined, standard: string, what: string): number {
  const number = signalNumber(text === undefined || text === '' ? standard : text);
  if (number === undefined) throw new Fault('invalid', `${what}: invalid signal: ${text}`);
  return number;
}

const SIGKILL = 9;

/** Sends a signal; a paused container is thawed so that it can act on it. @throws Fault conflict when it does not run any more */
async function deliver(context: Context, live: Live, signal: number): Promise<void> {
  const run = requireRun(live);
  const runtime = context.runtime(live.record.hostConfig.Runtime ?? '');
  if (!runtime.signal(run.pid, run.startTicks, signal))
    throw new Fault('conflict', `container ${live.record.id} is not running`);
  containerEvent(context, live.record, 'kill', { signal: String(signal) });
  watchOrphan(context, live);
  const ends = signal === SIGKILL || signal === signalNumber(live.record.config.StopSignal || 'TERM');
  // Also what somebody else froze: a frozen process does not even die of SIGKILL (cgroup v1).
  if (ends && (run.paused || isFrozen(context.settings.cgroups, run.cgroup))) {
    thaw(context.settings.cgroups, run.cgroup);
    run.paused = false;
  }
}

export interface StopOptions {
  signal?: string | undefined;
  timeoutSeconds?: number | undefined;
}

/** @throws Fault not-modified when it does not run */
export async function stopContainer(context: Context, live: Live, options: StopOptions): Promise<void> {
  const { record } = live;
  if (live.run === undefined) {
    await live.ending;
    record.manuallyStopped = true;
    if (!cancelRestart(live)) throw new Fault('not-modified', 'container is already stopped');
    await saveIfThere(context, live);
    containerEvent(context, record, 'stop');
    return;
  }
  await endRun(context, live, options);
  record.manuallyStopped = true;
  await saveIfThere(context, live);
  containerEvent(context, record, 'stop');
}

/** Signal, grace, SIGKILL; returns when the run has been cleaned up. */
export async function endRun(
  context: Context,
  live: Live,
  options: StopOptions,
  cannot = 'cannot stop container: ',
): Promise<void> {
  const { record } = live;
  live.stopRequested = true;
  const exited = live.exited!.promise;
  const signal = parseSignal(options.signal, record.config.StopSignal || 'SIGTERM', `${cannot}${record.name}`);
  const seconds = options.timeoutSeconds ?? record.config.StopTimeout ?? context.settings.stopTimeoutSeconds;
  const gone = (error: unknown): void => {
    if (faultKind(error) !== 'conflict') throw error;
  };
  await deliver(context, live, signal).catch(gone);
  if (seconds < 0) {
    await exited;
    return;
  }
  if (await settledWithin(exited, seconds * 1000)) return;
  context.log.info('container did not stop in time and is killed', { container: record.id, signal, seconds });
  await deliver(context, live, SIGKILL).catch(gone);
  releaseMonitor(live);
  if (await settledWithin(exited, 10_000)) return;
  throw new Fault(
    'internal',
    `cannot stop container: ${record.name}: tried to kill container, but did not receive an exit event`,
  );
}

/**
 * The process is gone, or will be in a moment: a monitor that waits for clients who read nothing could not tell how it ended, so they are
 * let go of.
 */
function releaseMonitor(live: Live): void {
  for (const session of live.sessions) session.processEnded();
}

async function settledWithin(promise: Promise<void>, ms: number): Promise<boolean> {
  const controller = new AbortController();
  try {
    return await Promise.race([promise.then(() => true), sleep(ms, false, { signal: controller.signal })]);
  } finally {
    controller.abort();
  }
}

/** Not under the lock: a kill must reach a container whose stop is waiting. @throws Fault conflict, invalid */
export async function killContainer(context: Context, live: Live, signalText: string | undefined): Promise<void> {
  const signal = parseSignal(signalText, 'KILL', `cannot kill container: ${live.record.name}`);
  if (live.run === undefined && live.restart !== undefined) {
    live.record.manuallyStopped = true;
    cancelRestart(live);
    await saveIfThere(context, live);
    return;
  }
  const cannot = (error: unknown): never => {
    if (faultKind(error) !== 'conflict') throw error;
    const reason = `cannot kill container: ${live.record.name}: ${(error as Error).message}`;
    throw new Fault('conflict', reason, { cause: error });
  };
  try {
    requireRun(live);
  } catch (error) {
    cannot(error);
  }
  const { StopSignal } = live.record.config;
  if (signal === SIGKILL || !StopSignal || signal === signalNumber(StopSignal)) {
    live.stopRequested = signal === SIGKILL || signal === signalNumber(StopSignal || 'TERM');
    live.record.manuallyStopped = true;
  }
  const exited = live.exited?.promise;
  await deliver(context, live, signal).catch(cannot);
  if (signal === SIGKILL && exited !== undefined) {
    releaseMonitor(live);
    // As Docker: the call returns when the container has ended.
    await settledWithin(exited, 10_000);
  }
}

export async function restartContainer(context: Context, live: Live, options: StopOptions): Promise<void> {
  if (live.run !== undefined) {
    await endRun(context, live, options, 'Cannot restart container ');
    containerEvent(context, live.record, 'stop');
  } else cancelRestart(live);
  await startContainer(context, live, { automatic: false });
  containerEvent(context, live.record, 'restart');
}

/** `unrecorded`: for a moment only; a daemon that is killed meanwhile lets the next one thaw it. @throws Fault conflict, internal */
export async function pauseContainer(
  context: Context,
  live: Live,
  options: { unrecorded?: boolean } = {},
): Promise<void> {
  const run = requireRun(live);
  if (run.paused) throw new Fault('conflict', `Container ${live.record.id} is already paused`);
  await freeze(context.settings.cgroups, run.cgroup);
  run.paused = true;
  if (options.unrecorded !== true) await context.runs.put(live.record.id, run, { durable: false });
  containerEvent(context, live.record, 'pause');
}

export async function unpauseContainer(context: Context, live: Live): Promise<void> {
  const run = requireRun(live);
  if (!run.paused) throw new Fault('conflict', `Container ${live.record.id} is not paused`);
  thaw(context.settings.cgroups, run.cgroup);
  run.paused = false;
  await context.runs.put(live.record.id, run, { durable: false });
  containerEvent(context, live.record, 'unpause');
}

/** After a daemon was killed in the middle of a pause, an unpause or a commit: what nobody was told to be paused goes on. */
export function settlePause(context: Context, live: Live): void {
  const run = requireRun(live);
  const frozen = isFrozen(context.settings.cgroups, run.cgroup);
  if (frozen && !run.paused) thaw(context.settings.cgroups, run.cgroup);
  run.paused &&= frozen;
}
