/** `version`, `info` and `df`. */
import { readFileSync, statfsSync } from 'node:fs';
import { arch, cpus, hostname, release, totalmem } from 'node:os';
import type {
  BuildCacheEntry,
  BuildCacheRecord,
  Builds,
  ContainerSummary,
  DiskUsage,
  System,
  SystemInfo,
  SystemVersion,
  Volume,
} from '../api/index.ts';
import type { CdiDevices } from '../cdi/index.ts';
import type { ContainerRoom } from '../container/index.ts';
import type { ImageStore } from '../image/index.ts';
import { type CgroupLayout, privileges, warmCgroups } from '../linux/index.ts';
import type { RuntimeProgram } from '../runtime/index.ts';
import { overlayDriver } from '../snapshot/index.ts';
import { formatNanos, freeSpace, nowNanos } from '../std/index.ts';
import type { Volumes } from '../volume/index.ts';
import type { Config } from './config.ts';
import type { Events } from './events.ts';
import type { Metrics, MetricSources } from './metrics/metrics.ts';
import { registryInfo } from './registry-info.ts';
import { type SpaceParts, spaceReport } from './space.ts';
import type { Verification } from './verify.ts';
import { apiVersion, minApiVersion, productVersion, wherryVersion } from './version.ts';

export interface SystemParts {
  config: Config;
  id: string;
  cgroups: CgroupLayout;
  cgroupDriver: 'cgroupfs' | 'systemd' | 'none';
  runtimes: ReadonlyMap<string, RuntimeProgram>;
  standardRuntime: RuntimeProgram;
  conmonVersion: string;
  swapLimit: boolean;
  apparmor: boolean;
  room: ContainerRoom;
  images: ImageStore;
  volumes: Volumes;
  devices: CdiDevices;
  builds: Builds;
  events: Events;
  warnings: string[];
  space: SpaceParts;
  verification: Verification;
  /** More of them, that change. */
  notices: () => string[];
  metrics: Metrics;
  networks: () => Promise<number>;
}

const goArch: Record<string, string> = { x64: 'amd64', arm64: 'arm64' };
const uname: Record<string, string> = { x64: 'x86_64', arm64: 'aarch64' };

export function openSystem(parts: SystemParts): System {
  let lastSpace: ReturnType<MetricSources['space']>;
  const sources = metricSources(parts, () => lastSpace);
  return {
    // The docker command line pings before it runs or execs.
    expect: () => warmCgroups(parts.cgroups),
    version: () => Promise.resolve(systemVersion(parts)),
    info: () => systemInfo(parts),
    diskUsage: (types) => diskUsage(parts, types),
    events: (options, signal) => Promise.resolve(parts.events.subscribe(options, signal)),
    login: (auth) => parts.images.login(auth),
    space: async () => {
      const report = await spaceReport(parts.space);
      const rows = report.Rows.map(({ Type: type, Size: size, Reclaimable: reclaimable }) => ({
        type,
        size,
        reclaimable,
      }));
      lastSpace = { atSeconds: Date.now() / 1000, rows };
      return report;
    },
    verify: async (options, signal) => parts.verification.run(options, signal),
    metrics: () => parts.metrics.families(sources),
  };
}

function metricSources(parts: SystemParts, space: MetricSources['space']): MetricSources {
  const os = operatingSystem();
  return {
    info: {
      architecture: uname[arch()] ?? arch(),
      commit: 'wherry',
      daemon_id: parts.id,
      graphdriver: 'overlay2',
      kernel: release(),
      os: os.name,
      os_type: 'linux',
      os_version: os.version,
      version: productVersion,
      wherry_version: wherryVersion,
    },
    cpus: cpus().length,
    memory: totalmem(),
    counts: () => parts.room.counts(),
    usage: () => parts.room.usage(),
    images: () => parts.images.count(),
    volumes: async () => (await parts.volumes.list(new Map())).Volumes.length,
    networks: parts.networks,
    events: () => parts.events.emitted,
    disk: () => freeSpace(parts.config.dataRoot),
    space,
    verified: () => {
      const last = parts.verification.last();
      return last === undefined ? undefined : { atSeconds: Date.parse(last.at) / 1000, problems: last.problems };
    },
  };
}

