/** What a create or update request may not say, with Docker's words; and what it means when it says nothing. Pure. */
import type { ContainerConfig, HostConfig, Resources, RestartPolicy } from '../api/index.ts';
import { signalNumber } from '../linux/index.ts';
import { Fault, messageOf } from '../std/index.ts';
import { normaliseCapability } from './capabilities.ts';
import { checkLogOptions } from './log-limits.ts';
import { discardUnsupported } from './missing-controllers.ts';

export interface HostFacts {
  cgroupVersion: 1 | 2;
  /** Controllers that limits can use, as this version of cgroups names them. */
  controllers: ReadonlySet<string>;
  cpus: number;
  /** Bytes. */
  memory: number;
  swapLimit: boolean;
  /** The kernel can weigh block I/O. */
  blockWeight: boolean;
  runtimes: readonly string[];
  defaultRuntime: string;
  logDriver: string;
  logOptions: Record<string, string>;
  shmSize: number;
  ipcMode: string;
  cgroupnsMode: string | undefined;
  ulimits: { Name: string; Hard: number; Soft: number }[];
  init: boolean;
  /** `userns-remap` is on. */
  userNamespaces: boolean;
}

export const logDrivers = ['json-file', 'local', 'none', 'journald', 'syslog'];

const namePattern = /^\/?[a-zA-Z0-9][a-zA-Z0-9_.-]+$/;

