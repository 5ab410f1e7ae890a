/**
 * The Engine API's own words (moby API 1.51), as they are on the wire. Inputs (`ContainerConfig`, `HostConfig`, …) are what
 * clients post: every field may be absent or null. Outputs are complete. Durations are nanoseconds, sizes bytes.
 */

export type Maybe<T> = T | null | undefined;

export interface HealthConfig {
  Test?: Maybe<string[]>;
  Interval?: number;
  Timeout?: number;
  StartPeriod?: number;
  StartInterval?: number;
  Retries?: number;
}

export interface ContainerConfig {
  Hostname?: string;
  Domainname?: string;
  User?: string;
  AttachStdin?: boolean;
  AttachStdout?: boolean;
  AttachStderr?: boolean;
  ExposedPorts?: Maybe<Record<string, object>>;
  Tty?: boolean;
  OpenStdin?: boolean;
  StdinOnce?: boolean;
  Env?: Maybe<string[]>;
  Cmd?: Maybe<string[]>;
  Healthcheck?: Maybe<HealthConfig>;
  ArgsEscaped?: boolean;
  Image?: string;
  Volumes?: Maybe<Record<string, object>>;
  WorkingDir?: string;
  Entrypoint?: Maybe<string[]>;
  NetworkDisabled?: boolean;
  MacAddress?: string;
  OnBuild?: Maybe<string[]>;
  Labels?: Maybe<Record<string, string>>;
  StopSignal?: string;
  StopTimeout?: Maybe<number>;
  Shell?: Maybe<string[]>;
}

export interface PortBinding {
  HostIp?: string;
  HostPort?: string;
}
/** Keyed "80/tcp". */
export type PortMap = Record<string, Maybe<PortBinding[]>>;

export interface RestartPolicy {
  Name?: string;
  MaximumRetryCount?: number;
}

export interface MountPointInput {
  Type?: string;
  Source?: string;
  Target?: string;
  ReadOnly?: boolean;
  Consistency?: string;
  BindOptions?: Maybe<{
    Propagation?: string;
    NonRecursive?: boolean;
    CreateMountpoint?: boolean;
    ReadOnlyNonRecursive?: boolean;
    ReadOnlyForceRecursive?: boolean;
  }>;
  VolumeOptions?: Maybe<{
    NoCopy?: boolean;
    Labels?: Maybe<Record<string, string>>;
    DriverConfig?: Maybe<{ Name?: string; Options?: Maybe<Record<string, string>> }>;
    Subpath?: string;
  }>;
  ImageOptions?: Maybe<{ Subpath?: string }>;
  TmpfsOptions?: Maybe<{ SizeBytes?: number; Mode?: number; Options?: Maybe<string[][]> }>;
}

export interface Ulimit {
  Name: string;
  Hard: number;
  Soft: number;
}
export interface DeviceMapping {
  PathOnHost: string;
  PathInContainer: string;
  CgroupPermissions: string;
}
export interface DeviceRequest {
  Driver?: string;
  Count?: number;
  DeviceIDs?: Maybe<string[]>;
  Capabilities?: Maybe<string[][]>;
  Options?: Maybe<Record<string, string>>;
}
export interface WeightDevice {
  Path: string;
  Weight: number;
}
export interface ThrottleDevice {
  Path: string;
  Rate: number;
}

/** Limits that `update` can change too. */
export interface Resources {
  CpuShares?: number;
  Memory?: number;
  CgroupParent?: string;
  BlkioWeight?: number;
  BlkioWeightDevice?: Maybe<WeightDevice[]>;
  BlkioDeviceReadBps?: Maybe<ThrottleDevice[]>;
  BlkioDeviceWriteBps?: Maybe<ThrottleDevice[]>;
  BlkioDeviceReadIOps?: Maybe<ThrottleDevice[]>;
  BlkioDeviceWriteIOps?: Maybe<ThrottleDevice[]>;
  CpuPeriod?: number;
  CpuQuota?: number;
  CpuRealtimePeriod?: number;
  CpuRealtimeRuntime?: number;
  CpusetCpus?: string;
  CpusetMems?: string;
  Devices?: Maybe<DeviceMapping[]>;
  DeviceCgroupRules?: Maybe<string[]>;
  DeviceRequests?: Maybe<DeviceRequest[]>;
  MemoryReservation?: number;
  MemorySwap?: number;
  MemorySwappiness?: Maybe<number>;
  NanoCpus?: number;
  OomKillDisable?: Maybe<boolean>;
  Init?: Maybe<boolean>;
  PidsLimit?: Maybe<number>;
  Ulimits?: Maybe<Ulimit[]>;
  CpuCount?: number;
  CpuPercent?: number;
  IOMaximumIOps?: number;
  IOMaximumBandwidth?: number;
}

