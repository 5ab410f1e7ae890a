/** `start`: loans on one stack (root, volumes, network, files), the spec, the runtime through its monitor; then the process goes. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isAlive, processStart } from '../linux/index.ts';
import { attachMonitor } from '../monitor/index.ts';
import { Fault, faultKind, formatNanos, messageOf, nowNanos, zeroTime } from '../std/index.ts';
import { buildSpec, prepareRoot, stringifySpec } from './build-spec.ts';
import { cgroupPath } from './cgroup-path.ts';
import { bundleDirectory, type Context, exitDirectory, type Live, logPath } from './context.ts';
import { requestedEdits } from './device-requests.ts';
import { containerEvent } from './event.ts';
import { startHealth } from './health.ts';
import { lendVolumes } from './lend-mounts.ts';
import { checkLogDriver, forwardLogs } from './log-forward.ts';
import { hardLogLimit } from './log-limits.ts';
import { setUpNetwork } from './network-setup.ts';
import type { RunState } from './record.ts';
import { startFailure } from './start-error.ts';
import { enterUserNamespace, mountThroughMapping } from './user-namespace.ts';
import { settleWaiters } from './wait.ts';

/** The caller holds the container's lock. `automatic`: by the restart policy, not by a person. @throws Fault */
export async function startContainer(context: Context, live: Live, options: { automatic: boolean }): Promise<void> {
  await live.ending;
  if (live.removing) throw new Fault('conflict', 'container is marked for removal and cannot be started');
  if (live.run?.paused) throw new Fault('conflict', 'cannot start a paused container, try unpause instead');
  if (live.run !== undefined) throw new Fault('not-modified', 'container is already running');
  if (live.restart !== undefined) {
    clearTimeout(live.restart.timer);
    live.restart = undefined;
  }
  live.stopRequested = false;
  const started = Promise.withResolvers<void>();
  live.starting = started.promise;
  try {
    await launch(context, live, options);
  } catch (error) {
    await failed(context, live, error, options.automatic);
    throw error;
  } finally {
    live.starting = undefined;
    started.resolve();
  }
}