const buildTime = '2026-11-24T00:00:00.000000000+00:00';

function systemVersion(parts: SystemParts): SystemVersion {
  const Arch = goArch[arch()] ?? arch();
  const common = {
    ApiVersion: apiVersion,
    MinAPIVersion: minApiVersion,
    GitCommit: 'wherry',
    GoVersion: `node${process.version}`,
    Os: 'linux',
    Arch,
    KernelVersion: release(),
    BuildTime: buildTime,
  };
  return {
    Platform: { Name: `Wherry ${wherryVersion}` },
    Components: [
      {
        Name: 'Engine',
        Version: productVersion,
        Details: { ...common, Experimental: 'false' },
      },
      { Name: 'wherry', Version: wherryVersion, Details: { GitCommit: '' } },
      { Name: parts.standardRuntime.name, Version: parts.standardRuntime.version, Details: { GitCommit: '' } },
      { Name: 'conmon', Version: parts.conmonVersion, Details: { GitCommit: '' } },
    ],
    Version: productVersion,
    ...common,
  };
}

function operatingSystem(): { name: string; version: string } {
  let text = '';
  for (const file of ['/etc/os-release', '/usr/lib/os-release']) {
    try {
      text = readFileSync(file, 'utf8');
      break;
    } catch {
      // The next one may be there.
    }
  }
  const field = (name: string): string => new RegExp(`^${name}="?([^"\n]*)"?$`, 'm').exec(text)?.[1] ?? '';
  return { name: field('PRETTY_NAME') || 'Linux', version: field('VERSION_ID') };
}

/** By its magic number (statfs(2)), in Docker's words. */
const fileSystems: ReadonlyMap<number, string> = new Map([
  [0xef53, 'extfs'],
  [0x58465342, 'xfs'],
  [0x9123683e, 'btrfs'],
  [0x2fc12fc1, 'zfs'],
  [0x01021994, 'tmpfs'],
  [0x794c7630, 'overlayfs'],
  [0xf2f52010, 'f2fs'],
  [0x65735546, 'fuse'],
  [0x6969, 'nfs'],
]);

function fileSystemName(path: string): string {
  return fileSystems.get(statfsSync(path).type >>> 0) ?? '<unknown>';
}

function forwarding(): boolean {
  try {
    return readFileSync('/proc/sys/net/ipv4/ip_forward', 'utf8').trim() === '1';
  } catch {
    return false;
  }
}