export interface HostConfig extends Resources {
  Binds?: Maybe<string[]>;
  ContainerIDFile?: string;
  LogConfig?: Maybe<{ Type?: string; Config?: Maybe<Record<string, string>> }>;
  NetworkMode?: string;
  PortBindings?: Maybe<PortMap>;
  RestartPolicy?: Maybe<RestartPolicy>;
  AutoRemove?: boolean;
  VolumeDriver?: string;
  VolumesFrom?: Maybe<string[]>;
  Mounts?: Maybe<MountPointInput[]>;
  ConsoleSize?: Maybe<[number, number]>;
  Annotations?: Maybe<Record<string, string>>;
  CapAdd?: Maybe<string[]>;
  CapDrop?: Maybe<string[]>;
  CgroupnsMode?: string;
  Dns?: Maybe<string[]>;
  DnsOptions?: Maybe<string[]>;
  DnsSearch?: Maybe<string[]>;
  ExtraHosts?: Maybe<string[]>;
  GroupAdd?: Maybe<string[]>;
  IpcMode?: string;
  Cgroup?: string;
  Links?: Maybe<string[]>;
  OomScoreAdj?: number;
  PidMode?: string;
  Privileged?: boolean;
  PublishAllPorts?: boolean;
  ReadonlyRootfs?: boolean;
  SecurityOpt?: Maybe<string[]>;
  StorageOpt?: Maybe<Record<string, string>>;
  Tmpfs?: Maybe<Record<string, string>>;
  UTSMode?: string;
  UsernsMode?: string;
  ShmSize?: number;
  Sysctls?: Maybe<Record<string, string>>;
  Runtime?: string;
  Isolation?: string;
  MaskedPaths?: Maybe<string[]>;
  ReadonlyPaths?: Maybe<string[]>;
}

/** What a client asks of one attachment to a network. */
export interface EndpointConfig {
  IPAMConfig?: Maybe<{ IPv4Address?: string; IPv6Address?: string; LinkLocalIPs?: Maybe<string[]> }>;
  Links?: Maybe<string[]>;
  Aliases?: Maybe<string[]>;
  MacAddress?: string;
  DriverOpts?: Maybe<Record<string, string>>;
  GwPriority?: number;
  NetworkID?: string;
}

export interface EndpointSettings extends EndpointConfig {
  NetworkID: string;
  EndpointID: string;
  Gateway: string;
  IPAddress: string;
  IPPrefixLen: number;
  IPv6Gateway: string;
  GlobalIPv6Address: string;
  GlobalIPv6PrefixLen: number;
  DNSNames: string[] | null;
}

export interface NetworkingConfig {
  EndpointsConfig?: Maybe<Record<string, Maybe<EndpointConfig>>>;
}

export interface ContainerCreateBody extends ContainerConfig {
  HostConfig?: Maybe<HostConfig>;
  NetworkingConfig?: Maybe<NetworkingConfig>;
}

export interface ContainerUpdateBody extends Resources {
  RestartPolicy?: Maybe<RestartPolicy>;
}

export interface HealthLogEntry {
  Start: string;
  End: string;
  ExitCode: number;
  Output: string;
}
export interface HealthState {
  Status: 'starting' | 'healthy' | 'unhealthy';
  FailingStreak: number;
  Log: HealthLogEntry[];
}

export type ContainerStatus = 'created' | 'running' | 'paused' | 'restarting' | 'removing' | 'exited' | 'dead';

export interface ContainerState {
  Status: ContainerStatus;
  Running: boolean;
  Paused: boolean;
  Restarting: boolean;
  OOMKilled: boolean;
  Dead: boolean;
  Pid: number;
  ExitCode: number;
  Error: string;
  StartedAt: string;
  FinishedAt: string;
  Health?: HealthState;
}

export interface MountPoint {
  Type: string;
  Name?: string;
  Source: string;
  Destination: string;
  Driver?: string;
  Mode: string;
  RW: boolean;
  Propagation: string;
}

