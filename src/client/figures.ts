/** One sample of a container's statistics to the figures that people read. */
import type { ContainerStats } from '../api/index.ts';

export interface Figures {
  /** Percent of one processor: 200 is two of them. */
  cpu: number;
  /** Bytes, without what the kernel would give back at once. */
  memory: number;
  /** Bytes; 0 where there is none. */
  limit: number;
  /** Percent of the limit. */
  memoryShare: number;
  /** Bytes since the start, of all networks; then of block devices. */
  received: number;
  sent: number;
  read: number;
  written: number;
  pids: number;
}

export function figuresOf(stats: ContainerStats): Figures {
  const used = memoryUsed(stats);
  const limit = stats.memory_stats.limit ?? 0;
  const networks = Object.values(stats.networks ?? {});
  const io = stats.blkio_stats?.io_service_bytes_recursive ?? [];
  const sumOf = (letter: string): number =>
    io.filter((entry) => entry.op[0]?.toLowerCase() === letter).reduce((total, entry) => total + entry.value, 0);
  return {
    cpu: cpuShare(stats),
    memory: used,
    limit,
    memoryShare: limit === 0 ? 0 : (used / limit) * 100,
    received: networks.reduce((total, each) => total + each.rx_bytes, 0),
    sent: networks.reduce((total, each) => total + each.tx_bytes, 0),
    read: sumOf('r'),
    written: sumOf('w'),
    pids: stats.pids_stats?.current ?? 0,
  };
}

function cpuShare({ cpu_stats: now, precpu_stats: before }: ContainerStats): number {
  const used = now.cpu_usage.total_usage - (before?.cpu_usage?.total_usage ?? 0);
  const system = (now.system_cpu_usage ?? 0) - (before?.system_cpu_usage ?? 0);
  const processors = now.online_cpus || (now.cpu_usage.percpu_usage?.length ?? 0);
  return system > 0 && used > 0 ? (used / system) * processors * 100 : 0;
}

/** Without what the kernel would give back at once. */
function memoryUsed({ memory_stats: memory }: ContainerStats): number {
  const usage = memory.usage ?? 0;
  const cache = memory.stats?.['total_inactive_file'] ?? memory.stats?.['inactive_file'] ?? 0;
  return cache < usage ? usage - cache : usage;
}
