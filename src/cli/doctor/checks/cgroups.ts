/** Control groups: which kind, what they limit, and whether a service or user may use them. */
import { type Check, fail, type Finding, ok, type Patient, skip, together, warn } from '../check.ts';

export const cgroupChecks: readonly Check[] = [
  { id: 'cgroups', title: 'Control groups', run: cgroups },
  { id: 'swap', title: 'Swap accounting', run: swap },
];

const unified = '/sys/fs/cgroup/cgroup.controllers';
const bootLine = 'cgroup_enable=memory swapaccount=1';
const atBoot = `Add to the kernel's command line and boot again: ${bootLine}`;

/** What a container's limits need, by what is lost without. */
const wanted: Readonly<Record<string, readonly string[]>> = {
  memory: ['memory'],
  cpu: ['cpu'],
  cpuset: ['cpuset'],
  pids: ['pids'],
  io: ['io', 'blkio'],
};

interface Layout {
  readonly kind: 'v2' | 'v1' | 'hybrid';
  readonly controllers: readonly string[];
}

function layoutOf({ host }: Pick<Patient, 'host'>): Layout | undefined {
  const text = host.read(unified);
  if (text !== undefined) return { kind: 'v2', controllers: text.trim().split(/\s+/) };
  const mounts = (host.read('/proc/self/mounts') ?? '').split('\n').map((line) => line.split(' '));
  const legacy = mounts.filter(([, , type]) => type === 'cgroup');
  if (legacy.length === 0) return undefined;
  const hybrid = mounts.some(([, target, type]) => type === 'cgroup2' && target === '/sys/fs/cgroup/unified');
  const controllers = legacy.flatMap(([, , , options = '']) => options.split(','));
  return { kind: hybrid ? 'hybrid' : 'v1', controllers };
}

function cgroups(patient: Patient): Finding {
  const layout = layoutOf(patient);
  if (layout === undefined)
    return fail('no control groups are mounted at /sys/fs/cgroup', 'sudo mount -t cgroup2 none /sys/fs/cgroup');
  const { kind, controllers } = layout;
  const missing = Object.entries(wanted).filter(([, names]) => !names.some((name) => controllers.includes(name)));
  const names = missing.map(([name]) => name);
  const findings: Finding[] = [ok({ v2: 'v2', v1: 'v1', hybrid: 'v1 with v2 beside (hybrid)' }[kind])];
  if (names.includes('memory')) findings.push(warn('memory cannot be limited or counted', atBoot));
  const others = names.filter((name) => name !== 'memory');
  if (others.length > 0)
    findings.push(warn(`no limits of ${others.join(', ')}`, 'Install a kernel that has these controllers built in.'));
  if (missing.length === 0) findings.push(ok(`controllers ${Object.keys(wanted).join(', ')}`));
  return together([...findings, ...delegation(patient, layout)]);
}

/** On v2 an ordinary user's engine may only limit what systemd hands down to it. */
function delegation({ host }: Patient, { kind }: Layout): Finding[] {
  if (kind !== 'v2' || host.uid === 0) return [];
  const file = `/sys/fs/cgroup/user.slice/user-${host.uid}.slice/user@${host.uid}.service/cgroup.controllers`;
  const text = host.read(file);
  if (text === undefined) return [];
  const held = text.trim().split(/\s+/);
  const lacking = ['memory', 'cpu', 'pids'].filter((name) => !held.includes(name));
  if (lacking.length === 0) return [ok(`${held.join(', ')} delegated to ${host.user}`)];
  return [
    warn(
      `${lacking.join(', ')} not delegated to ${host.user}: an engine without root cannot limit them`,
      'printf "[Service]\\nDelegate=cpu cpuset io memory pids\\n" | sudo systemctl edit --stdin user@.service',
    ),
  ];
}

function swap(patient: Patient): Finding {
  const { host } = patient;
  const layout = layoutOf(patient);
  if (layout === undefined || !layout.controllers.includes('memory')) return skip('there is no memory controller');
  if (layout.kind === 'v2' || host.stat('/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes') !== undefined)
    return ok('swap can be limited');
  const hasSwap = (host.read('/proc/swaps') ?? '').trim().split('\n').length > 1;
  if (!hasSwap) return ok('not accounted, but there is no swap');
  return warn('swap is not accounted: --memory-swap has no effect', atBoot);
}
