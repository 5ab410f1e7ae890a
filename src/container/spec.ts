/**
 * The only translation in the house: a container's record, with everything about its surroundings already found out, to an OCI
 * runtime configuration (runtime-spec 1.0). Pure.
 */
import type { ContainerConfig, HostConfig, Resources } from '../api/index.ts';
import { type ContainerEdits, type Hook, hookNames } from '../cdi/index.ts';
import type { IdMapping, IdRange } from '../linux/index.ts';
import { Fault } from '../std/index.ts';
import { environmentKey } from './merge.ts';
import type { Seccomp } from './seccomp-profile.ts';
import type { ProcessUser } from './user.ts';
import { rlimitNames } from './validate.ts';

export interface SpecMount {
  destination: string;
  type: string;
  source: string;
  options: string[];
}

export interface SpecDevice {
  path: string;
  /** On the host. */
  source: string;
  type: 'c' | 'b' | 'p';
  major: number;
  minor: number;
  fileMode: number;
  uid: number;
  gid: number;
  /** "rwm" */
  access: string;
}

export interface Refused {
  /** To mount proc and mqueue of namespaces that are the machine's: they are bound instead. */
  hostMounts: boolean;
  /** Device nodes: the host's own are bound instead. */
  devices: boolean;
  /** The host has message queues to be bound. */
  hostQueues: boolean;
  /** The group of terminals (5) is nobody here. */
  terminalGroup: boolean;
  /** The lowest oom_score_adj that may be given; undefined: any. */
  lowestOomScore: number | undefined;
}

export interface SpecInput {
  id: string;
  path: string;
  args: string[];
  config: ContainerConfig;
  host: HostConfig;
  rootfs: string;
  user: ProcessUser;
  capabilities: string[];
  seccomp: Seccomp | undefined;
  noNewPrivileges: boolean;
  apparmorProfile: string | undefined;
  selinuxLabel: string | undefined;
  /** Volumes, binds, tmpfs, /etc/hosts and the like; ordered by depth. */
  mounts: SpecMount[];
  devices: SpecDevice[];
  /** Paths of namespaces to join; undefined keeps the host's; "" makes a new one. */
  namespaces: {
    network: string | undefined;
    pid: string | undefined;
    ipc: string | undefined;
    uts: string | undefined;
    cgroup: string | undefined;
    user: string | undefined;
  };
  /** Of the user namespace, where there is one. */
  idMapping: IdMapping | undefined;
  hostname: string;
  /** Undefined where there are no cgroups for us (rootless without delegation): nothing is limited then. */
  cgroupsPath: string | undefined;
  cgroupVersion: 1 | 2;
  /** What root of a user namespace (rootless) is refused. */
  refused: Refused;
  /** Path of the init program inside the container, when --init. */
  init: string | undefined;
  /** Hard limits of this daemon that it may not raise: resource name to value. Empty when it may. */
  rlimitCeilings: ReadonlyMap<string, number>;
  /** Bytes for /dev/shm; undefined when /dev/shm comes from elsewhere. */
  shmSize: number | undefined;
  annotations: Record<string, string>;
  sysctls: Record<string, string>;
  deviceNumbers: DeviceLookup;
  /** What vendors' devices ask for beyond files and environment. */
  edits: Pick<ContainerEdits, 'hooks' | 'intelRdt'>;
}

export const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** The process's environment in Docker's order: PATH, HOSTNAME, TERM, then the configuration's; HOME last when unset. */
export function processEnvironment(config: ContainerConfig, hostname: string, home: string, tty: boolean): string[] {
  const configured = config.Env ?? [];
  const has = new Set(configured.map(environmentKey));
  const environment: string[] = [];
  if (!has.has('PATH')) environment.push(`PATH=${defaultPath}`);
  if (!has.has('HOSTNAME')) environment.push(`HOSTNAME=${hostname}`);
  if (tty && !has.has('TERM')) environment.push('TERM=xterm');
  const last = new Map(configured.map((entry) => [environmentKey(entry), entry]));
  environment.push(...last.values());
  if (!has.has('HOME')) environment.push(`HOME=${home}`);
  return environment;
}