async function launch(context: Context, live: Live, options: { automatic: boolean }): Promise<void> {
  const { record } = live;
  await using loans = new AsyncDisposableStack();
  const rootfs = context.snapshots.mount(record.id);
  loans.defer(() => context.snapshots.unmount(record.id));
  const bundle = bundleDirectory(context, record.id);
  rmSync(bundle, { recursive: true, force: true });
  mkdirSync(bundle, { recursive: true, mode: 0o700 });
  loans.defer(() => rmSync(bundle, { recursive: true, force: true }));
  mkdirSync(exitDirectory(context), { recursive: true, mode: 0o700 });
  rmSync(join(exitDirectory(context), record.id), { force: true });

  using until = new DisposableStack();
  const remapped = await enterUserNamespace(context, record, until);
  const volumes = await lendVolumes(context, record, loans);
  const network = await setUpNetwork(context, live, loans, remapped?.networkOf);
  const cgroup = cgroupPath(context.settings, record.id, record.hostConfig.CgroupParent);
  const edits = await requestedEdits(context.devices, record.hostConfig);
  const user = prepareRoot(record, rootfs);
  await mountThroughMapping(context, record, remapped, volumes, loans);
  const spec = buildSpec(context, record, { rootfs, user, bundle, network, cgroup, volumes, remapped, edits });
  writeFileSync(join(bundle, 'config.json'), stringifySpec(spec), { mode: 0o600 });

  const runtime = context.runtime(record.hostConfig.Runtime ?? '');
  loans.defer(() => runtime.delete(record.id, cgroup));
  // While the runtime works: once the caller is told that it runs, even a power cut does not make it one that never did.
  const noted = noteStart(context, live);
  loans.defer(() => noted);
  const log = record.hostConfig.LogConfig;
  checkLogDriver(log?.Type ?? '', log?.Config ?? {});
  const { pid } = await runtime
    .create({
      id: record.id,
      name: record.name,
      bundle,
      logPath: log?.Type === 'none' ? undefined : logPath(context, record.id),
      logSizeMax: hardLogLimit(log?.Config ?? {}),
      terminal: record.config.Tty ?? false,
      stdin: record.config.OpenStdin ?? false,
      leaveStdinOpen: !(record.config.StdinOnce ?? false) || (record.config.Tty ?? false),
    })
    .catch((error: unknown) => {
      if (faultKind(error) !== 'internal') throw error;
      const failure = startFailure(messageOf(error), record.path);
      throw Object.assign(failure.fault, { exitCode: failure.exitCode, cause: error });
    });
  const startTicks = processStart(pid);
  if (startTicks === undefined) throw new Fault('internal', 'the container process ended before it was started');
  for (const session of live.pending) {
    live.sessions.add(session);
    session.connect(attachMonitor(`${bundle}/attach`, live.closer.close));
  }
  live.pending.clear();
  const run: RunState = {
    id: record.id,
    bootId: context.bootId,
    pid,
    startTicks,
    monitorPid: Number(readFileSync(join(bundle, 'conmon.pid'), 'utf8')),
    startedAt: formatNanos(nowNanos()),
    paused: false,
    endpoints: network.endpoints,
    ports: network.ports,
    cgroup,
    sandbox: network.sandbox,
    ...(remapped === undefined ? {} : { idMapping: remapped.mapping }),
  };
  live.oomKilled = false;
  live.exited = Promise.withResolvers<void>();
  live.run = run;
  try {
    // Written before the process runs: a daemon killed right after finds the container by it.
    await context.runs.put(record.id, run, { durable: false });
    await runtime.start(record.id, () => isAlive(pid, startTicks));
  } catch (error) {
    live.run = undefined;
    await context.runs.delete(record.id, { durable: false });
    live.exited.resolve();
    throw error;
  }
  loans.move();
  await noted;
  record.state = { ...record.state, exitCode: 0, error: '', oomKilled: false, startedAt: run.startedAt };
  if (!options.automatic) {
    record.restartCount = 0;
    live.restartDelayMs = 0;
  }
  if (!(record.hostConfig.AutoRemove ?? false))
    context.background(context.lock.run(`record:${record.id}`, () => saveIfThere(context, live)));
  context.images.used(record.image, 'started');
  containerEvent(context, record, 'start');
  forwardLogs(context, live);
  startHealth(context, live);
}

/** Writes down that it is to run; after a power cut it is one that ran, and its restart policy holds. */
async function noteStart(context: Context, live: Live): Promise<void> {
  const { record } = live;
  record.manuallyStopped = false;
  record.wasRunning = true;
  // One that goes with its end is nothing to bring back.
  if (record.hostConfig.AutoRemove ?? false) return;
  try {
    await context.lock.run(`record:${record.id}`, () => saveIfThere(context, live));
  } catch (error) {
    // A full disk is no reason not to run.
    context.log.warn('cannot write down that a container runs', { container: record.id, error: messageOf(error) });
  }
}

/** Writes the record unless the container was removed meanwhile. */
export async function saveIfThere(context: Context, live: Live): Promise<void> {
  if (context.live.get(live.record.id) === live) await context.records.put(live.record.id, live.record);
}

async function failed(context: Context, live: Live, error: unknown, automatic: boolean): Promise<void> {
  const { record } = live;
  if (!automatic) record.wasRunning = false;
  const exitCode = (error as { exitCode?: number }).exitCode ?? 128;
  record.state = {
    ...record.state,
    exitCode,
    error: messageOf(error),
    ...(record.state.startedAt === zeroTime ? {} : { status: 'exited' as const }),
  };
  for (const session of live.pending) session.detach();
  live.pending.clear();
  await saveIfThere(context, live).catch(() => {});
  if (!automatic) settleWaiters(live, ['not-running', 'next-exit'], { StatusCode: exitCode, Error: null });
  context.log.warn('container did not start', { container: record.id, error: messageOf(error) });
}
