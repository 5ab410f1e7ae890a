/** The flags of run and create to the body of POST /containers/create: the same body that Docker's command line sends. */
import {
  type ContainerCreateBody,
  type HealthConfig,
  type HostConfig,
  restartUnhealthyAnnotation,
} from '../../api/index.ts';
import { resolve } from 'node:path';
import { Fault } from '../../std/index.ts';
import { type Flags, keyValues } from '../flag/parse.ts';
import { isCdiDevice, parseDevice, parseGpus, parseThrottle, parseUlimit, parseWeightDevice } from './devices.ts';
import { environmentOf, labelsOf } from './environment.ts';
import { parseMount } from './mount.ts';
import { networkingOf } from './network.ts';
import { parsePorts } from './ports.ts';
import { securityOf } from './security.ts';

export interface BodyContext {
  env: Readonly<Record<string, string | undefined>>;
  /** `NAME=value` of the user's proxy configuration, before the user's own. */
  proxyEnvironment: readonly string[];
  cwd: string;
}

/** @throws Fault invalid in Docker's words. */
export function containerBody(flags: Flags, args: readonly string[], context: BodyContext): ContainerCreateBody {
  const [image = '', ...command] = args;
  const attached = flags.list('attach').map((stream) => stream.toLowerCase());
  const stdin = flags.bool('interactive');
  const { exposed, bindings } = parsePorts(flags.list('publish'), flags.list('expose'));
  const { binds, volumes } = splitVolumes(flags.list('volume'), context.cwd);
  const networking = networkingOf(flags);
  const AttachStdin = attached.length === 0 ? stdin : attached.includes('stdin');
  return {
    Hostname: flags.string('hostname'),
    Domainname: flags.string('domainname'),
    User: flags.string('user'),
    AttachStdin: AttachStdin || stdin,
    AttachStdout: attached.length === 0 || attached.includes('stdout'),
    AttachStderr: attached.length === 0 || attached.includes('stderr'),
    ...(Object.keys(exposed).length === 0 ? {} : { ExposedPorts: exposed }),
    Tty: flags.bool('tty'),
    OpenStdin: stdin,
    StdinOnce: stdin && (AttachStdin || stdin),
    Env: orNull([
      ...context.proxyEnvironment,
      ...environmentOf(flags.list('env-file'), flags.list('env'), context.env),
    ]),
    Cmd: command.length === 0 ? null : command,
    ...healthcheckOf(flags),
    Image: image,
    Volumes: volumes,
    WorkingDir: flags.string('workdir'),
    Entrypoint: flags.changed('entrypoint') ? [flags.string('entrypoint')] : null,
    ...(flags.string('mac-address') === '' ? {} : { MacAddress: macOf(flags.string('mac-address')) }),
    OnBuild: null,
    Labels: labelsOf(flags.list('label-file'), flags.list('label')),
    ...(flags.string('stop-signal') === '' ? {} : { StopSignal: flags.string('stop-signal') }),
    ...(flags.changed('stop-timeout') ? { StopTimeout: flags.integer('stop-timeout') } : {}),
    HostConfig: hostConfigOf(flags, { binds, bindings, networkMode: networking.mode, cwd: context.cwd }),
    NetworkingConfig: { EndpointsConfig: networking.endpoints },
  };
}

interface HostParts {
  binds: string[];
  bindings: HostConfig['PortBindings'];
  networkMode: string;
  cwd: string;
}