export interface NetworkSettings {
  Bridge: string;
  SandboxID: string;
  SandboxKey: string;
  Ports: Record<string, PortBinding[] | null>;
  HairpinMode: boolean;
  LinkLocalIPv6Address: string;
  LinkLocalIPv6PrefixLen: number;
  SecondaryIPAddresses: null;
  SecondaryIPv6Addresses: null;
  EndpointID: string;
  Gateway: string;
  GlobalIPv6Address: string;
  GlobalIPv6PrefixLen: number;
  IPAddress: string;
  IPPrefixLen: number;
  IPv6Gateway: string;
  MacAddress: string;
  Networks: Record<string, EndpointSettings>;
}

export interface ContainerInspect {
  Id: string;
  Created: string;
  Path: string;
  Args: string[];
  State: ContainerState;
  Image: string;
  ResolvConfPath: string;
  HostnamePath: string;
  HostsPath: string;
  LogPath: string;
  Name: string;
  RestartCount: number;
  Driver: string;
  Platform: string;
  MountLabel: string;
  ProcessLabel: string;
  AppArmorProfile: string;
  ExecIDs: string[] | null;
  HostConfig: HostConfig;
  GraphDriver: { Data: Record<string, string> | null; Name: string };
  SizeRw?: number;
  SizeRootFs?: number;
  Mounts: MountPoint[];
  Config: ContainerConfig;
  NetworkSettings: NetworkSettings;
}

export interface Port {
  IP?: string;
  PrivatePort: number;
  PublicPort?: number;
  Type: string;
}

export interface ContainerSummary {
  Id: string;
  Names: string[];
  Image: string;
  ImageID: string;
  Command: string;
  Created: number;
  Ports: Port[];
  SizeRw?: number;
  SizeRootFs?: number;
  Labels: Record<string, string>;
  State: ContainerStatus;
  Status: string;
  HostConfig: { NetworkMode: string; Annotations?: Record<string, string> };
  NetworkSettings: { Networks: Record<string, EndpointSettings> };
  Mounts: MountPoint[];
}

export interface ExecCreateBody {
  AttachStdin?: boolean;
  AttachStdout?: boolean;
  AttachStderr?: boolean;
  DetachKeys?: string;
  Tty?: boolean;
  Cmd?: Maybe<string[]>;
  Env?: Maybe<string[]>;
  User?: string;
  WorkingDir?: string;
  Privileged?: boolean;
  ConsoleSize?: Maybe<[number, number]>;
}

export interface ExecInspect {
  ID: string;
  Running: boolean;
  ExitCode: number | null;
  ProcessConfig: { tty: boolean; entrypoint: string; arguments: string[]; privileged: boolean; user?: string };
  OpenStdin: boolean;
  OpenStderr: boolean;
  OpenStdout: boolean;
  CanRemove: boolean;
  ContainerID: string;
  DetachKeys: string;
  Pid: number;
}

export interface ContainerTop {
  Titles: string[];
  Processes: string[][];
}

export interface FilesystemChange {
  Path: string;
  /** 0 modified, 1 added, 2 deleted. */
  Kind: 0 | 1 | 2;
}

export interface CpuStats {
  cpu_usage: { total_usage: number; usage_in_kernelmode: number; usage_in_usermode: number; percpu_usage?: number[] };
  system_cpu_usage?: number;
  online_cpus?: number;
  throttling_data: { periods: number; throttled_periods: number; throttled_time: number };
}

export interface BlkioEntry {
  major: number;
  minor: number;
  op: string;
  value: number;
}

export interface NetworkStats {
  rx_bytes: number;
  rx_packets: number;
  rx_errors: number;
  rx_dropped: number;
  tx_bytes: number;
  tx_packets: number;
  tx_errors: number;
  tx_dropped: number;
}

export interface ContainerStats {
  name: string;
  id: string;
  read: string;
  preread: string;
  pids_stats: { current?: number; limit?: number };
  blkio_stats: {
    io_service_bytes_recursive: BlkioEntry[] | null;
    io_serviced_recursive: BlkioEntry[] | null;
    io_queue_recursive: BlkioEntry[] | null;
    io_service_time_recursive: BlkioEntry[] | null;
    io_wait_time_recursive: BlkioEntry[] | null;
    io_merged_recursive: BlkioEntry[] | null;
    io_time_recursive: BlkioEntry[] | null;
    sectors_recursive: BlkioEntry[] | null;
  };
  num_procs: number;
  storage_stats: object;
  cpu_stats: CpuStats;
  precpu_stats: CpuStats;
  memory_stats: {
    usage?: number;
    max_usage?: number;
    failcnt?: number;
    limit?: number;
    stats?: Record<string, number>;
  };
  networks?: Record<string, NetworkStats>;
}