export function runtimeSpec(input: SpecInput): object {
  const { config, host } = input;
  const privileged = host.Privileged ?? false;
  const tty = config.Tty ?? false;
  const args = [input.path, ...input.args];
  return {
    ociVersion: '1.0.2',
    process: {
      terminal: tty,
      ...(tty && host.ConsoleSize && host.ConsoleSize[0] > 0
        ? { consoleSize: { height: host.ConsoleSize[0], width: host.ConsoleSize[1] } }
        : {}),
      user: { uid: input.user.uid, gid: input.user.gid, umask: 0o022, additionalGids: input.user.additionalGids },
      args: input.init === undefined ? args : [input.init, '--', ...args],
      env: processEnvironment(config, input.hostname, input.user.home, tty),
      cwd: config.WorkingDir || '/',
      capabilities: processCapabilities(input.capabilities, input.user.uid),
      noNewPrivileges: input.noNewPrivileges,
      oomScoreAdj: Math.max(host.OomScoreAdj ?? 0, input.refused.lowestOomScore ?? -1000),
      rlimits: rlimits(host, input.rlimitCeilings),
      ...(input.apparmorProfile === undefined ? {} : { apparmorProfile: input.apparmorProfile }),
      ...(input.selinuxLabel === undefined ? {} : { selinuxLabel: input.selinuxLabel }),
    },
    root: { path: input.rootfs, readonly: host.ReadonlyRootfs ?? false },
    hostname: input.namespaces.uts === '' ? input.hostname : undefined,
    ...(config.Domainname && input.namespaces.uts === '' ? { domainname: config.Domainname } : {}),
    mounts: [...baseMounts(input), ...deviceMounts(input), ...input.mounts],
    annotations: input.annotations,
    ...(input.edits.hooks.length === 0 ? {} : { hooks: runtimeHooks(input.edits.hooks) }),
    linux: {
      ...(input.edits.intelRdt === undefined ? {} : { intelRdt: input.edits.intelRdt }),
      sysctl: input.sysctls,
      ...(input.cgroupsPath === undefined
        ? {}
        : {
            resources: {
              ...resourceLimits(host, input.cgroupVersion, input.deviceNumbers),
              devices: deviceRules(host, input.devices, privileged),
            },
            cgroupsPath: input.cgroupsPath,
          }),
      namespaces: namespaces(input.namespaces),
      // runc wants to know it of a namespace that it joins, too.
      ...(input.idMapping === undefined
        ? {}
        : { uidMappings: specRanges(input.idMapping.uids), gidMappings: specRanges(input.idMapping.gids) }),
      devices: input.refused.devices
        ? []
        : input.devices.map(({ access: _access, source: _source, ...device }) => device),
      ...(input.seccomp === undefined ? {} : { seccomp: input.seccomp }),
      rootfsPropagation: rootfsPropagation(input.mounts),
      maskedPaths: host.MaskedPaths ?? [],
      readonlyPaths: host.ReadonlyPaths ?? [],
    },
  };
}

function runtimeHooks(hooks: readonly Hook[]): object {
  const named = hookNames.map((name) => {
    const own = hooks.filter((hook) => hook.name === name);
    return [name, own.map(({ path, args, env, timeout }) => ({ path, args, env, timeout }))] as const;
  });
  return Object.fromEntries(named.filter(([, list]) => list.length > 0));
}

/** Docker gives root everything granted, others only the bounding set (they gain by execve of a capable file). */
export function processCapabilities(capabilities: readonly string[], uid: number): object {
  const effective = uid === 0 ? capabilities : [];
  return { bounding: capabilities, effective, permitted: effective, inheritable: [], ambient: [] };
}

