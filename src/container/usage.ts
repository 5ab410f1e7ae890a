/** What every container uses at this moment, in one pass that leaves others their turn: for metrics. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { NetworkStats } from '../api/index.ts';
import { parseRfc3339 } from '../std/index.ts';
import { readBlkio, readCpuUsage, readMemory, readPids } from './cgroup-usage.ts';
import type { Context, Live } from './context.ts';

export interface ContainerUsage {
  readonly id: string;
  readonly name: string;
  /** As it was asked for: a name, or an id. */
  readonly image: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly restarts: number;
  /** What it uses; undefined while it does not run. */
  readonly running: RunningUsage | undefined;
}

export interface RunningUsage {
  readonly startedAtSeconds: number;
  readonly health: string | undefined;
  readonly cpu: { readonly userNanos: number; readonly systemNanos: number; readonly throttledNanos: number };
  readonly memory: {
    readonly usage: number | undefined;
    /** Without the file cache that the kernel would give up first. */
    readonly workingSet: number | undefined;
    /** Undefined when there is none. */
    readonly limit: number | undefined;
  };
  readonly pids: { readonly current: number | undefined; readonly limit: number | undefined };
  readonly blocks: { readonly readBytes: number; readonly writtenBytes: number };
  /** By the interface's name inside the container. */
  readonly networks: Readonly<Record<string, NetworkStats>>;
}

/** So many containers are read at a stretch: about a millisecond. */
const stretch = 4;

export async function containersUsage(context: Context): Promise<ContainerUsage[]> {
  const found: ContainerUsage[] = [];
  for (const live of context.live.values()) {
    if (live.run !== undefined && found.length % stretch === stretch - 1) await nextTurn();
    found.push(await usageOf(context, live));
  }
  return found;
}

async function usageOf(context: Context, live: Live): Promise<ContainerUsage> {
  const { record } = live;
  return {
    id: record.id,
    name: record.name,
    image: record.config.Image ?? '',
    labels: record.config.Labels ?? {},
    restarts: record.restartCount,
    running: await runningUsage(context, live),
  };
}

async function runningUsage(context: Context, live: Live): Promise<RunningUsage | undefined> {
  const { run } = live;
  if (run === undefined) return undefined;
  const { cgroups, facts } = context.settings;
  const { cpu_usage: used, throttling_data: throttling } = readCpuUsage(cgroups, run.cgroup);
  const { usage, limit, stats = {} } = readMemory(cgroups, run.cgroup, facts.memory);
  const inactive = stats[cgroups.version === 2 ? 'inactive_file' : 'total_inactive_file'] ?? 0;
  const pids = readPids(cgroups, run.cgroup);
  const networks =
    run.sandbox === undefined ? {} : await context.networking.statistics(live.record.id).catch(() => ({}));
  // It may have ended while its files were read: half an answer is none.
  if (live.run !== run) return undefined;
  return {
    startedAtSeconds: Number(parseRfc3339(run.startedAt) ?? 0n) / 1e9,
    health: run.health?.Status,
    cpu: {
      userNanos: used.usage_in_usermode,
      systemNanos: used.usage_in_kernelmode,
      throttledNanos: throttling.throttled_time,
    },
    memory: {
      usage,
      workingSet: usage === undefined ? undefined : Math.max(0, usage - inactive),
      limit: limit === facts.memory ? undefined : limit,
    },
    pids: { current: pids.current, limit: pids.limit },
    blocks: blocksOf(readBlkio(cgroups, run.cgroup).io_service_bytes_recursive ?? []),
    networks,
  };
}

function blocksOf(entries: readonly { op: string; value: number }[]): RunningUsage['blocks'] {
  const sum = (wanted: string): number =>
    entries.filter(({ op }) => op === wanted).reduce((total, { value }) => total + value, 0);
  return { readBytes: sum('read'), writtenBytes: sum('write') };
}
