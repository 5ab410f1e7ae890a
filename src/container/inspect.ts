/** A container as `inspect` and `ps` show it (API 1.51). */
import type {
  ContainerInspect,
  ContainerState,
  ContainerSummary,
  EndpointSettings,
  HealthState,
  NetworkSettings,
  Port,
} from '../api/index.ts';
import { humanDuration, parseRfc3339, zeroTime } from '../std/index.ts';
import { type Context, containerDirectory, type Live, logPath } from './context.ts';
import { mountPoints } from './mounts.ts';
import { emptyEndpoint } from './network-setup.ts';
import { probeOf } from './health.ts';

export function containerState(live: Live): ContainerState {
  const { record, run } = live;
  const resting = record.state;
  const base = {
    Running: run !== undefined || live.restart !== undefined,
    Paused: run?.paused ?? false,
    Restarting: live.restart !== undefined,
    OOMKilled: run === undefined ? resting.oomKilled : live.oomKilled,
    Dead: resting.status === 'dead',
    Pid: run?.pid ?? 0,
    ExitCode: run === undefined ? resting.exitCode : 0,
    Error: run === undefined ? resting.error : '',
    StartedAt: run?.startedAt ?? resting.startedAt,
    FinishedAt: resting.finishedAt,
  };
  const health = healthOf(live);
  return { Status: statusWord(live), ...base, ...(health === undefined ? {} : { Health: health }) };
}

function statusWord(live: Live): ContainerState['Status'] {
  if (live.run?.paused) return 'paused';
  if (live.restart !== undefined) return 'restarting';
  if (live.run !== undefined) return 'running';
  if (live.removing) return 'removing';
  return live.record.state.status;
}

export function healthOf(live: Live): HealthState | undefined {
  if (live.run?.health !== undefined) return live.run.health;
  return probeOf(live.record.config) === undefined
    ? undefined
    : (live.lastHealth ?? { Status: 'starting', FailingStreak: 0, Log: [] });
}

/** "Up 5 seconds (healthy)", "Exited (0) 3 minutes ago", … */
export function statusText(live: Live, nowMs: number): string {
  const { record, run } = live;
  const ago = (time: string): string => humanDuration(nowMs - Number((parseRfc3339(time) ?? 0n) / 1_000_000n));
  if (live.restart !== undefined) return `Restarting (${record.state.exitCode}) ${ago(record.state.finishedAt)} ago`;
  if (run !== undefined) {
    if (run.paused) return `Up ${ago(run.startedAt)} (Paused)`;
    const health = healthOf(live);
    const word =
      health === undefined ? '' : health.Status === 'starting' ? ' (health: starting)' : ` (${health.Status})`;
    return `Up ${ago(run.startedAt)}${word}`;
  }
  if (live.removing) return 'Removal In Progress';
  if (record.state.status === 'dead') return 'Dead';
  if (record.state.status === 'created') return 'Created';
  return record.state.finishedAt === zeroTime
    ? ''
    : `Exited (${record.state.exitCode}) ${ago(record.state.finishedAt)} ago`;
}

/** Every attachment: live values while it runs, empty ones otherwise. */
export function endpointsOf(context: Context, live: Live): Record<string, EndpointSettings> {
  const { record, run } = live;
  if (run !== undefined) return run.endpoints;
  return Object.fromEntries(
    Object.entries(record.networks).map(([name, config]) => [name, emptyEndpoint(context, name, record, config)]),
  );
}

export function portsOf(live: Live): NetworkSettings['Ports'] {
  const { record, run } = live;
  if (run === undefined) return {};
  const ports: NetworkSettings['Ports'] = {};
  for (const port of Object.keys(record.config.ExposedPorts ?? {}))
    ports[port.includes('/') ? port : `${port}/tcp`] = null;
  for (const [port, bindings] of Object.entries(run.ports)) ports[port] = bindings;
  return ports;
}

