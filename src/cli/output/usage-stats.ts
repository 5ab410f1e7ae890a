/** One sample of a container's statistics to the figures that `stats` shows. */
import type { ContainerStats } from '../../api/index.ts';
import { bytesSize, humanSize } from '../../std/index.ts';

export interface Figures {
  cpu: number;
  memory: number;
  limit: number;
  memoryShare: number;
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

const percent = (value: number): string => `${value.toFixed(2)}%`;

/** The columns of a container; dashes while nothing is known. */
export function statsRow(id: string, name: string, figures: Figures | undefined): Record<string, string> {
  const none = figures === undefined;
  return {
    Container: name === '' ? id : name,
    Name: name === '' ? '--' : name,
    ID: id,
    CPUPerc: none ? '--' : percent(figures.cpu),
    MemUsage: none ? '-- / --' : `${bytesSize(figures.memory)} / ${bytesSize(figures.limit)}`,
    MemPerc: none ? '--' : percent(figures.memoryShare),
    NetIO: none ? '--' : `${humanSize(figures.received, 3)} / ${humanSize(figures.sent, 3)}`,
    BlockIO: none ? '--' : `${humanSize(figures.read, 3)} / ${humanSize(figures.written, 3)}`,
    PIDs: none ? '--' : String(figures.pids),
  };
}
