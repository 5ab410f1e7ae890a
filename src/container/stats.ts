/** `stats` and `top`: what the kernel counts for a container's group. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { BlkioEntry, ContainerStats, ContainerTop, CpuStats } from '../api/index.ts';
import { cgroupPids, controllerFolder, readIfThere, readKeyed, readNumber } from '../linux/index.ts';
import { Fault, formatNanos, nowNanos, runProgram, zeroTime } from '../std/index.ts';
import type { Context, Live } from './context.ts';
import { requireRun } from './find.ts';

const emptyCpu: CpuStats = {
  cpu_usage: { total_usage: 0, usage_in_kernelmode: 0, usage_in_usermode: 0 },
  throttling_data: { periods: 0, throttled_periods: 0, throttled_time: 0 },
};
const emptyBlkio: ContainerStats['blkio_stats'] = {
  io_service_bytes_recursive: null,
  io_serviced_recursive: null,
  io_queue_recursive: null,
  io_service_time_recursive: null,
  io_wait_time_recursive: null,
  io_merged_recursive: null,
  io_time_recursive: null,
  sectors_recursive: null,
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
    pids_stats: readPids(context, run.cgroup),
    blkio_stats: readBlkio(context, run.cgroup),
    cpu_stats: cpu,
    memory_stats: readMemory(context, run.cgroup),
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

function readCpu(context: Context, live: Live): CpuStats {
  const { cgroups } = context.settings;
  const path = live.run?.cgroup ?? '';
  const system = systemCpuUsage();
  const common = { system_cpu_usage: system.usage, online_cpus: system.cpus };
  if (cgroups.version === 2) {
    const stat = readKeyed(join(controllerFolder(cgroups, 'cpu', path)!, 'cpu.stat'));
    return {
      ...common,
      cpu_usage: {
        total_usage: (stat['usage_usec'] ?? 0) * 1000,
        usage_in_kernelmode: (stat['system_usec'] ?? 0) * 1000,
        usage_in_usermode: (stat['user_usec'] ?? 0) * 1000,
      },
      throttling_data: {
        periods: stat['nr_periods'] ?? 0,
        throttled_periods: stat['nr_throttled'] ?? 0,
        throttled_time: (stat['throttled_usec'] ?? 0) * 1000,
      },
    };
  }
  const account = controllerFolder(cgroups, 'cpuacct', path) ?? '';
  const split = readKeyed(join(account, 'cpuacct.stat'));
  const throttled = readKeyed(join(controllerFolder(cgroups, 'cpu', path) ?? '', 'cpu.stat'));
  const percpu = readIfThere(join(account, 'cpuacct.usage_percpu')).trim().split(/\s+/).filter(Boolean).map(Number);
  return {
    ...common,
    cpu_usage: {
      total_usage: readNumber(join(account, 'cpuacct.usage')) ?? 0,
      usage_in_kernelmode: (split['system'] ?? 0) * 10_000_000,
      usage_in_usermode: (split['user'] ?? 0) * 10_000_000,
      ...(percpu.length > 0 ? { percpu_usage: percpu } : {}),
    },
    throttling_data: {
      periods: throttled['nr_periods'] ?? 0,
      throttled_periods: throttled['nr_throttled'] ?? 0,
      throttled_time: throttled['throttled_time'] ?? 0,
    },
  };
}

function readMemory(context: Context, path: string): ContainerStats['memory_stats'] {
  const { cgroups, facts } = context.settings;
  const folder = controllerFolder(cgroups, 'memory', path);
  if (folder === undefined) return {};
  const stats = readKeyed(join(folder, 'memory.stat'));
  if (cgroups.version === 2) {
    return {
      usage: readNumber(join(folder, 'memory.current')) ?? 0,
      limit: Math.min(readNumber(join(folder, 'memory.max')) ?? facts.memory, facts.memory),
      stats,
    };
  }
  return {
    usage: readNumber(join(folder, 'memory.usage_in_bytes')) ?? 0,
    max_usage: readNumber(join(folder, 'memory.max_usage_in_bytes')) ?? 0,
    failcnt: readNumber(join(folder, 'memory.failcnt')) ?? 0,
    limit: Math.min(readNumber(join(folder, 'memory.limit_in_bytes')) ?? facts.memory, facts.memory),
    stats,
  };
}

function readPids(context: Context, path: string): ContainerStats['pids_stats'] {
  const folder = controllerFolder(context.settings.cgroups, 'pids', path);
  if (folder === undefined) return {};
  const current = readNumber(join(folder, 'pids.current'));
  const limit = readNumber(join(folder, 'pids.max'));
  return { ...(current === undefined ? {} : { current }), ...(limit === undefined ? {} : { limit }) };
}

function readBlkio(context: Context, path: string): ContainerStats['blkio_stats'] {
  const { cgroups } = context.settings;
  const folder = controllerFolder(cgroups, cgroups.version === 2 ? 'io' : 'blkio', path);
  if (folder === undefined) return emptyBlkio;
  const entries: BlkioEntry[] = [];
  if (cgroups.version === 2) {
    for (const line of readIfThere(join(folder, 'io.stat')).split('\n')) {
      const [device = '', ...pairs] = line.trim().split(' ');
      const [major, minor] = device.split(':').map(Number);
      if (major === undefined || minor === undefined || Number.isNaN(minor)) continue;
      const values = Object.fromEntries(pairs.map((pair) => pair.split('=')));
      entries.push(
        { major, minor, op: 'read', value: Number(values['rbytes'] ?? 0) },
        { major, minor, op: 'write', value: Number(values['wbytes'] ?? 0) },
      );
    }
    return { ...emptyBlkio, io_service_bytes_recursive: entries };
  }
  const read = (file: string): BlkioEntry[] =>
    readIfThere(join(folder, file))
      .split('\n')
      .flatMap((line) => {
        const match = /^(\d+):(\d+) (\w+) (\d+)$/.exec(line);
        return match === null
          ? []
          : [
              {
                major: Number(match[1]),
                minor: Number(match[2]),
                op: match[3]!.toLowerCase(),
                value: Number(match[4]),
              },
            ];
      });
  return {
    ...emptyBlkio,
    io_service_bytes_recursive: read('blkio.throttle.io_service_bytes_recursive'),
    io_serviced_recursive: read('blkio.throttle.io_serviced_recursive'),
  };
}

/** `ps` on the host, cut to the container's processes. @throws Fault conflict when it does not run; invalid for bad arguments */
export async function containerTop(context: Context, live: Live, psArgs: string): Promise<ContainerTop> {
  const run = requireRun(live);
  if (live.restart !== undefined)
    throw new Fault('conflict', `Container ${live.record.id} is restarting, wait until the container is running`);
  if (/-m\b|[<>|&;$`]/.test(psArgs)) throw new Fault('invalid', `ps arguments are not allowed: ${psArgs}`);
  const pids = new Set(cgroupPids(context.settings.cgroups, run.cgroup));
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
