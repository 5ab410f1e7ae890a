/** What running containers use, for those who look often: three small files of the kernel's each, and no disk. */
import { join } from 'node:path';
import { type CgroupLayout, controllerFolder, readKeyed, readNumber } from '../linux/index.ts';
import type { Context } from './context.ts';

export interface ContainerUsage {
  name: string;
  /** As it was named at create. */
  image: string;
  labels: Readonly<Record<string, string>>;
  /** undefined where the kernel does not count. */
  cpuSeconds: number | undefined;
  memoryBytes: number | undefined;
  pids: number | undefined;
}

export function runningUsage(context: Context): ContainerUsage[] {
  const { cgroups } = context.settings;
  return [...context.live.values()].flatMap(({ record, run }) =>
    run === undefined
      ? []
      : [
          {
            name: record.name,
            image: record.config.Image ?? '',
            labels: record.config.Labels ?? {},
            cpuSeconds: cpuSeconds(cgroups, run.cgroup),
            memoryBytes: number(cgroups, 'memory', run.cgroup, 'memory.current', 'memory.usage_in_bytes'),
            pids: number(cgroups, 'pids', run.cgroup, 'pids.current', 'pids.current'),
          },
        ],
  );
}

function cpuSeconds(cgroups: CgroupLayout, path: string): number | undefined {
  if (cgroups.version === 1) {
    const nanoseconds = number(cgroups, 'cpuacct', path, '', 'cpuacct.usage');
    return nanoseconds === undefined ? undefined : nanoseconds / 1e9;
  }
  const folder = controllerFolder(cgroups, 'cpu', path);
  const microseconds = folder === undefined ? undefined : readKeyed(join(folder, 'cpu.stat'))['usage_usec'];
  return microseconds === undefined ? undefined : microseconds / 1e6;
}

function number(cgroups: CgroupLayout, controller: string, path: string, v2: string, v1: string): number | undefined {
  const folder = controllerFolder(cgroups, controller, path);
  return folder === undefined ? undefined : readNumber(join(folder, cgroups.version === 2 ? v2 : v1));
}
