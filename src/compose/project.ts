/**
 * A project as it is once it is resolved: every short form is long, every variable replaced, every path absolute. Keys are the Compose
 * specification's; what Compose leaves out when it is empty is absent here. Sizes are bytes, durations nanoseconds, modes numbers.
 */

/** `x-…`: kept, printed, and not understood. */
export interface Extended {
  extensions?: Record<string, unknown>;
}

export interface Project extends Extended {
  name: string;
  /** Absolute. */
  workingDir: string;
  /** Absolute, in the order they were merged; what came on standard input is not among them. */
  composeFiles: string[];
  /** Absolute: the env files that the variables came from. */
  envFiles: string[];
  /** What variables were replaced with: the shell's and the env files'. */
  environment: Record<string, string>;
  profiles: string[];
  /** Names as docker-compose 1 made them (`--compatibility`). */
  compatibility?: boolean;
  /** Absolute: those of the env files that a person named. */
  askedEnvFiles: string[];
  services: Record<string, Service>;
  /** Those of profiles that are not active. */
  disabledServices: Record<string, Service>;
  networks: Record<string, Network>;
  volumes: Record<string, Volume>;
  secrets: Record<string, FileObject>;
  configs: Record<string, FileObject>;
  models: Record<string, Model>;
}

export type PullPolicy = string;

/** Null stands for a key without a value: taken from the environment where it has one. */
export type Mapping = Record<string, string | null>;

export interface Service extends Extended {
  name: string;
  profiles?: string[];
  annotations?: Record<string, string>;
  attach?: boolean;
  build?: Build;
  develop?: Develop;
  blkio_config?: BlkioConfig;
  cap_add?: string[];
  cap_drop?: string[];
  cgroup_parent?: string;
  cgroup?: string;
  cpu_count?: number;
  cpu_percent?: number;
  cpu_period?: number;
  cpu_quota?: number;
  cpu_rt_period?: number;
  cpu_rt_runtime?: number;
  cpus?: number;
  cpuset?: string;
  cpu_shares?: number;
  /** Null: the image's. Empty: none. */
  command: string[] | null;
  configs?: FileReference[];
  container_name?: string;
  credential_spec?: { config?: string; file?: string; registry?: string } & Extended;
  depends_on?: Record<string, Dependency>;
  deploy?: Deploy;
  device_cgroup_rules?: string[];
  devices?: DeviceMapping[];
  dns?: string[];
  dns_opt?: string[];
  dns_search?: string[];
  dockerfile?: string;
  domainname?: string;
  /** Null: the image's. Empty: none. */
  entrypoint: string[] | null;
  provider?: { type: string; options?: Record<string, string[]> } & Extended;
  environment?: Mapping;
  env_file?: EnvFile[];
  expose?: string[];
  extends?: { file?: string; service: string };
  external_links?: string[];
  /** Addresses by host. */
  extra_hosts?: Record<string, string[]>;
  group_add?: string[];
  gpus?: DeviceRequest[];
  hostname?: string;
  healthcheck?: Healthcheck;
  image?: string;
  init?: boolean;
  ipc?: string;
  isolation?: string;
  labels?: Record<string, string>;
  label_file?: string[];
  links?: string[];
  logging?: Logging;
  log_driver?: string;
  log_opt?: Record<string, string>;
  mem_limit?: number;
  mem_reservation?: number;
  memswap_limit?: number;
  mem_swappiness?: number;
  mac_address?: string;
  models?: Record<string, { endpoint_var?: string; model_var?: string } | null>;
  net?: string;
  network_mode?: string;
  networks?: Record<string, ServiceNetwork | null>;
  oom_kill_disable?: boolean;
  oom_score_adj?: number;
  pid?: string;
  pids_limit?: number;
  platform?: string;
  ports?: Port[];
  privileged?: boolean;
  pull_policy?: PullPolicy;
  read_only?: boolean;
  restart?: string;
  runtime?: string;
  scale?: number;
  secrets?: FileReference[];
  security_opt?: string[];
  shm_size?: number;
  stdin_open?: boolean;
  stop_grace_period?: number;
  stop_signal?: string;
  storage_opt?: Record<string, string>;
  sysctls?: Record<string, string>;
  tmpfs?: string[];
  tty?: boolean;
  ulimits?: Record<string, Ulimit>;
  use_api_socket?: boolean;
  user?: string;
  userns_mode?: string;
  uts?: string;
  volume_driver?: string;
  volumes?: ServiceVolume[];
  volumes_from?: string[];
  working_dir?: string;
  post_start?: Hook[];
  pre_stop?: Hook[];
}

export interface Build extends Extended {
  /** An absolute path, a URL, or `service:…` does not occur here. */
  context?: string;
  dockerfile?: string;
  dockerfile_inline?: string;
  entitlements?: string[];
  args?: Mapping;
  provenance?: string;
  sbom?: string;
  /** By id; the path of a key or socket, empty for the agent of the environment. */
  ssh?: Record<string, string>;
  labels?: Record<string, string>;
  cache_from?: string[];
  cache_to?: string[];
  no_cache?: boolean;
  /** By name: a path, a URL, `docker-image://…`, `service:…`. */
  additional_contexts?: Record<string, string>;
  pull?: boolean;
  extra_hosts?: Record<string, string[]>;
  isolation?: string;
  network?: string;
  target?: string;
  secrets?: FileReference[];
  shm_size?: number;
  tags?: string[];
  ulimits?: Record<string, Ulimit>;
  platforms?: string[];
  privileged?: boolean;
}

