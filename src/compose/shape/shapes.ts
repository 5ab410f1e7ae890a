/** The attributes of a project's parts, in docker compose's order, and their kinds. */
import type { EnvFile } from '../project.ts';
import { type Fields, type Kind, kinds } from './kinds.ts';

const k = kinds;
const { text, strings, number, boolean, bytes, mapping, environment, struct } = k;

const reference = struct({ source: text, target: text, uid: text, gid: text, mode: k.mode });
const ulimits = k.mapOf(k.ulimit);
const device = struct({
  capabilities: strings,
  driver: text,
  count: k.count,
  device_ids: strings,
  options: mapping,
});
const hook = {
  command: k.command,
  user: text,
  privileged: boolean,
  working_dir: text,
  environment,
};
const throttles = k.listOf(struct({ path: text, rate: bytes }, { goNames: true }));
const update = struct({
  parallelism: k.maybeNumber,
  delay: k.duration,
  failure_action: text,
  monitor: k.duration,
  max_failure_ratio: number,
  order: text,
});
const resource = struct({
  cpus: number,
  memory: bytes,
  pids: number,
  devices: k.listOf(device),
  generic_resources: k.listOf(struct({ discrete_resource_spec: struct({ kind: text, value: k.maybeNumber }) })),
});

const build = struct({
  context: text,
  dockerfile: text,
  dockerfile_inline: text,
  entitlements: strings,
  args: environment,
  provenance: text,
  sbom: text,
  ssh: k.ssh,
  labels: mapping,
  cache_from: strings,
  cache_to: strings,
  no_cache: boolean,
  additional_contexts: mapping,
  pull: boolean,
  extra_hosts: k.hosts,
  isolation: text,
  network: text,
  target: text,
  secrets: k.listOf(reference),
  shm_size: bytes,
  tags: strings,
  ulimits,
  platforms: strings,
  privileged: boolean,
});

const deploy = struct({
  mode: text,
  replicas: k.maybeNumber,
  labels: mapping,
  update_config: update,
  rollback_config: update,
  resources: struct({ limits: resource, reservations: resource }, { always: true }),
  restart_policy: struct({
    condition: text,
    delay: k.duration,
    max_attempts: k.maybeNumber,
    window: k.duration,
  }),
  placement: struct(
    {
      constraints: strings,
      preferences: k.listOf(struct({ spread: text })),
      max_replicas_per_node: number,
    },
    { always: true },
  ),
  endpoint_mode: text,
});

const longEnvFile = struct({ path: text, required: k.plainBoolean, format: text });

/** A required one is only its path. */
const envFile: Kind<object> = {
  read: longEnvFile.read,
  print: (value, as) => {
    const { path, required } = value as EnvFile;
    if (required) return path;
    return longEnvFile.print(as === 'yaml' ? { path, required } : value, as);
  },
};