export interface ImageSummary {
  Id: string;
  ParentId: string;
  RepoTags: string[];
  RepoDigests: string[];
  Created: number;
  Size: number;
  SharedSize: number;
  Labels: Record<string, string> | null;
  Containers: number;
  Manifests?: ImageManifestSummary[];
}

/** One platform of an image, since API 1.47 where it is asked for. Sizes in bytes. */
export interface ImageManifestSummary {
  ID: string;
  Descriptor: { mediaType: string; digest: string; size: number };
  /** Whether its content is here; of one that is not, sizes are 0. */
  Available: boolean;
  Size: { Content: number; Total: number };
  Kind: 'image';
  ImageData: {
    Platform: { os: string; architecture: string; variant?: string };
    /** Ids of the containers that use it. */
    Containers: string[];
    Size: { Unpacked: number };
  };
}

export interface ImageInspect {
  Id: string;
  RepoTags: string[];
  RepoDigests: string[];
  Parent: string;
  Comment: string;
  Created: string;
  DockerVersion: string;
  Author: string;
  Config: ContainerConfig | null;
  Architecture: string;
  Variant?: string;
  Os: string;
  OsVersion?: string;
  Size: number;
  GraphDriver: { Data: Record<string, string> | null; Name: string };
  RootFS: { Type: string; Layers?: string[] };
  Metadata: { LastTagTime: string };
}

/**
 * Wherry's own: one line of what differs between two images, in this order: `images`, then `config`, `package` and `file` lines as far
 * as anything differs, then `summary`.
 */
export type ImageDifference =
  | { Kind: 'images'; From: ComparedImage; To: ComparedImage; SharedLayers: number }
  | {
      Kind: 'config';
      /** "User", "Env.PATH", "Labels.a", "ExposedPorts.80/tcp". */
      Key: string;
      /** null where it is not set. */
      From: string | null;
      To: string | null;
    }
  | { Kind: 'package'; Manager: string; Name: string; From: string | null; To: string | null }
  | {
      Kind: 'file';
      /** Absolute. Bytes that are no UTF-8 show as U+FFFD; then PathBytes has them all. */
      Path: string;
      /** Base64. */
      PathBytes?: string;
      Change: 'added' | 'removed' | 'changed';
      /** What changed: type, content, mode, owner, target, device, attributes. */
      Fields?: string[];
      From?: ComparedFile;
      To?: ComparedFile;
    }
  | {
      Kind: 'summary';
      Config: number;
      Packages: number;
      /** Of files, directories and the rest. */
      Added: number;
      Removed: number;
      Changed: number;
      /** Bytes of content that came, and that went. */
      AddedSize: number;
      RemovedSize: number;
    };

export interface ComparedImage {
  Id: string;
  /** As it was asked for. */
  Name: string;
  /** Unpacked, in bytes. */
  Size: number;
  Layers: number;
}

export interface ComparedFile {
  Type: 'file' | 'directory' | 'symlink' | 'fifo' | 'character' | 'block' | 'socket';
  /** As chmod takes it: "0644". */
  Mode: string;
  Uid: number;
  Gid: number;
  /** Of a file's content. */
  Size: number;
  /** Of a symlink. */
  Target?: string;
}

/** Wherry's own: a layer of an image, bottom first. Sizes in bytes. */
export interface ImageLayer {
  /** Of the blob, as it is stored and pushed. */
  Digest: string;
  DiffId: string;
  MediaType: string;
  /** On disk, unpacked; 0 for one that is not. */
  Size: number;
  /** Of the blob, compressed or not; 0 when it is not here. */
  StoredSize: number;
  /** RFC 3339; empty where the image does not say. */
  Created: string;
  CreatedBy: string;
  /** The smallest image here that the layer came with. */
  From: { Id: string; Name: string };
  /** Registries and repositories that image is known from. */
  Repositories: string[];
  /** How it came to be here. */
  Origin: 'registry' | 'load' | 'import' | 'commit' | 'build' | 'unknown';
  /** Other images that stand on it: a name, or the short id of one without. */
  SharedWith: string[];
}

export interface ImageHistoryEntry {
  Id: string;
  Created: number;
  CreatedBy: string;
  Tags: string[] | null;
  Size: number;
  Comment: string;
}