function hostConfigOf(flags: Flags, { binds, bindings, networkMode, cwd }: HostParts): HostConfig {
  const restart = restartPolicyOf(flags.string('restart'));
  if (flags.bool('rm') && restart.Name !== 'no' && restart.Name !== '') {
    throw new Fault('invalid', 'conflicting options: cannot specify both --restart and --rm');
  }
  const security = securityOf(flags.list('security-opt'));
  const annotations = annotationsOf(flags, restart.Name);
  return {
    Binds: orNull(binds),
    ContainerIDFile: flags.string('cidfile'),
    LogConfig: { Type: flags.string('log-driver'), Config: logOptionsOf(flags) },
    NetworkMode: networkMode,
    PortBindings: bindings ?? {},
    RestartPolicy: restart,
    AutoRemove: flags.bool('rm'),
    VolumeDriver: flags.string('volume-driver'),
    VolumesFrom: orNull(flags.list('volumes-from')),
    ConsoleSize: [0, 0],
    ...(Object.keys(annotations).length === 0 ? {} : { Annotations: annotations }),
    ...capabilitiesOf(flags.list('cap-add'), flags.list('cap-drop')),
    CgroupnsMode: oneOf(flags, 'cgroupns', /^(|host|private)$/, 'CGROUP'),
    Dns: [...flags.list('dns')],
    DnsOptions: [...flags.list('dns-option')],
    DnsSearch: [...flags.list('dns-search')],
    ExtraHosts: orNull(flags.list('add-host').map(extraHost)),
    GroupAdd: orNull(flags.list('group-add')),
    IpcMode: flags.string('ipc'),
    Cgroup: '',
    Links: orNull(flags.list('link')),
    OomScoreAdj: flags.integer('oom-score-adj'),
    PidMode: oneOf(flags, 'pid', /^(|host|container:.+)$/, 'PID'),
    Privileged: flags.bool('privileged'),
    PublishAllPorts: flags.bool('publish-all'),
    ReadonlyRootfs: flags.bool('read-only'),
    SecurityOpt: security.options,
    ...(flags.list('storage-opt').length === 0 ? {} : { StorageOpt: storageOptionsOf(flags.list('storage-opt')) }),
    ...(flags.list('tmpfs').length === 0 ? {} : { Tmpfs: tmpfsOf(flags.list('tmpfs')) }),
    UTSMode: oneOf(flags, 'uts', /^(|host)$/, 'UTS'),
    UsernsMode: oneOf(flags, 'userns', /^(|host)$/, 'USER'),
    ShmSize: flags.bytes('shm-size'),
    ...(flags.list('sysctl').length === 0 ? {} : { Sysctls: flags.map('sysctl') }),
    ...(flags.string('runtime') === '' ? {} : { Runtime: flags.string('runtime') }),
    Isolation: flags.string('isolation'),
    ...resourcesOf(flags),
    ...(flags.list('mount').length === 0
      ? {}
      : { Mounts: flags.list('mount').map((each) => valid(parseMount(each, cwd))) }),
    MaskedPaths: security.maskedPaths,
    ReadonlyPaths: security.readonlyPaths,
    ...(flags.changed('init') ? { Init: flags.bool('init') } : {}),
  };
}

function resourcesOf(flags: Flags): HostConfig {
  const swappiness = flags.integer('memory-swappiness');
  if (swappiness < -1 || swappiness > 100) {
    throw new Fault('invalid', `invalid value: ${swappiness}. Valid memory swappiness range is 0-100`);
  }
  const devices = flags.list('device');
  const cdi = devices.filter(isCdiDevice);
  const requests = [
    ...flags.list('gpus').map((each) => valid(parseGpus(each))),
    ...(cdi.length === 0 ? [] : [{ Driver: 'cdi', Count: 0, DeviceIDs: cdi, Capabilities: null, Options: null }]),
  ];
  return {
    CpuShares: flags.integer('cpu-shares'),
    Memory: flags.bytes('memory'),
    NanoCpus: nanoCpus(flags),
    CgroupParent: flags.string('cgroup-parent'),
    BlkioWeight: flags.integer('blkio-weight'),
    BlkioWeightDevice: flags.list('blkio-weight-device').map((each) => valid(parseWeightDevice(each))),
    BlkioDeviceReadBps: flags.list('device-read-bps').map((each) => valid(parseThrottle(each, 'bytes'))),
    BlkioDeviceWriteBps: flags.list('device-write-bps').map((each) => valid(parseThrottle(each, 'bytes'))),
    BlkioDeviceReadIOps: flags.list('device-read-iops').map((each) => valid(parseThrottle(each, 'operations'))),
    BlkioDeviceWriteIOps: flags.list('device-write-iops').map((each) => valid(parseThrottle(each, 'operations'))),
    CpuPeriod: flags.integer('cpu-period'),
    CpuQuota: flags.integer('cpu-quota'),
    CpuRealtimePeriod: flags.integer('cpu-rt-period'),
    CpuRealtimeRuntime: flags.integer('cpu-rt-runtime'),
    CpusetCpus: flags.string('cpuset-cpus'),
    CpusetMems: flags.string('cpuset-mems'),
    Devices: devices.filter((each) => !isCdiDevice(each)).map((each) => valid(parseDevice(each))),
    DeviceCgroupRules: orNull(flags.list('device-cgroup-rule')),
    DeviceRequests: orNull(requests),
    MemoryReservation: flags.bytes('memory-reservation'),
    MemorySwap: flags.bytes('memory-swap'),
    MemorySwappiness: swappiness,
    OomKillDisable: flags.bool('oom-kill-disable'),
    PidsLimit: flags.integer('pids-limit'),
    Ulimits: ulimitsOf(flags.list('ulimit')),
    CpuCount: flags.integer('cpu-count'),
    CpuPercent: flags.integer('cpu-percent'),
    IOMaximumIOps: flags.integer('io-maxiops'),
    IOMaximumBandwidth: flags.bytes('io-maxbandwidth'),
  };
}