/** Name, and what is no attribute of the file, are not among them. */
export const serviceFields: Fields = {
  profiles: strings,
  annotations: mapping,
  attach: k.maybeBoolean,
  build,
  develop: struct({
    watch: k.listOf(
      struct({
        path: text,
        action: text,
        target: text,
        exec: struct(hook, { always: true }),
        include: strings,
        ignore: strings,
        initial_sync: boolean,
      }),
    ),
  }),
  blkio_config: struct({
    weight: number,
    weight_device: k.listOf(struct({ path: text, weight: number }, { goNames: true })),
    device_read_bps: throttles,
    device_read_iops: throttles,
    device_write_bps: throttles,
    device_write_iops: throttles,
  }),
  cap_add: strings,
  cap_drop: strings,
  cgroup_parent: text,
  cgroup: text,
  cpu_count: number,
  cpu_percent: number,
  cpu_period: number,
  cpu_quota: number,
  cpu_rt_period: number,
  cpu_rt_runtime: number,
  cpus: number,
  cpuset: text,
  cpu_shares: number,
  command: k.command,
  configs: k.listOf(reference),
  container_name: text,
  credential_spec: struct({ config: text, file: text, registry: text }),
  depends_on: k.mapOf(struct({ condition: text, restart: boolean, required: k.plainBoolean })),
  deploy,
  device_cgroup_rules: strings,
  devices: k.listOf(struct({ source: text, target: text, permissions: text })),
  dns: strings,
  dns_opt: strings,
  dns_search: strings,
  dockerfile: text,
  domainname: text,
  entrypoint: k.command,
  provider: struct({ type: text, options: k.lists }),
  environment,
  env_file: k.listOf(envFile),
  expose: strings,
  extends: struct({ file: text, service: text }),
  external_links: strings,
  extra_hosts: k.hosts,
  group_add: strings,
  gpus: k.listOf(device),
  hostname: text,
  healthcheck: struct({
    test: k.test,
    timeout: k.duration,
    interval: k.duration,
    retries: k.maybeNumber,
    start_period: k.duration,
    start_interval: k.duration,
    disable: boolean,
  }),
  image: text,
  init: k.maybeBoolean,
  ipc: text,
  isolation: text,
  labels: mapping,
  label_file: strings,
  links: strings,
  logging: struct({ driver: text, options: mapping }),
  log_driver: text,
  log_opt: mapping,
  mem_limit: bytes,
  mem_reservation: bytes,
  memswap_limit: bytes,
  mem_swappiness: bytes,
  mac_address: text,
  models: k.mapOf(struct({ endpoint_var: text, model_var: text }), { nullable: true }),
  net: text,
  network_mode: text,
  networks: k.mapOf(
    struct({
      aliases: strings,
      driver_opts: mapping,
      gw_priority: number,
      interface_name: text,
      ipv4_address: text,
      ipv6_address: text,
      link_local_ips: strings,
      mac_address: text,
      priority: number,
    }),
    { nullable: true },
  ),
  oom_kill_disable: boolean,
  oom_score_adj: number,
  pid: text,
  pids_limit: number,
  platform: text,
  ports: k.listOf(
    struct({
      name: text,
      mode: text,
      host_ip: text,
      target: number,
      published: text,
      protocol: text,
      app_protocol: text,
    }),
  ),
  privileged: boolean,
  pull_policy: text,
  read_only: boolean,
  restart: text,
  runtime: text,
  scale: k.maybeNumber,
  secrets: k.listOf(reference),
  security_opt: strings,
  shm_size: bytes,
  stdin_open: boolean,
  stop_grace_period: k.duration,
  stop_signal: text,
  storage_opt: mapping,
  sysctls: mapping,
  tmpfs: strings,
  tty: boolean,
  ulimits,
  use_api_socket: boolean,
  user: text,
  userns_mode: text,
  uts: text,
  volume_driver: text,
  volumes: k.listOf(
    struct({
      type: text,
      source: text,
      target: text,
      read_only: boolean,
      consistency: text,
      bind: struct({ selinux: text, propagation: text, create_host_path: boolean, recursive: text }),
      volume: struct({ labels: mapping, nocopy: boolean, subpath: text }),
      tmpfs: struct({ size: bytes, mode: number }),
      image: struct({ subpath: text }),
    }),
  ),
  volumes_from: strings,
  working_dir: text,
  post_start: k.listOf(struct(hook)),
  pre_stop: k.listOf(struct(hook)),
};

export const networkFields: Fields = {
  name: text,
  driver: text,
  driver_opts: mapping,
  ipam: struct(
    {
      driver: text,
      config: k.listOf(struct({ subnet: text, gateway: text, ip_range: text, aux_addresses: mapping })),
    },
    { always: true },
  ),
  external: boolean,
  internal: boolean,
  attachable: boolean,
  labels: mapping,
  enable_ipv4: k.maybeBoolean,
  enable_ipv6: k.maybeBoolean,
};

export const volumeFields: Fields = {
  name: text,
  driver: text,
  driver_opts: mapping,
  external: boolean,
  labels: mapping,
};

export const fileObjectFields: Fields = {
  name: text,
  file: text,
  environment: text,
  content: text,
  external: boolean,
  labels: mapping,
  driver: text,
  driver_opts: mapping,
  template_driver: text,
};

export const modelFields: Fields = {
  name: text,
  model: text,
  context_size: number,
  runtime_flags: strings,
};