async function systemInfo(parts: SystemParts): Promise<SystemInfo> {
  const { config, cgroups } = parts;
  const { names } = await parts.devices.list();
  const discovered = names.map((ID) => ({ Source: 'cdi', ID }));
  const rootless = privileges().inUserNamespace;
  const counts = parts.room.counts();
  const os = operatingSystem();
  const warnings = [...parts.warnings, ...parts.notices()];
  const has = (controller: string): boolean => cgroups.controllers.includes(controller);
  return {
    ID: parts.id,
    Containers: counts.total,
    ContainersRunning: counts.running,
    ContainersPaused: counts.paused,
    ContainersStopped: counts.stopped,
    Images: parts.images.count(),
    Driver: overlayDriver() === 'overlay' ? 'overlay2' : 'fuse-overlayfs',
    DriverStatus: [
      ['Backing Filesystem', fileSystemName(config.dataRoot)],
      ['Supports d_type', 'true'],
      ['Using metacopy', 'false'],
      ['Native Overlay Diff', String(!rootless)],
      ['userxattr', String(rootless)],
    ],
    DockerRootDir: config.dataRoot,
    Plugins: {
      Volume: ['local'],
      Network: ['bridge', 'host', 'ipvlan', 'macvlan', 'null'],
      Authorization: null,
      Log: ['journald', 'json-file', 'local', 'none', 'syslog'],
    },
    MemoryLimit: has('memory'),
    SwapLimit: parts.swapLimit,
    CpuCfsPeriod: has('cpu'),
    CpuCfsQuota: has('cpu'),
    CPUShares: has('cpu'),
    CPUSet: has('cpuset'),
    PidsLimit: has('pids'),
    OomKillDisable: cgroups.version === 1,
    IPv4Forwarding: forwarding(),
    Debug: config.debug,
    NFd: -1,
    NGoroutines: 1,
    SystemTime: formatNanos(nowNanos()),
    LoggingDriver: config.logDriver,
    CgroupDriver: parts.cgroupDriver,
    CgroupVersion: String(cgroups.version),
    NEventsListener: parts.events.listeners,
    KernelVersion: release(),
    OperatingSystem: os.name,
    OSVersion: os.version,
    OSType: 'linux',
    Architecture: uname[arch()] ?? arch(),
    NCPU: cpus().length,
    MemTotal: totalmem(),
    IndexServerAddress: 'https://index.docker.io/v1/',
    ...registryInfo(config),
    GenericResources: null,
    Name: hostname(),
    Labels: config.labels,
    ExperimentalBuild: false,
    ServerVersion: productVersion,
    Runtimes: Object.fromEntries(
      [...parts.runtimes].map(([name, program]) => [
        name,
        { path: program.path, ...(program.arguments.length > 0 ? { runtimeArgs: program.arguments } : {}) },
      ]),
    ),
    DefaultRuntime: parts.standardRuntime.name,
    Swarm: {
      NodeID: '',
      NodeAddr: '',
      LocalNodeState: 'inactive',
      ControlAvailable: false,
      Error: '',
      RemoteManagers: null,
    },
    LiveRestoreEnabled: true,
    Isolation: '',
    InitBinary: 'docker-init',
    ContainerdCommit: { ID: '' },
    RuncCommit: { ID: parts.standardRuntime.version },
    InitCommit: { ID: '' },
    SecurityOptions: [
      ...(parts.apparmor ? ['name=apparmor'] : []),
      'name=seccomp,profile=builtin',
      ...(config.usernsRemap === undefined ? [] : ['name=userns']),
      ...(rootless ? ['name=rootless'] : []),
      ...(cgroups.version === 2 ? ['name=cgroupns'] : []),
    ],
    ...(config.defaultAddressPools === undefined
      ? {}
      : { DefaultAddressPools: config.defaultAddressPools.map(({ base, size }) => ({ Base: base, Size: size })) }),
    CDISpecDirs: parts.devices.directories,
    ...(discovered.length === 0 ? {} : { DiscoveredDevices: discovered }),
    Warnings: warnings.length === 0 ? null : warnings,
  };
}

async function diskUsage(
  parts: SystemParts,
  types: ReadonlySet<'container' | 'image' | 'volume' | 'build-cache'>,
): Promise<DiskUsage> {
  const wants = (type: 'container' | 'image' | 'volume' | 'build-cache'): boolean =>
    types.size === 0 || types.has(type);
  // Logs have a row of their own in Wherry's `system df`: here Docker's meaning holds.
  const containers = (): Promise<ContainerSummary[]> =>
    parts.room.containers.list({ all: true, limit: 0, size: true, filters: new Map() });
  const volumes = async (): Promise<Volume[]> => {
    const { Volumes: list } = await parts.volumes.list(new Map());
    return Promise.all(
      list.map(async (volume) => ({
        ...volume,
        UsageData: {
          Size: await parts.volumes.usage(volume.Name),
          RefCount: parts.room.volumeUses(volume.Name).length,
        },
      })),
    );
  };
  const [LayersSize, Images, Containers, Volumes, cache] = await Promise.all([
    wants('image') ? parts.images.layersSize() : 0,
    wants('image') ? parts.images.summaries() : [],
    wants('container') ? containers() : [],
    wants('volume') ? volumes() : [],
    wants('build-cache') ? parts.builds.cache() : [],
  ]);
  return { LayersSize, Images, Containers, Volumes, BuildCache: cache.map(cacheEntry), BuilderSize: 0 };
}

function cacheEntry(record: BuildCacheRecord): BuildCacheEntry {
  return {
    ID: record.id,
    Parents: [...record.parents],
    Type: record.type,
    Description: record.description,
    InUse: record.inUse,
    Shared: record.shared,
    Size: record.size,
    CreatedAt: record.createdAt,
    LastUsedAt: record.lastUsedAt ?? null,
    UsageCount: record.usageCount,
  };
}