/** @throws Fault invalid */
export function checkName(name: string): string {
  if (!namePattern.test(name)) {
    throw new Fault('invalid', `Invalid container name (${name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`);
  }
  return name.replace(/^\//, '');
}

/** @throws Fault invalid */
export function checkRestartPolicy(policy: RestartPolicy | null | undefined, autoRemove: boolean): void {
  const name = policy?.Name ?? '';
  const retries = policy?.MaximumRetryCount ?? 0;
  if (!['', 'no', 'always', 'unless-stopped', 'on-failure'].includes(name)) {
    throw new Fault(
      'invalid',
      `invalid restart policy: unknown policy '${name}'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'`,
    );
  }
  if (retries < 0) throw new Fault('invalid', 'invalid restart policy: maximum retry count cannot be negative');
  if (name !== 'on-failure' && retries !== 0) {
    throw new Fault('invalid', `invalid restart policy: maximum retry count can only be used with 'on-failure'`);
  }
  if (autoRemove && name !== '' && name !== 'no')
    throw new Fault('invalid', `can't create 'AutoRemove' container with restart policy`);
}

/** What no folder can be called; the runtimes do not take it well. @throws Fault invalid */
function checkCgroupParent(parent: string): void {
  const shown = parent.length > 100 ? `${parent.slice(0, 100)}…` : parent;
  if (parent.length > 4000 || parent.split('/').some((name) => Buffer.byteLength(name) > 255))
    throw new Fault('invalid', `Invalid cgroup parent ${JSON.stringify(shown)}: want a path of groups`);
}

/** Takes out what the kernel cannot apply. @throws Fault invalid. Returns warnings. */
export function checkResources(resources: Resources, facts: HostFacts): string[] {
  const warnings = discardUnsupported(resources, facts.controllers);
  checkCgroupParent(resources.CgroupParent ?? '');
  const memory = resources.Memory ?? 0;
  const swap = resources.MemorySwap ?? 0;
  if (memory !== 0 && memory < 6 * 1024 * 1024) throw new Fault('invalid', 'Minimum memory limit allowed is 6MB');
  if (memory > 0 && swap > 0 && swap < memory) {
    throw new Fault('invalid', 'Minimum memoryswap limit should be larger than memory limit, see usage');
  }
  if (memory === 0 && swap > 0) {
    throw new Fault('invalid', 'You should always set the Memory limit when using Memoryswap limit, see usage');
  }
  const swappiness = resources.MemorySwappiness;
  if (swappiness !== null && swappiness !== undefined && swappiness !== -1) {
    if (swappiness < 0 || swappiness > 100) {
      throw new Fault('invalid', `Invalid value: ${swappiness}, valid memory swappiness range is 0-100`);
    }
    if (facts.cgroupVersion === 2)
      warnings.push(
        'Your kernel does not support memory swappiness capabilities or the cgroup is not mounted. Memory swappiness discarded.',
      );
  }
  const reservation = resources.MemoryReservation ?? 0;
  if (reservation > 0 && reservation < 6 * 1024 * 1024)
    throw new Fault('invalid', 'Minimum memory reservation allowed is 6MB');
  if (memory > 0 && reservation > 0 && memory < reservation) {
    throw new Fault('invalid', 'Minimum memory limit can not be less than memory reservation limit, see usage');
  }
  if ((resources.NanoCpus ?? 0) > 0 && ((resources.CpuPeriod ?? 0) > 0 || (resources.CpuQuota ?? 0) > 0)) {
    const other = (resources.CpuPeriod ?? 0) > 0 ? 'CPU Period' : 'CPU Quota';
    throw new Fault('invalid', `Conflicting options: Nano CPUs and ${other} cannot both be set`);
  }
  if ((resources.NanoCpus ?? 0) < 0 || (resources.NanoCpus ?? 0) > facts.cpus * 1e9) {
    throw new Fault(
      'invalid',
      `range of CPUs is from 0.01 to ${facts.cpus}.00, as there are only ${facts.cpus} CPUs available`,
    );
  }
  const period = resources.CpuPeriod ?? 0;
  if (period !== 0 && (period < 1000 || period > 1_000_000)) {
    throw new Fault('invalid', 'CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)');
  }
  const quota = resources.CpuQuota ?? 0;
  if (quota > 0 && quota < 1000) throw new Fault('invalid', 'CPU cfs quota can not be less than 1ms (i.e. 1000)');
  for (const [flag, value, limit] of [
    ['cpuset cpus', resources.CpusetCpus ?? '', facts.cpus],
    ['cpuset mems', resources.CpusetMems ?? '', Number.POSITIVE_INFINITY],
  ] as const) {
    if (value !== '') checkCpuset(flag, value, limit);
  }
  const weight = resources.BlkioWeight ?? 0;
  if (weight !== 0 && !facts.blockWeight) {
    warnings.push('Your kernel does not support Block I/O weight or the cgroup is not mounted. Weight discarded.');
    resources.BlkioWeight = 0;
  } else if (weight !== 0 && (weight < 10 || weight > 1000)) {
    throw new Fault('invalid', 'Range of blkio weight is from 10 to 1000');
  }
  if ((resources.BlkioWeightDevice?.length ?? 0) > 0 && !facts.blockWeight) {
    warnings.push(
      'Your kernel does not support Block I/O weight_device or the cgroup is not mounted. Weight-device discarded.',
    );
    resources.BlkioWeightDevice = [];
  }
  if (facts.cgroupVersion === 2 && resources.OomKillDisable === true) {
    warnings.push('Your kernel does not support OomKillDisable. OomKillDisable discarded.');
  }
  if (!facts.swapLimit && memory > 0 && swap > 0) {
    warnings.push(
      'Your kernel does not support swap limit capabilities or the cgroup is not mounted. Memory limited without swap.',
    );
  }
  for (const ulimit of resources.Ulimits ?? []) {
    if (!rlimitNames.has(ulimit.Name)) throw new Fault('invalid', `invalid ulimit type: ${ulimit.Name}`);
    if (ulimit.Hard !== -1 && (ulimit.Soft > ulimit.Hard || ulimit.Soft === -1)) {
      throw new Fault(
        'invalid',
        `ulimit soft limit must be less than or equal to hard limit: ${ulimit.Soft} > ${ulimit.Hard}`,
      );
    }
  }
  return warnings;
}

/** Docker's ulimit names to the OCI's. */
export const rlimitNames = new Map(
  'core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack'
    .split(' ')
    .map((name) => [name, `RLIMIT_${name.toUpperCase()}`]),
);

function checkCpuset(flag: string, value: string, limit: number): void {
  for (const part of value.split(',')) {
    const match = /^(\d+)(?:-(\d+))?$/.exec(part.trim());
    if (match === null) throw new Fault('invalid', `Invalid value ${value} for ${flag}`);
    const last = Number(match[2] ?? match[1]);
    if (last < Number(match[1])) throw new Fault('invalid', `Invalid value ${value} for ${flag}`);
    if (last >= limit) {
      throw new Fault('invalid', `Requested CPUs are not available - requested ${value}, available: 0-${limit - 1}`);
    }
  }
}

/** Checks a create request as a whole and fills in what inspect shows for what was left out. Returns the settled pair and warnings. @throws Fault invalid */
export function settleConfig(
  config: ContainerConfig,
  host: HostConfig,
  facts: HostFacts,
  id: string,
  apiVersion: string,
): { config: ContainerConfig; host: HostConfig; warnings: string[] } {
  const settled: HostConfig = { ...host };
  const warnings = checkResources(settled, facts);
  checkRestartPolicy(host.RestartPolicy, host.AutoRemove ?? false);
  for (const key of ['CapAdd', 'CapDrop'] as const) {
    for (const capability of host[key] ?? []) {
      try {
        normaliseCapability(capability);
      } catch (error) {
        throw new Fault('invalid', `invalid ${key}: ${messageOf(error)}`, { cause: error });
      }
    }
  }
  for (const entry of config.Env ?? []) {
    if (entry === '' || entry.startsWith('=')) throw new Fault('invalid', `invalid environment variable: ${entry}`);
  }
  if (config.StopSignal && signalNumber(config.StopSignal) === undefined) {
    throw new Fault('invalid', `Invalid signal: ${config.StopSignal}`);
  }
  checkHealth(config);
  if (config.WorkingDir && !config.WorkingDir.startsWith('/')) {
    throw new Fault(
      'invalid',
      `the working directory '${config.WorkingDir}' is invalid, it needs to be an absolute path`,
    );
  }
  for (const port of [...Object.keys(config.ExposedPorts ?? {}), ...Object.keys(host.PortBindings ?? {})]) {
    if (!/^\d+(-\d+)?(\/(tcp|udp|sctp))?$/i.test(port))
      throw new Fault('invalid', `invalid port specification: "${port}"`);
  }
  for (const bindings of Object.values(host.PortBindings ?? {})) {
    for (const binding of bindings ?? []) {
      if (binding.HostPort && !/^\d+(-\d+)?$/.test(binding.HostPort)) {
        throw new Fault('invalid', `invalid port specification: "${binding.HostPort}"`);
      }
    }
  }
  for (const line of host.ExtraHosts ?? []) {
    if (!/^[^:=]+[:=].+$/.test(line)) throw new Fault('invalid', `bad format for add-host: "${line}"`);
  }
  const driver = host.LogConfig?.Type || facts.logDriver;
  if (!logDrivers.includes(driver)) {
    throw new Fault('invalid', `error looking up logging plugin ${driver}: plugin ${JSON.stringify(driver)} not found`);
  }
  checkLogOptions(driver, host.LogConfig?.Config ?? {});
  const network = host.NetworkMode || 'default';
  if (network.startsWith('container:')) {
    if (config.Hostname) throw new Fault('invalid', 'conflicting options: hostname and the network mode');
    if ((host.Links ?? []).length > 0)
      throw new Fault(
        'invalid',
        "conflicting options: container type network can't be used with links. This would result in undefined behavior",
      );
    if (Object.keys(host.PortBindings ?? {}).length > 0 || host.PublishAllPorts)
      throw new Fault('invalid', 'conflicting options: port publishing and the container type network mode');
    if (Object.keys(config.ExposedPorts ?? {}).length > 0)
      throw new Fault('invalid', 'conflicting options: port exposing and the container type network mode');
    if ((host.Dns ?? []).length > 0) throw new Fault('invalid', 'conflicting options: dns and the network mode');
    if ((host.ExtraHosts ?? []).length > 0)
      throw new Fault('invalid', 'conflicting options: custom host-to-IP mapping and the network mode');
  }
  if (network === 'host' && (host.Links ?? []).length > 0) {
    throw new Fault(
      'invalid',
      `conflicting options: host type networking can't be used with links. This would result in undefined behavior`,
    );
  }
  if (host.UTSMode === 'host' && config.Hostname)
    throw new Fault('invalid', 'conflicting options: hostname and the UTS mode');
  if (host.UTSMode && host.UTSMode !== 'host' && host.UTSMode !== 'private')
    throw new Fault('invalid', `invalid UTS mode: ${host.UTSMode}`);
  if (host.PidMode && host.PidMode !== 'host' && host.PidMode !== 'private' && !host.PidMode.startsWith('container:')) {
    throw new Fault('invalid', `invalid PID mode: ${host.PidMode}`);
  }
  if (
    host.IpcMode &&
    !['none', 'private', 'shareable', 'host'].includes(host.IpcMode) &&
    !host.IpcMode.startsWith('container:')
  ) {
    throw new Fault('invalid', `invalid IPC mode: ${host.IpcMode}`);
  }
  if (host.CgroupnsMode && !['private', 'host'].includes(host.CgroupnsMode)) {
    throw new Fault('invalid', `invalid cgroup namespace mode: ${host.CgroupnsMode}`);
  }
  if (host.UsernsMode && host.UsernsMode !== 'host')
    throw new Fault('invalid', `invalid USER mode: ${host.UsernsMode}`);
  if (facts.userNamespaces && host.UsernsMode !== 'host') refuseWithUserNamespaces(host);
  if (host.Runtime && !facts.runtimes.includes(host.Runtime)) {
    throw new Fault('invalid', `unknown or invalid runtime name: ${host.Runtime}`);
  }
  if ((host.ShmSize ?? 0) < 0) throw new Fault('invalid', 'SHM size can not be less than 0');
  if ((host.OomScoreAdj ?? 0) < -1000 || (host.OomScoreAdj ?? 0) > 1000) {
    throw new Fault('invalid', `Invalid value ${host.OomScoreAdj}, range for oom score adj is [-1000, 1000]`);
  }
  for (const [size] of Object.entries(host.StorageOpt ?? {})) {
    if (size !== 'size') throw new Fault('invalid', `Unknown option ${size}`);
    throw new Fault('invalid', "--storage-opt is supported only for overlay over xfs with 'pquota' mount option");
  }

  settled.NetworkMode = network === 'default' ? 'bridge' : network;
  settled.IpcMode = host.IpcMode || (Number(apiVersion.split('.')[1]) < 40 ? 'shareable' : facts.ipcMode);
  settled.CgroupnsMode =
    host.CgroupnsMode ||
    (facts.cgroupnsMode ??
      (facts.cgroupVersion === 2 && !host.Privileged ? 'private' : facts.cgroupVersion === 2 ? 'private' : 'host'));
  const limited = new Set((host.Ulimits ?? []).map(({ Name }) => Name));
  settled.Ulimits = [...(host.Ulimits ?? []), ...facts.ulimits.filter(({ Name }) => !limited.has(Name))];
  settled.ShmSize = host.ShmSize || facts.shmSize;
  settled.LogConfig = {
    Type: driver,
    Config: host.LogConfig?.Config ?? (host.LogConfig?.Type ? {} : facts.logOptions),
  };
  settled.RestartPolicy = {
    Name: host.RestartPolicy?.Name || 'no',
    MaximumRetryCount: host.RestartPolicy?.MaximumRetryCount ?? 0,
  };
  settled.Runtime = host.Runtime || facts.defaultRuntime;
  settled.MemorySwappiness =
    host.MemorySwappiness === -1 || facts.cgroupVersion === 2 ? null : (host.MemorySwappiness ?? null);
  settled.OomKillDisable = facts.cgroupVersion === 2 ? null : (host.OomKillDisable ?? false);
  settled.PidsLimit = (host.PidsLimit ?? 0) > 0 ? host.PidsLimit! : null;
  if ((settled.Memory ?? 0) > 0 && (settled.MemorySwap ?? 0) === 0) settled.MemorySwap = settled.Memory! * 2;
  if (host.Privileged) {
    settled.MaskedPaths = host.MaskedPaths ?? null;
    settled.ReadonlyPaths = host.ReadonlyPaths ?? null;
  } else {
    settled.MaskedPaths = host.MaskedPaths ?? defaultMaskedPaths;
    settled.ReadonlyPaths = host.ReadonlyPaths ?? defaultReadonlyPaths;
  }
  const named: ContainerConfig = { ...config };
  if (!named.Hostname && !network.startsWith('container:') && network !== 'host' && host.UTSMode !== 'host')
    named.Hostname = id.slice(0, 12);
  return { config: named, host: settled, warnings };
}

export const defaultMaskedPaths = [
  '/proc/acpi',
  '/proc/asound',
  '/proc/interrupts',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/sys/devices/virtual/powercap',
  '/sys/firmware',
];
export const defaultReadonlyPaths = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'];

function checkHealth(config: ContainerConfig): void {
  const health = config.Healthcheck;
  if (health === null || health === undefined) return;
  const check = (name: string, value: number | undefined): void => {
    if (value !== undefined && value !== 0 && value < 1e6) {
      throw new Fault('invalid', `${name} in Healthcheck cannot be less than 1ms`);
    }
  };
  check('Interval', health.Interval);
  check('Timeout', health.Timeout);
  check('StartPeriod', health.StartPeriod);
  check('StartInterval', health.StartInterval);
  if ((health.Retries ?? 0) < 0) throw new Fault('invalid', 'Retries in Healthcheck cannot be negative');
  const kind = health.Test?.[0];
  if (kind !== undefined && kind !== '' && !['NONE', 'CMD', 'CMD-SHELL'].includes(kind)) {
    throw new Fault('invalid', `Unknown healthcheck type: "${kind}"`);
  }
}

/** What would reach around a user namespace, in dockerd's words. @throws Fault invalid */
function refuseWithUserNamespaces(host: HostConfig): void {
  if (host.Privileged) {
    throw new Fault(
      'invalid',
      'privileged mode is incompatible with user namespaces.  You must run the container in the host namespace when running privileged mode',
    );
  }
  if (host.NetworkMode === 'host')
    throw new Fault('invalid', "cannot share the host's network namespace when user namespaces are enabled");
  if (host.PidMode === 'host')
    throw new Fault('invalid', 'cannot share the host PID namespace when user namespaces are enabled');
}