/** `--cpus 1.5` in billionths. */
export function nanoCpus(flags: Flags): number {
  const text = flags.optional('cpus');
  if (text === undefined) return 0;
  const nanos = Number(text) * 1e9;
  if (Math.abs(nanos - Math.round(nanos)) > 1e-3) throw new Fault('invalid', 'value is too precise');
  return Math.round(nanos);
}

/** The last of each name counts. */
function ulimitsOf(values: readonly string[]): HostConfig['Ulimits'] {
  const byName = new Map(values.map((each) => valid(parseUlimit(each))).map((limit) => [limit.Name, limit]));
  return [...byName.values()].sort((a, b) => (a.Name < b.Name ? -1 : 1));
}

/** "always", "on-failure:3". @throws Fault invalid. */
export function restartPolicyOf(text: string): { Name: string; MaximumRetryCount: number } {
  if (text === '') return { Name: '', MaximumRetryCount: 0 };
  const [name = '', count, extra] = text.split(':');
  if (name === '') throw new Fault('invalid', 'invalid restart policy format: no policy provided before colon');
  if (extra !== undefined)
    throw new Fault('invalid', 'invalid restart policy format: maximum retry count must be an integer');
  if (count !== undefined && !/^\d+$/.test(count)) {
    throw new Fault('invalid', 'invalid restart policy format: maximum retry count must be an integer');
  }
  return { Name: name, MaximumRetryCount: Number(count ?? 0) };
}

function annotationsOf(flags: Flags, policy: string): Record<string, string> {
  const annotations = flags.map('annotation');
  const restarts = policy === 'always' || policy === 'unless-stopped';
  const wanted = flags.changed('restart-unhealthy') ? flags.bool('restart-unhealthy') : restarts;
  if (wanted && restarts && annotations[restartUnhealthyAnnotation] === undefined)
    annotations[restartUnhealthyAnnotation] = 'true';
  return annotations;
}

function healthcheckOf(flags: Flags): { Healthcheck?: HealthConfig } {
  const names = ['interval', 'timeout', 'start-period', 'start-interval'] as const;
  const settings = names.map((name) => flags.duration(`health-${name}`));
  const command = flags.string('health-cmd');
  const retries = flags.integer('health-retries');
  const wanted = command !== '' || retries !== 0 || settings.some((value) => value !== 0);
  if (flags.bool('no-healthcheck')) {
    if (wanted) throw new Fault('invalid', '--no-healthcheck conflicts with --health-* options');
    return { Healthcheck: { Test: ['NONE'] } };
  }
  if (!wanted) return {};
  names.forEach((name, index) => {
    if (settings[index]! < 0) throw new Fault('invalid', `--health-${name} cannot be negative`);
  });
  if (retries < 0) throw new Fault('invalid', '--health-retries cannot be negative');
  const [interval = 0, timeout = 0, startPeriod = 0, startInterval = 0] = settings;
  return {
    Healthcheck: {
      ...(command === '' ? {} : { Test: ['CMD-SHELL', command] }),
      ...(interval === 0 ? {} : { Interval: interval }),
      ...(timeout === 0 ? {} : { Timeout: timeout }),
      ...(startPeriod === 0 ? {} : { StartPeriod: startPeriod }),
      ...(startInterval === 0 ? {} : { StartInterval: startInterval }),
      ...(retries === 0 ? {} : { Retries: retries }),
    },
  };
}