function baseMounts(input: SpecInput): SpecMount[] {
  const privileged = input.host.Privileged ?? false;
  const taken = new Set(input.mounts.map((mount) => mount.destination));
  const cgroup = privileged ? ['nosuid', 'noexec', 'nodev', 'rw'] : ['nosuid', 'noexec', 'nodev', 'ro'];
  const mounts: SpecMount[] = [
    { destination: '/proc', type: 'proc', source: 'proc', options: ['nosuid', 'noexec', 'nodev'] },
    {
      destination: '/dev',
      type: 'tmpfs',
      source: 'tmpfs',
      options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'],
    },
    {
      destination: '/dev/pts',
      type: 'devpts',
      source: 'devpts',
      options: [
        'nosuid',
        'noexec',
        'newinstance',
        'ptmxmode=0666',
        'mode=0620',
        ...(input.refused.terminalGroup ? [] : ['gid=5']),
      ],
    },
    {
      destination: '/sys',
      type: 'sysfs',
      source: 'sysfs',
      options: ['nosuid', 'noexec', 'nodev', privileged ? 'rw' : 'ro'],
    },
    { destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup', options: cgroup },
    // Of the namespace it is made in: with --ipc host the host's queues, mounted there or not.
    { destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue', options: ['nosuid', 'noexec', 'nodev'] },
  ];
  // A new sysfs needs a network namespace of our own; with the host's or another's it must be bound.
  if (input.namespaces.network === undefined) {
    mounts[3] = {
      destination: '/sys',
      type: 'bind',
      source: '/sys',
      options: ['rbind', 'nosuid', 'noexec', 'nodev', privileged ? 'rw' : 'ro'],
    };
  }
  if (input.cgroupsPath === undefined) taken.add('/sys/fs/cgroup');
  if (input.refused.hostMounts) {
    const bind = (index: number, destination: string): void => {
      const options = ['rbind', 'nosuid', 'noexec', 'nodev'];
      mounts[index] = { destination, type: 'bind', source: destination, options };
    };
    if (input.namespaces.pid === undefined) bind(0, '/proc');
    if (input.namespaces.ipc === undefined) bind(5, '/dev/mqueue');
    if (input.namespaces.ipc === undefined && !input.refused.hostQueues) taken.add('/dev/mqueue');
  }
  if (input.shmSize !== undefined) {
    mounts.push({
      destination: '/dev/shm',
      type: 'tmpfs',
      source: 'shm',
      options: ['nosuid', 'noexec', 'nodev', 'mode=1777', `size=${input.shmSize}`],
    });
  }
  return mounts.filter((mount) => !taken.has(mount.destination));
}

/** What the runtimes give every container by themselves. */
const standardDevices = ['null', 'zero', 'full', 'random', 'urandom', 'tty'].map((name) => `/dev/${name}`);

/** The runtimes bind devices by themselves, but only under the same name. */
function deviceMounts(input: SpecInput): SpecMount[] {
  if (!input.refused.devices) return [];
  const options = ['bind', 'nosuid', 'noexec'];
  const asked = input.devices.filter(({ path }) => !standardDevices.includes(path));
  return asked.map(({ path, source }) => ({ destination: path, type: 'bind', source, options }));
}

function namespaces(wanted: SpecInput['namespaces']): object[] {
  const list: object[] = [{ type: 'mount' }];
  for (const type of ['user', 'network', 'pid', 'ipc', 'uts', 'cgroup'] as const) {
    const path = wanted[type];
    if (path === '') list.push({ type });
    else if (path !== undefined) list.push({ type, path });
  }
  return list;
}

function specRanges(ranges: readonly IdRange[]): object[] {
  return ranges.map(({ container, host, size }) => ({ containerID: container, hostID: host, size }));
}

function rlimits(host: HostConfig, ceilings: ReadonlyMap<string, number>): object[] {
  return (host.Ulimits ?? []).map(({ Name, Hard, Soft }) => {
    const ceiling = ceilings.get(Name) ?? Number.POSITIVE_INFINITY;
    const clamp = (value: number): number | bigint => {
      if (value === -1) return Number.isFinite(ceiling) ? ceiling : 18446744073709551615n;
      return Math.min(value, ceiling);
    };
    return { type: rlimitNames.get(Name), hard: clamp(Hard), soft: clamp(Soft) };
  });
}

/** The weakest propagation that still lets the asked-for shared and slave binds work. */
function rootfsPropagation(mounts: readonly SpecMount[]): string {
  const words = new Set(mounts.flatMap((mount) => mount.options));
  if (words.has('shared') || words.has('rshared')) return 'rshared';
  if (words.has('slave') || words.has('rslave')) return 'rslave';
  return 'rprivate';
}

/** A block device's numbers by its path on the host. */
export type DeviceLookup = (path: string) => { major: number; minor: number };

/** HostConfig's limits as runtime-spec linux.resources; also what `update` sends to the runtime. */
export function resourceLimits(
  host: Resources,
  cgroupVersion: 1 | 2,
  deviceNumbers: DeviceLookup,
): Record<string, unknown> {
  const cpu: Record<string, unknown> = {};
  if (host.CpuShares) cpu['shares'] = host.CpuShares;
  if (host.NanoCpus) {
    cpu['period'] = 100_000;
    cpu['quota'] = Math.trunc((host.NanoCpus * 100_000) / 1e9);
  }
  if (host.CpuPeriod) cpu['period'] = host.CpuPeriod;
  if (host.CpuQuota) cpu['quota'] = host.CpuQuota;
  if (host.CpusetCpus) cpu['cpus'] = host.CpusetCpus;
  if (host.CpusetMems) cpu['mems'] = host.CpusetMems;
  if (host.CpuRealtimePeriod && cgroupVersion === 1) cpu['realtimePeriod'] = host.CpuRealtimePeriod;
  if (host.CpuRealtimeRuntime && cgroupVersion === 1) cpu['realtimeRuntime'] = host.CpuRealtimeRuntime;
  const memory: Record<string, unknown> = {};
  if (host.Memory) memory['limit'] = host.Memory;
  if (host.MemoryReservation) memory['reservation'] = host.MemoryReservation;
  if (host.MemorySwap) memory['swap'] = host.MemorySwap;
  if (
    cgroupVersion === 1 &&
    host.MemorySwappiness !== null &&
    host.MemorySwappiness !== undefined &&
    host.MemorySwappiness >= 0
  ) {
    memory['swappiness'] = host.MemorySwappiness;
  }
  if (cgroupVersion === 1 && host.OomKillDisable === true) memory['disableOOMKiller'] = true;
  const blockIO: Record<string, unknown> = {};
  if (host.BlkioWeight) blockIO['weight'] = host.BlkioWeight;
  for (const [field, name, key] of [
    ['BlkioWeightDevice', 'weightDevice', 'weight'],
    ['BlkioDeviceReadBps', 'throttleReadBpsDevice', 'rate'],
    ['BlkioDeviceWriteBps', 'throttleWriteBpsDevice', 'rate'],
    ['BlkioDeviceReadIOps', 'throttleReadIOPSDevice', 'rate'],
    ['BlkioDeviceWriteIOps', 'throttleWriteIOPSDevice', 'rate'],
  ] as const) {
    const entries = (host[field] ?? []).map((entry) => ({
      ...deviceNumbers(entry.Path),
      [key]: 'Weight' in entry ? entry.Weight : entry.Rate,
    }));
    if (entries.length > 0) blockIO[name] = entries;
  }
  return {
    ...(Object.keys(cpu).length > 0 ? { cpu } : {}),
    ...(Object.keys(memory).length > 0 ? { memory } : {}),
    ...(Object.keys(blockIO).length > 0 ? { blockIO } : {}),
    ...(host.PidsLimit ? { pids: { limit: host.PidsLimit } } : {}),
  };
}

/** c 1:3, 1:5, 1:7, 1:8, 1:9 (null zero full random urandom), 5:0-2 (tty console ptmx), 136:* (pts), 10:200 is tun and not among them. */
const defaultDeviceRules: object[] = [
  { allow: true, type: 'c', access: 'm' },
  { allow: true, type: 'b', access: 'm' },
  ...[
    [1, 3],
    [1, 5],
    [1, 7],
    [1, 8],
    [1, 9],
    [5, 0],
    [5, 1],
    [5, 2],
  ].map(([major, minor]) => ({ allow: true, type: 'c', major, minor, access: 'rwm' })),
  { allow: true, type: 'c', major: 136, access: 'rwm' },
];

function deviceRules(host: HostConfig, devices: readonly SpecDevice[], privileged: boolean): object[] {
  if (privileged) return [{ allow: true, access: 'rwm' }];
  const rules = [{ allow: false, access: 'rwm' }, ...defaultDeviceRules];
  for (const { type, major, minor, access } of devices)
    if (type !== 'p') rules.push({ allow: true, type, major, minor, access });
  for (const rule of host.DeviceCgroupRules ?? []) rules.push(parseDeviceRule(rule));
  return rules;
}

/** "c 42:* rmw". @throws Fault invalid */
export function parseDeviceRule(text: string): object {
  const match = /^([acb]) (\d+|\*):(\d+|\*) ([rwm]{1,3})$/.exec(text);
  if (match === null) throw new Fault('invalid', `invalid device cgroup rule format: '${text}'`);
  const [, type, major, minor, access] = match;
  return {
    allow: true,
    type,
    ...(major === '*' ? {} : { major: Number(major) }),
    ...(minor === '*' ? {} : { minor: Number(minor) }),
    access,
  };
}