function networkSettings(context: Context, live: Live): NetworkSettings {
  const { record, run } = live;
  const Networks = endpointsOf(context, live);
  const bridge = record.hostConfig.NetworkMode === 'bridge' ? Networks['bridge'] : undefined;
  return {
    Bridge: '',
    SandboxID: run?.sandbox === undefined ? '' : record.id,
    SandboxKey: run?.sandbox ?? '',
    Ports: portsOf(live),
    HairpinMode: false,
    LinkLocalIPv6Address: '',
    LinkLocalIPv6PrefixLen: 0,
    SecondaryIPAddresses: null,
    SecondaryIPv6Addresses: null,
    EndpointID: bridge?.EndpointID ?? '',
    Gateway: bridge?.Gateway ?? '',
    GlobalIPv6Address: bridge?.GlobalIPv6Address ?? '',
    GlobalIPv6PrefixLen: bridge?.GlobalIPv6PrefixLen ?? 0,
    IPAddress: bridge?.IPAddress ?? '',
    IPPrefixLen: bridge?.IPPrefixLen ?? 0,
    IPv6Gateway: bridge?.IPv6Gateway ?? '',
    MacAddress: bridge?.MacAddress ?? '',
    Networks,
  };
}

/** HostConfig with every field that Docker prints, absent ones as Docker's empty value. */
const hostConfigShape = {
  Binds: null,
  ContainerIDFile: '',
  LogConfig: { Type: 'json-file', Config: {} },
  NetworkMode: 'bridge',
  PortBindings: {},
  RestartPolicy: { Name: 'no', MaximumRetryCount: 0 },
  AutoRemove: false,
  VolumeDriver: '',
  VolumesFrom: null,
  ConsoleSize: [0, 0] as [number, number],
  CapAdd: null,
  CapDrop: null,
  CgroupnsMode: 'private',
  Dns: [] as string[],
  DnsOptions: [] as string[],
  DnsSearch: [] as string[],
  ExtraHosts: null,
  GroupAdd: null,
  IpcMode: 'private',
  Cgroup: '',
  Links: null,
  OomScoreAdj: 0,
  PidMode: '',
  Privileged: false,
  PublishAllPorts: false,
  ReadonlyRootfs: false,
  SecurityOpt: null,
  UTSMode: '',
  UsernsMode: '',
  ShmSize: 67_108_864,
  Runtime: '',
  Isolation: '',
  CpuShares: 0,
  Memory: 0,
  NanoCpus: 0,
  CgroupParent: '',
  BlkioWeight: 0,
  BlkioWeightDevice: [],
  BlkioDeviceReadBps: [],
  BlkioDeviceWriteBps: [],
  BlkioDeviceReadIOps: [],
  BlkioDeviceWriteIOps: [],
  CpuPeriod: 0,
  CpuQuota: 0,
  CpuRealtimePeriod: 0,
  CpuRealtimeRuntime: 0,
  CpusetCpus: '',
  CpusetMems: '',
  Devices: [],
  DeviceCgroupRules: null,
  DeviceRequests: null,
  MemoryReservation: 0,
  MemorySwap: 0,
  MemorySwappiness: null,
  OomKillDisable: null,
  PidsLimit: null,
  Ulimits: [],
  CpuCount: 0,
  CpuPercent: 0,
  IOMaximumIOps: 0,
  IOMaximumBandwidth: 0,
  MaskedPaths: null,
  ReadonlyPaths: null,
};

const configShape = {
  Hostname: '',
  Domainname: '',
  User: '',
  AttachStdin: false,
  AttachStdout: false,
  AttachStderr: false,
  Tty: false,
  OpenStdin: false,
  StdinOnce: false,
  Env: [] as string[],
  Cmd: null,
  Image: '',
  Volumes: null,
  WorkingDir: '',
  Entrypoint: null,
  OnBuild: null,
  Labels: {},
};