/** A path alone is a volume of the container; with a source it is a bind, which must not end in images made of it. */
function splitVolumes(values: readonly string[], cwd: string): { binds: string[]; volumes: Record<string, object> } {
  const binds: string[] = [];
  const volumes: Record<string, object> = {};
  for (const value of values) {
    const colon = value.indexOf(':');
    if (value === '' || value.startsWith(':'))
      throw new Fault('invalid', `invalid spec: ${value}: empty section between colons`);
    if (colon < 0) volumes[value] = {};
    else {
      if (value.split(':').some((part) => part === '')) {
        throw new Fault('invalid', `invalid spec: ${value}: empty section between colons`);
      }
      const source = value.slice(0, colon);
      binds.push(source.startsWith('.') ? `${resolve(cwd, source)}${value.slice(colon)}` : value);
    }
  }
  return { binds: [...new Set(binds)], volumes };
}

/** "net_admin" is CAP_NET_ADMIN; ALL swallows the rest; what is both added and dropped is added. */
function capabilitiesOf(
  add: readonly string[],
  drop: readonly string[],
): { CapAdd: string[] | null; CapDrop: string[] | null } {
  const full = (name: string): string => {
    const upper = name.trim().toUpperCase();
    return upper === 'ALL' || upper === 'RESET' || upper.startsWith('CAP_') ? upper : `CAP_${upper}`;
  };
  const setOf = (names: readonly string[]): Set<string> => {
    const all = new Set(names.map(full));
    return all.has('ALL') ? new Set(['ALL']) : all;
  };
  const added = setOf(add);
  const dropped = [...setOf(drop)].filter((name) => !added.has(name));
  return { CapAdd: orNull([...added].sort()), CapDrop: orNull(dropped.sort()) };
}

function logOptionsOf(flags: Flags): Record<string, string> {
  const options = flags.map('log-opt');
  if (flags.string('log-driver') === 'none' && Object.keys(options).length > 0) {
    throw new Fault('invalid', 'invalid logging opts for driver none');
  }
  return options;
}

function storageOptionsOf(values: readonly string[]): Record<string, string> {
  if (values.some((each) => !each.includes('='))) throw new Fault('invalid', 'invalid storage option');
  return keyValues(values);
}

function tmpfsOf(values: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    values.map((each) => {
      const colon = each.indexOf(':');
      return colon < 0 ? [each, ''] : [each.slice(0, colon), each.slice(colon + 1)];
    }),
  );
}

/** `host=1.2.3.4` is written as `host:1.2.3.4` on the wire; brackets around an IPv6 address go. */
function extraHost(value: string): string {
  const at = value.search(/[=:]/);
  return `${value.slice(0, at)}:${value.slice(at + 1).replace(/^\[(.*)\]$/, '$1')}`;
}

function macOf(text: string): string {
  if (!/^([\da-f]{2}[:-]){5}[\da-f]{2}$/i.test(text)) throw new Fault('invalid', `${text} is not a valid mac address`);
  return text;
}

function oneOf(flags: Flags, name: string, accepted: RegExp, word: string): string {
  const value = flags.string(name);
  if (!accepted.test(value)) throw new Fault('invalid', `--${name}: invalid ${word} mode`);
  return value;
}

function valid<T>(result: T | string): T {
  if (typeof result === 'string') throw new Fault('invalid', result);
  return result;
}

function orNull<T>(values: readonly T[]): T[] | null {
  return values.length === 0 ? null : [...values];
}
