/** What is remembered of a container: the API's own words as received and merged, and how its last run stands. */
import type {
  ContainerConfig,
  EndpointConfig,
  EndpointSettings,
  HealthState,
  HostConfig,
  MountPointInput,
} from '../api/index.ts';
import type { IdMapping } from '../linux/index.ts';

/** From ids on disk (`container`) to ids in the container (`host`). */
export type IdMapOption = IdMapping;

/** A mount decided at create: everything that start needs, nothing left to guess. */
export interface ContainerMount {
  type: 'bind' | 'volume' | 'tmpfs' | 'image';
  destination: string;
  /** Host path of a bind, name of a volume, image id; "" for tmpfs. */
  source: string;
  readOnly: boolean;
  /** What inspect shows as Mode. */
  mode: string;
  propagation: string;
  /** Volume made for this container without a name: removed with it. */
  anonymous: boolean;
  noCopy: boolean;
  subpath: string;
  driver: string;
  /** tmpfs options ("size=1m", …) or volume bind options. */
  options: string[];
  nonRecursive: boolean;
  readOnlyNonRecursive: boolean;
  readOnlyForceRecursive: boolean;
  createSource: boolean;
  /** Owners on disk are others in the container: as in its user namespace, or as it says. */
  idMap?: IdMapOption | 'container';
  /** The input it came from (HostConfig.Mounts), kept for inspect. */
  input?: MountPointInput;
}

/** Where a container stands when it does not run. */
export interface RestingState {
  status: 'created' | 'exited' | 'dead';
  exitCode: number;
  error: string;
  oomKilled: boolean;
  startedAt: string;
  finishedAt: string;
}

export interface ContainerRecord {
  id: string;
  name: string;
  /** RFC 3339 with nanoseconds. */
  created: string;
  createdNanos: string;
  path: string;
  args: string[];
  /** Image id. */
  image: string;
  /** Top layer, so that the snapshot can be told without the image. */
  chainId: string | undefined;
  platform: string;
  /** The client's config merged with the image's. */
  config: ContainerConfig;
  hostConfig: HostConfig;
  /** Requested endpoints by network name, in the order asked. */
  networks: Record<string, EndpointConfig>;
  mounts: ContainerMount[];
  state: RestingState;
  restartCount: number;
  /** Stopped or killed by a person: `unless-stopped` and `on-failure` stay down when the daemon comes back. */
  manuallyStopped: boolean;
  /** Was running when last written: tells a reboot from a clean stop. */
  wasRunning: boolean;
  restartUnhealthy: boolean;
}

/** A run in progress. Volatile: lives in the run root and is gone after a reboot. */
export interface RunState {
  id: string;
  bootId: string;
  pid: number;
  /** Field 22 of /proc/<pid>/stat: proves that the pid is still the same process. */
  startTicks: string;
  monitorPid: number;
  startedAt: string;
  paused: boolean;
  endpoints: Record<string, EndpointSettings>;
  ports: Record<string, { HostIp: string; HostPort: string }[]>;
  cgroup: string;
  sandbox: string | undefined;
  health?: HealthState;
  /** Of its user namespace; undefined: the host's. */
  idMapping?: IdMapping;
}