function pruned<T extends object>(value: T, optional: readonly (keyof T)[]): T {
  const copy = { ...value };
  for (const key of optional) {
    const field = copy[key];
    const empty =
      field === undefined ||
      field === null ||
      field === '' ||
      (typeof field === 'object' && Object.keys(field).length === 0);
    if (empty) delete copy[key];
  }
  return copy;
}

export function inspectContainer(context: Context, live: Live): ContainerInspect {
  const { record } = live;
  const directory = containerDirectory(context, record.id);
  const driver = context.snapshots.exists(record.id) ? context.snapshots.describe(record.id).data : null;
  return {
    Id: record.id,
    Created: record.created,
    Path: record.path,
    Args: record.args,
    State: containerState(live),
    Image: record.image,
    ResolvConfPath: `${directory}/resolv.conf`,
    HostnamePath: `${directory}/hostname`,
    HostsPath: `${directory}/hosts`,
    LogPath: ['json-file', 'local'].includes(record.hostConfig.LogConfig?.Type ?? '')
      ? logPath(context, record.id)
      : '',
    Name: `/${record.name}`,
    RestartCount: record.restartCount,
    Driver: 'overlay2',
    Platform: record.platform,
    MountLabel: '',
    ProcessLabel: '',
    AppArmorProfile: context.settings.apparmor ? 'wherry-default' : '',
    ExecIDs: [...live.execs.values()].some((exec) => exec.running)
      ? [...live.execs.values()].filter((exec) => exec.running).map((exec) => exec.id)
      : null,
    HostConfig: pruned({ ...hostConfigShape, ...record.hostConfig }, [
      'Mounts',
      'Tmpfs',
      'Sysctls',
      'StorageOpt',
      'Annotations',
      'Init',
    ]),
    GraphDriver: { Data: driver, Name: 'overlay2' },
    Mounts: mountPoints(record.mounts, (name) => context.volumePath(name)),
    Config: pruned({ ...configShape, ...record.config }, [
      'ExposedPorts',
      'Healthcheck',
      'StopSignal',
      'StopTimeout',
      'Shell',
      'MacAddress',
      'NetworkDisabled',
      'ArgsEscaped',
    ]),
    NetworkSettings: networkSettings(context, live),
  };
}

/** The command column: arguments with spaces in quotes. */
function commandText(path: string, args: readonly string[]): string {
  return [path, ...args].map((word) => (word.includes(' ') ? `'${word}'` : word)).join(' ');
}

function portList(live: Live): Port[] {
  const ports: Port[] = [];
  for (const [key, bindings] of Object.entries(portsOf(live))) {
    const [number, protocol = 'tcp'] = key.split('/');
    if (bindings === null || bindings.length === 0) ports.push({ PrivatePort: Number(number), Type: protocol });
    for (const { HostIp = '', HostPort = '' } of bindings ?? []) {
      ports.push({ IP: HostIp, PrivatePort: Number(number), PublicPort: Number(HostPort), Type: protocol });
    }
  }
  return ports;
}

export function summarise(
  context: Context,
  live: Live,
  options: { imageName: string; names: string[]; nowMs: number },
): ContainerSummary {
  const { record } = live;
  const annotations = record.hostConfig.Annotations;
  return {
    Id: record.id,
    Names: options.names,
    Image: options.imageName,
    ImageID: record.image,
    Command: commandText(record.path, record.args),
    Created: Number(BigInt(record.createdNanos) / 1_000_000_000n),
    Ports: portList(live),
    Labels: record.config.Labels ?? {},
    State: statusWord(live),
    Status: statusText(live, options.nowMs),
    HostConfig: {
      NetworkMode: record.hostConfig.NetworkMode ?? 'bridge',
      ...(annotations ? { Annotations: annotations } : {}),
    },
    NetworkSettings: { Networks: endpointsOf(context, live) },
    Mounts: mountPoints(record.mounts, (name) => context.volumePath(name)),
  };
}