export interface ImageDeleteEntry {
  Untagged?: string;
  Deleted?: string;
}

/** One line of a pull, push, load, import or build stream. */
export interface ProgressMessage {
  status?: string;
  id?: string;
  /** Bytes, unless `units` says otherwise. */
  progressDetail?: { current?: number; total?: number; units?: string };
  progress?: string;
  stream?: string;
  aux?: unknown;
  error?: string;
  errorDetail?: { code?: number; message: string };
}

export interface RegistryAuth {
  username?: string;
  password?: string;
  auth?: string;
  email?: string;
  serveraddress?: string;
  identitytoken?: string;
  registrytoken?: string;
}

export interface IpamPool {
  Subnet?: string;
  IPRange?: string;
  Gateway?: string;
  AuxiliaryAddresses?: Maybe<Record<string, string>>;
}

export interface NetworkCreateBody {
  Name: string;
  CheckDuplicate?: boolean;
  Driver?: string;
  Scope?: string;
  Internal?: boolean;
  Attachable?: boolean;
  Ingress?: boolean;
  EnableIPv4?: Maybe<boolean>;
  EnableIPv6?: Maybe<boolean>;
  IPAM?: Maybe<{ Driver?: string; Config?: Maybe<IpamPool[]>; Options?: Maybe<Record<string, string>> }>;
  Options?: Maybe<Record<string, string>>;
  Labels?: Maybe<Record<string, string>>;
  ConfigOnly?: boolean;
  ConfigFrom?: Maybe<{ Network?: string }>;
}

export interface NetworkInspect {
  Name: string;
  Id: string;
  Created: string;
  Scope: string;
  Driver: string;
  EnableIPv4: boolean;
  EnableIPv6: boolean;
  IPAM: { Driver: string; Options: Record<string, string> | null; Config: IpamPool[] };
  Internal: boolean;
  Attachable: boolean;
  Ingress: boolean;
  ConfigFrom: { Network: string };
  ConfigOnly: boolean;
  Containers: Record<
    string,
    { Name: string; EndpointID: string; MacAddress: string; IPv4Address: string; IPv6Address: string }
  >;
  Options: Record<string, string>;
  Labels: Record<string, string>;
}

export interface Volume {
  CreatedAt: string;
  Driver: string;
  Labels: Record<string, string> | null;
  Mountpoint: string;
  Name: string;
  Options: Record<string, string> | null;
  Scope: string;
  UsageData?: { Size: number; RefCount: number };
}

export interface VolumeCreateBody {
  Name?: string;
  Driver?: string;
  DriverOpts?: Maybe<Record<string, string>>;
  Labels?: Maybe<Record<string, string>>;
}

export interface EventMessage {
  Type: 'container' | 'image' | 'network' | 'volume' | 'daemon' | 'builder';
  Action: string;
  Actor: { ID: string; Attributes: Record<string, string> };
  scope: 'local';
  /** Nanoseconds since the epoch; the server prints `time` and `timeNano` from it. */
  timeNano: bigint;
}

export interface DiskUsage {
  LayersSize: number;
  Images: ImageSummary[];
  Containers: ContainerSummary[];
  Volumes: Volume[];
  BuildCache: BuildCacheEntry[];
  /** What older versions sum up; 0 in newer ones. */
  BuilderSize: number;
}

/** A record of the build cache as `system df` tells of it. */
export interface BuildCacheEntry {
  ID: string;
  /** Before 1.42, of which there was one. */
  Parent?: string;
  Parents?: string[];
  Type: string;
  Description: string;
  InUse: boolean;
  Shared: boolean;
  Size: number;
  CreatedAt: string;
  LastUsedAt: string | null;
  UsageCount: number;
}

export interface SystemVersion {
  Platform: { Name: string };
  Components: { Name: string; Version: string; Details: Record<string, string> }[];
  Version: string;
  ApiVersion: string;
  MinAPIVersion: string;
  GitCommit: string;
  GoVersion: string;
  Os: string;
  Arch: string;
  KernelVersion: string;
  BuildTime: string;
}

/** GET /info; keys as §1.5 of the Engine API lists them. */
export type SystemInfo = Record<string, unknown>;

export interface PruneReport {
  deleted: string[];
  reclaimed: number;
}

/** Filters as parsed from the query: key to the set of values asked for. */
export type Filters = ReadonlyMap<string, ReadonlySet<string>>;
