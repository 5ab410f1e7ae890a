/** What the kernel counts for one control group, in the words of the API. */
import { join } from 'node:path';
import type { BlkioEntry, ContainerStats, CpuStats } from '../api/index.ts';
import { type CgroupLayout, controllerFolder, readIfThere, readKeyed, readNumber } from '../linux/index.ts';

export const emptyBlkio: ContainerStats['blkio_stats'] = {
  io_service_bytes_recursive: null,
  io_serviced_recursive: null,
  io_queue_recursive: null,
  io_service_time_recursive: null,
  io_wait_time_recursive: null,
  io_merged_recursive: null,
  io_time_recursive: null,
  sectors_recursive: null,
};

const nothingUsed: Pick<CpuStats, 'cpu_usage' | 'throttling_data'> = {
  cpu_usage: { total_usage: 0, usage_in_kernelmode: 0, usage_in_usermode: 0 },
  throttling_data: { periods: 0, throttled_periods: 0, throttled_time: 0 },
};

export function readCpuUsage(cgroups: CgroupLayout, path: string): Pick<CpuStats, 'cpu_usage' | 'throttling_data'> {
  if (!cgroups.usable) return nothingUsed;
  if (cgroups.version === 2) {
    const stat = readKeyed(join(controllerFolder(cgroups, 'cpu', path)!, 'cpu.stat'));
    return {
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

/** @param machine bytes of memory there are: what a limit cannot exceed */
export function readMemory(cgroups: CgroupLayout, path: string, machine: number): ContainerStats['memory_stats'] {
  const folder = controllerFolder(cgroups, 'memory', path);
  if (folder === undefined) return {};
  const stats = readKeyed(join(folder, 'memory.stat'));
  if (cgroups.version === 2) {
    return {
      usage: readNumber(join(folder, 'memory.current')) ?? 0,
      limit: Math.min(readNumber(join(folder, 'memory.max')) ?? machine, machine),
      stats,
    };
  }
  return {
    usage: readNumber(join(folder, 'memory.usage_in_bytes')) ?? 0,
    max_usage: readNumber(join(folder, 'memory.max_usage_in_bytes')) ?? 0,
    failcnt: readNumber(join(folder, 'memory.failcnt')) ?? 0,
    limit: Math.min(readNumber(join(folder, 'memory.limit_in_bytes')) ?? machine, machine),
    stats,
  };
}

export function readPids(cgroups: CgroupLayout, path: string): ContainerStats['pids_stats'] {
  const folder = controllerFolder(cgroups, 'pids', path);
  if (folder === undefined) return {};
  const current = readNumber(join(folder, 'pids.current'));
  const limit = readNumber(join(folder, 'pids.max'));
  return { ...(current === undefined ? {} : { current }), ...(limit === undefined ? {} : { limit }) };
}

export function readBlkio(cgroups: CgroupLayout, path: string): ContainerStats['blkio_stats'] {
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
