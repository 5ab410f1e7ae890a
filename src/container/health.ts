/** Health checks: probes by exec on a schedule, a streak of failures, a status that others can wait for. */
import { constants } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ContainerConfig, HealthConfig, HealthLogEntry, HealthState } from '../api/index.ts';
import { processStart, signalProcess } from '../linux/index.ts';
import { formatNanos, messageOf, nowNanos, parseRfc3339 } from '../std/index.ts';
import type { Context, Live } from './context.ts';
import { containerEvent } from './event.ts';
import { createExec, startExec } from './exec.ts';

const LOG_ENTRIES = 5;
const OUTPUT_BYTES = 4096;

export interface Probe {
  command: string[];
  intervalMs: number;
  timeoutMs: number;
  startPeriodMs: number;
  startIntervalMs: number;
  retries: number;
}

/** The probe that a configuration asks for, with Docker's defaults; undefined when there is none. Pure. */
export function probeOf(config: ContainerConfig): Probe | undefined {
  const health = config.Healthcheck;
  const [kind, ...rest] = health?.Test ?? [];
  if (health === null || health === undefined || kind === undefined || kind === '' || kind === 'NONE') return undefined;
  const shell = config.Shell && config.Shell.length > 0 ? config.Shell : ['/bin/sh', '-c'];
  const ms = (
    key: keyof HealthConfig & ('Interval' | 'Timeout' | 'StartPeriod' | 'StartInterval'),
    standard: number,
  ): number => (health[key] ? health[key] / 1e6 : standard);
  return {
    command: kind === 'CMD-SHELL' ? [...shell, ...rest] : rest,
    intervalMs: ms('Interval', 30_000),
    timeoutMs: ms('Timeout', 30_000),
    startPeriodMs: ms('StartPeriod', 0),
    startIntervalMs: ms('StartInterval', 5000),
    retries: health.Retries || 3,
  };
}

/** The state after one probe's result. Pure. */
export function afterProbe(
  state: HealthState,
  entry: HealthLogEntry,
  probe: Probe,
  inStartPeriod: boolean,
): HealthState {
  const Log = [...state.Log, entry].slice(-LOG_ENTRIES);
  if (entry.ExitCode === 0) return { Status: 'healthy', FailingStreak: 0, Log };
  // Failures while it is still starting do not count.
  if (inStartPeriod && state.Status === 'starting') return { Status: 'starting', FailingStreak: 0, Log };
  const FailingStreak = state.FailingStreak + 1;
  return { Status: FailingStreak >= probe.retries ? 'unhealthy' : state.Status, FailingStreak, Log };
}

/** Begins (or, after a daemon restart, goes on) probing a running container. */
export function startHealth(context: Context, live: Live): void {
  const probe = probeOf(live.record.config);
  const run = live.run;
  if (probe === undefined || run === undefined) return;
  run.health ??= { Status: 'starting', FailingStreak: 0, Log: [] };
  const controller = new AbortController();
  live.stopHealth = () => controller.abort();
  context.background(probeLoop(context, live, probe, controller.signal));
}

async function probeLoop(context: Context, live: Live, probe: Probe, signal: AbortSignal): Promise<void> {
  const run = live.run!;
  const startedAt = Number((parseRfc3339(run.startedAt) ?? 0n) / 1_000_000n);
  const starting = (): boolean => run.health?.Status === 'starting' && Date.now() - startedAt < probe.startPeriodMs;
  while (!signal.aborted && live.run === run) {
    try {
      await sleep(starting() ? probe.startIntervalMs : probe.intervalMs, undefined, { signal, ref: false });
    } catch {
      return;
    }
    if (live.run !== run || run.paused) continue;
    const inStartPeriod = Date.now() - startedAt < probe.startPeriodMs;
    const entry = await runProbe(context, live, probe, signal);
    if (entry === undefined || live.run !== run) continue;
    context.onProbe({ healthy: entry.ExitCode === 0 });
    const before = run.health!.Status;
    run.health = afterProbe(run.health!, entry, probe, inStartPeriod);
    await context.runs.put(live.record.id, run, { durable: false }).catch(() => {});
    if (run.health.Status === before) continue;
    containerEvent(context, live.record, `health_status: ${run.health.Status}`);
    if (run.health.Status === 'unhealthy' && restartsWhenUnhealthy(live)) {
      context.log.info('an unhealthy container is restarted', { container: live.record.id });
      context.restartUnhealthy(live);
      return;
    }
  }
}

function restartsWhenUnhealthy(live: Live): boolean {
  const policy = live.record.hostConfig.RestartPolicy?.Name;
  return live.record.restartUnhealthy && (policy === 'always' || policy === 'unless-stopped');
}

async function runProbe(
  context: Context,
  live: Live,
  probe: Probe,
  signal: AbortSignal,
): Promise<HealthLogEntry | undefined> {
  const Start = formatNanos(nowNanos());
  try {
    const exec = createExec(context, live, { Cmd: probe.command, AttachStdout: true, AttachStderr: true });
    const session = await startExec(context, exec, { detach: false, consoleSize: undefined });
    const output: Buffer[] = [];
    let size = 0;
    const collected = (async () => {
      for await (const { data } of session!.output) {
        if (size < OUTPUT_BYTES) output.push(Buffer.from(data.subarray(0, OUTPUT_BYTES - size)));
        size += data.length;
      }
      return true;
    })();
    const timer = new AbortController();
    const inTime = await Promise.race([
      collected,
      sleep(probe.timeoutMs, false, { signal: AbortSignal.any([timer.signal, signal]) }).catch(() => false),
    ]);
    timer.abort();
    if (!inTime) {
      session!.detach();
      const pid = exec.pid();
      const start = processStart(pid);
      if (exec.running && start !== undefined) signalProcess(pid, start, constants.signals.SIGKILL);
      if (signal.aborted) return undefined;
      return {
        Start,
        End: formatNanos(nowNanos()),
        ExitCode: -1,
        Output: `Health check exceeded timeout (${probe.timeoutMs}ms)`,
      };
    }
    return {
      Start,
      End: formatNanos(nowNanos()),
      ExitCode: exec.exitCode ?? 1,
      Output: Buffer.concat(output).toString('utf8'),
    };
  } catch (error) {
    if (signal.aborted || live.run === undefined) return undefined;
    return { Start, End: formatNanos(nowNanos()), ExitCode: -1, Output: messageOf(error) };
  }
}
