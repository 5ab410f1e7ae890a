/** `stats` and `top`: what the kernel counts for a container's group. */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ContainerStats, ContainerTop, CpuStats } from '../api/index.ts';
import { cgroupPids } from '../linux/index.ts';
import { Fault, formatNanos, nowNanos, runProgram, zeroTime } from '../std/index.ts';
import { emptyBlkio, readBlkio, readCpuUsage, readMemory, readPids } from './cgroup-usage.ts';
import type { Context, Live } from './context.ts';
import { requireRun } from './find.ts';
import { processesWithoutGroup } from './without-cgroups.ts';

const emptyCpu: CpuStats = {
  cpu_usage: { total_usage: 0, usage_in_kernelmode: 0, usage_in_usermode: 0 },
  throttling_data: { periods: 0, throttled_periods: 0, throttled_time: 0 },
};
/** One a second, or one (after a second, so that it has a predecessor; at once with `oneShot`). Ends with the container's removal or the abort. */
export async function* containerStats(
  context: Context,
  live: Live,
  options: { stream: boolean; oneShot: boolean },
  signal: AbortSignal,
): AsyncGenerator<ContainerStats> {
  let previous: { read: string; cpu: CpuStats } | undefined;
  if (!options.stream && !options.oneShot && live.run !== undefined) {
    previous = { read: formatNanos(nowNanos()), cpu: readCpu(context, live) };
    await pause(1000, signal);
  }
  while (!signal.aborted && context.live.has(live.record.id)) {
    const stats = await snapshot(context, live, previous);
    previous = { read: stats.read, cpu: stats.cpu_stats };
    yield stats;
    if (!options.stream) return;
    await pause(1000, signal);
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => {});
}

async function snapshot(
  context: Context,
  live: Live,
  previous: { read: string; cpu: CpuStats } | undefined,
): Promise<ContainerStats> {
  const { record, run } = live;
  const { cgroups, facts } = context.settings;
  const base = {
    name: `/${record.name}`,
    id: record.id,
    num_procs: 0,
    storage_stats: {},
    preread: previous?.read ?? zeroTime,
    precpu_stats: previous?.cpu ?? emptyCpu,
  };
  if (run === undefined) {
    return {
      ...base,
      read: zeroTime,
      pids_stats: {},
      blkio_stats: emptyBlkio,
      cpu_stats: emptyCpu,
      precpu_stats: emptyCpu,
      memory_stats: {},
    };
  }
  const cpu = readCpu(context, live);
  const networks =
    run.sandbox === undefined ? undefined : await context.networking.statistics(record.id).catch(() => undefined);
  return {
    ...base,
    read: formatNanos(nowNanos()),
    pids_stats: readPids(cgroups, run.cgroup),
    blkio_stats: readBlkio(cgroups, run.cgroup),
    cpu_stats: cpu,
    memory_stats: readMemory(cgroups, run.cgroup, facts.memory),
    ...(networks === undefined ? {} : { networks }),
  };
}

/** User-space ticks of the whole machine in nanoseconds, as Docker's CPU percentage expects. */
function systemCpuUsage(): { usage: number; cpus: number } {
  const lines = readFileSync('/proc/stat', 'utf8').split('\n');
  const ticks = lines[0]!
    .trim()
    .split(/\s+/)
    .slice(1, 8)
    .reduce((sum, field) => sum + Number(field), 0);
  return { usage: ticks * 10_000_000, cpus: lines.filter((line) => /^cpu\d/.test(line)).length };
}

/** What the group has used, with what the machine has. */
function readCpu(context: Context, live: Live): CpuStats {
  const system = systemCpuUsage();
  return {
    ...readCpuUsage(context.settings.cgroups, live.run?.cgroup ?? ''),
    system_cpu_usage: system.usage,
    online_cpus: system.cpus,
  };
}

/** `ps` on the host, cut to the container's processes. @throws Fault conflict when it does not run; invalid for bad arguments */
export async function containerTop(context: Context, live: Live, psArgs: string): Promise<ContainerTop> {
  const run = requireRun(live);
  if (live.restart !== undefined)
    throw new Fault('conflict', `Container ${live.record.id} is restarting, wait until the container is running`);
  if (/-m\b|[<>|&;$`]/.test(psArgs)) throw new Fault('invalid', `ps arguments are not allowed: ${psArgs}`);
  const { cgroups } = context.settings;
  const pids = new Set(
    cgroups.usable ? cgroupPids(cgroups, run.cgroup) : processesWithoutGroup(context, live.record, run),
  );
  const result = await runProgram('ps', psArgs.trim() === '' ? ['-ef'] : psArgs.trim().split(/\s+/));
  if (result.code !== 0)
    throw new Fault('internal', `ps: ${result.stderr.trim().split('\n')[0] || `exit status ${result.code}`}`);
  const lines = result.stdout.split('\n').filter((line) => line.trim() !== '');
  const Titles = lines[0]!.trim().split(/\s+/);
  const column = Titles.indexOf('PID');
  if (column < 0) throw new Fault('internal', `Couldn't find PID field in ps output`);
  const Processes = lines.slice(1).flatMap((line) => {
    const fields = line.trim().split(/\s+/);
    if (!pids.has(Number(fields[column]))) return [];
    return [[...fields.slice(0, Titles.length - 1), fields.slice(Titles.length - 1).join(' ')]];
  });
  return { Titles, Processes };
}