export interface Dependency extends Extended {
  condition: 'service_started' | 'service_healthy' | 'service_completed_successfully';
  restart?: boolean;
  required: boolean;
}

export interface Deploy extends Extended {
  mode?: string;
  replicas?: number;
  labels?: Record<string, string>;
  update_config?: Record<string, unknown>;
  rollback_config?: Record<string, unknown>;
  resources: { limits?: Resource; reservations?: Resource } & Extended;
  restart_policy?: { condition?: string; delay?: number; max_attempts?: number; window?: number } & Extended;
  placement: Record<string, unknown>;
  endpoint_mode?: string;
}

export interface Resource extends Extended {
  cpus?: number;
  memory?: number;
  pids?: number;
  devices?: DeviceRequest[];
  generic_resources?: { discrete_resource_spec?: { kind: string; value: number } }[];
}

export interface DeviceRequest extends Extended {
  capabilities?: string[];
  driver?: string;
  /** -1 is all. */
  count?: number;
  device_ids?: string[];
  options?: Record<string, string>;
}

export interface DeviceMapping extends Extended {
  source: string;
  target?: string;
  permissions?: string;
}

export interface BlkioConfig extends Extended {
  weight?: number;
  weight_device?: { path: string; weight: number }[];
  device_read_bps?: { path: string; rate: number }[];
  device_read_iops?: { path: string; rate: number }[];
  device_write_bps?: { path: string; rate: number }[];
  device_write_iops?: { path: string; rate: number }[];
}

export interface Healthcheck extends Extended {
  /** `NONE`, `CMD …` or `CMD-SHELL …`. */
  test?: string[];
  timeout?: number;
  interval?: number;
  retries?: number;
  start_period?: number;
  start_interval?: number;
  disable?: boolean;
}

export interface Logging extends Extended {
  driver?: string;
  options?: Record<string, string>;
}

export interface EnvFile {
  path: string;
  required: boolean;
  format?: string;
}

export interface ServiceNetwork extends Extended {
  aliases?: string[];
  driver_opts?: Record<string, string>;
  gw_priority?: number;
  interface_name?: string;
  ipv4_address?: string;
  ipv6_address?: string;
  link_local_ips?: string[];
  mac_address?: string;
  priority?: number;
}

export interface Port extends Extended {
  name?: string;
  mode?: string;
  host_ip?: string;
  target: number;
  /** A port or a range; absent for any free one. */
  published?: string;
  protocol?: string;
  app_protocol?: string;
}

export interface ServiceVolume extends Extended {
  type: 'volume' | 'bind' | 'tmpfs' | 'image' | 'npipe' | 'cluster';
  source?: string;
  target: string;
  read_only?: boolean;
  consistency?: string;
  bind?: { selinux?: string; propagation?: string; create_host_path?: boolean; recursive?: string } & Extended;
  volume?: { labels?: Record<string, string>; nocopy?: boolean; subpath?: string } & Extended;
  tmpfs?: { size?: number; mode?: number } & Extended;
  image?: { subpath?: string } & Extended;
}

/** A secret or config, as a service or a build uses it. */
export interface FileReference extends Extended {
  source: string;
  target?: string;
  uid?: string;
  gid?: string;
  mode?: number;
}

export interface Ulimit extends Extended {
  single?: number;
  soft?: number;
  hard?: number;
}

export interface Hook extends Extended {
  command: string[] | null;
  user?: string;
  privileged?: boolean;
  working_dir?: string;
  environment?: Mapping;
}

export interface Develop extends Extended {
  watch?: WatchRule[];
}

export interface WatchRule extends Extended {
  path: string;
  action: 'sync' | 'rebuild' | 'restart' | 'sync+restart' | 'sync+exec';
  target?: string;
  exec?: Hook;
  include?: string[];
  ignore?: string[];
  initial_sync?: boolean;
}

export interface Network extends Extended {
  /** The engine's name for it. */
  name: string;
  driver?: string;
  driver_opts?: Record<string, string>;
  ipam: { driver?: string; config?: IpamPool[] } & Extended;
  external?: boolean;
  internal?: boolean;
  attachable?: boolean;
  labels?: Record<string, string>;
  enable_ipv4?: boolean;
  enable_ipv6?: boolean;
}

export interface IpamPool extends Extended {
  subnet?: string;
  gateway?: string;
  ip_range?: string;
  aux_addresses?: Record<string, string>;
}

export interface Volume extends Extended {
  /** The engine's name for it. */
  name: string;
  driver?: string;
  driver_opts?: Record<string, string>;
  external?: boolean;
  labels?: Record<string, string>;
}

/** What a secret or a config is made of. */
export interface FileObject extends Extended {
  name: string;
  /** Absolute. */
  file?: string;
  /** A variable's name. */
  environment?: string;
  content?: string;
  external?: boolean;
  labels?: Record<string, string>;
  driver?: string;
  driver_opts?: Record<string, string>;
  template_driver?: string;
}

export interface Model extends Extended {
  name?: string;
  model: string;
  context_size?: number;
  runtime_flags?: string[];
}
