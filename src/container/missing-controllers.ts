/** Limits that this kernel cannot apply are left out with Docker's warning, so that a compose file runs where a controller is missing. */
import type { Resources } from '../api/index.ts';
import { Fault } from '../std/index.ts';

interface Rule {
  /** A controller of cgroup v1; v2 calls blkio "io", and has cpu's accounting in "cpu". */
  controller: 'memory' | 'cpu' | 'cpuset' | 'pids' | 'blkio';
  fields: readonly (keyof Resources)[];
  warning: string;
}

const missing = (what: string, consequence: string): string =>
  `Your kernel does not support ${what} or the cgroup is not mounted. ${consequence}`;

const rules: readonly Rule[] = [
  {
    controller: 'memory',
    fields: ['Memory', 'MemorySwap'],
    warning: missing('memory limit capabilities', 'Limitation discarded.'),
  },
  {
    controller: 'memory',
    fields: ['MemoryReservation'],
    warning: missing('memory soft limit capabilities', 'Limitation discarded.'),
  },
  { controller: 'pids', fields: ['PidsLimit'], warning: missing('PIDs limit capabilities', 'PIDs limit discarded.') },
  { controller: 'cpu', fields: ['CpuShares'], warning: missing('CPU shares', 'Shares discarded.') },
  {
    controller: 'cpu',
    fields: ['CpuPeriod', 'CpuQuota'],
    warning: missing('CPU CFS scheduler', 'CPU period/quota discarded.'),
  },
  { controller: 'cpuset', fields: ['CpusetCpus', 'CpusetMems'], warning: missing('cpuset', 'CPUset discarded.') },
  {
    controller: 'blkio',
    fields: ['BlkioDeviceReadBps'],
    warning: missing('BPS Block I/O read limit', 'Block I/O BPS read limit discarded.'),
  },
  {
    controller: 'blkio',
    fields: ['BlkioDeviceWriteBps'],
    warning: missing('BPS Block I/O write limit', 'Block I/O BPS write limit discarded.'),
  },
  {
    controller: 'blkio',
    fields: ['BlkioDeviceReadIOps'],
    warning: missing('IOPS Block read limit', 'Block I/O IOPS read limit discarded.'),
  },
  {
    controller: 'blkio',
    fields: ['BlkioDeviceWriteIOps'],
    warning: missing('IOPS Block write limit', 'Block I/O IOPS write limit discarded.'),
  },
];

/** Takes what cannot be applied out of `resources`. Returns the warnings. @throws Fault invalid for --cpus, which Docker refuses */
export function discardUnsupported(resources: Resources, controllers: ReadonlySet<string>): string[] {
  const has = (controller: Rule['controller']): boolean =>
    controllers.has(controller) || (controller === 'blkio' && controllers.has('io'));
  if (!has('cpu') && (resources.NanoCpus ?? 0) > 0) {
    throw new Fault(
      'invalid',
      'NanoCPUs can not be set, as your kernel does not support CPU CFS scheduler or the cgroup is not mounted',
    );
  }
  const warnings: string[] = [];
  for (const { controller, fields, warning } of rules) {
    if (has(controller)) continue;
    const set = fields.filter((field) => isSet(resources[field]));
    for (const field of set) delete resources[field];
    if (set.length > 0) warnings.push(warning);
  }
  return warnings;
}

function isSet(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0;
  return value !== undefined && value !== null && value !== 0 && value !== '';
}
