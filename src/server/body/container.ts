/** Bodies of container create, update and commit: shapes, and ports brought to the one spelling "80/tcp". */
import type {
  ContainerConfig,
  ContainerCreateBody,
  ContainerUpdateBody,
  EndpointConfig,
  HealthConfig,
  HostConfig,
  MountPointInput,
  NetworkingConfig,
  PortBinding,
  Resources,
  RestartPolicy,
} from '../../api/index.ts';
import { Fault } from '../../std/index.ts';
import {
  boolean,
  command,
  type Fields,
  integer,
  keySet,
  list,
  map,
  nullable,
  object,
  pair,
  record,
  type Shape,
  text,
  textMap,
  texts,
} from './shape.ts';

const health: Shape<HealthConfig> = object<HealthConfig>({
  Test: texts,
  Interval: integer,
  Timeout: integer,
  StartPeriod: integer,
  StartInterval: integer,
  Retries: integer,
});

const configFields: Fields<ContainerConfig> = {
  Hostname: text,
  Domainname: text,
  User: text,
  AttachStdin: boolean,
  AttachStdout: boolean,
  AttachStderr: boolean,
  ExposedPorts: (value, path) => withProtocols(keySet(value, path)),
  Tty: boolean,
  OpenStdin: boolean,
  StdinOnce: boolean,
  Env: texts,
  Cmd: command,
  Healthcheck: health,
  ArgsEscaped: boolean,
  Image: text,
  Volumes: keySet,
  WorkingDir: text,
  Entrypoint: command,
  NetworkDisabled: boolean,
  MacAddress: text,
  OnBuild: texts,
  Labels: textMap,
  StopSignal: text,
  StopTimeout: integer,
  Shell: command,
};

const throttles = list(object<{ Path: string; Rate: number }>({ Path: text, Rate: integer }));

const resourceFields: Fields<Resources> = {
  CpuShares: integer,
  Memory: integer,
  CgroupParent: text,
  BlkioWeight: integer,
  BlkioWeightDevice: list(object<{ Path: string; Weight: number }>({ Path: text, Weight: integer })),
  BlkioDeviceReadBps: throttles,
  BlkioDeviceWriteBps: throttles,
  BlkioDeviceReadIOps: throttles,
  BlkioDeviceWriteIOps: throttles,
  CpuPeriod: integer,
  CpuQuota: integer,
  CpuRealtimePeriod: integer,
  CpuRealtimeRuntime: integer,
  CpusetCpus: text,
  CpusetMems: text,
  Devices: list(
    object<{ PathOnHost: string; PathInContainer: string; CgroupPermissions: string }>({
      PathOnHost: text,
      PathInContainer: text,
      CgroupPermissions: text,
    }),
  ),
  DeviceCgroupRules: texts,
  DeviceRequests: list(
    object({ Driver: text, Count: integer, DeviceIDs: texts, Capabilities: list(texts), Options: textMap }),
  ),
  MemoryReservation: integer,
  MemorySwap: integer,
  MemorySwappiness: integer,
  NanoCpus: integer,
  OomKillDisable: boolean,
  Init: boolean,
  PidsLimit: integer,
  Ulimits: list(object<{ Name: string; Hard: number; Soft: number }>({ Name: text, Hard: integer, Soft: integer })),
  CpuCount: integer,
  CpuPercent: integer,
  IOMaximumIOps: integer,
  IOMaximumBandwidth: integer,
};

const restartPolicy = object<RestartPolicy>({ Name: text, MaximumRetryCount: integer });

const mount: Shape<MountPointInput> = object<MountPointInput>({
  Type: text,
  Source: text,
  Target: text,
  ReadOnly: boolean,
  Consistency: text,
  BindOptions: object({
    Propagation: text,
    NonRecursive: boolean,
    CreateMountpoint: boolean,
    ReadOnlyNonRecursive: boolean,
    ReadOnlyForceRecursive: boolean,
  }),
  VolumeOptions: object({
    NoCopy: boolean,
    Labels: textMap,
    DriverConfig: object({ Name: text, Options: textMap }),
    Subpath: text,
  }),
  ImageOptions: object({ Subpath: text }),
  TmpfsOptions: object({ SizeBytes: integer, Mode: integer, Options: list(texts) }),
});

const portBindings: Shape<PortBinding[] | null> = nullable(list(object<PortBinding>({ HostIp: text, HostPort: text })));

const hostConfig: Shape<HostConfig> = object<HostConfig>({
  ...resourceFields,
  Binds: texts,
  ContainerIDFile: text,
  LogConfig: object({ Type: text, Config: textMap }),
  NetworkMode: text,
  PortBindings: (value, path) => withProtocols(map(portBindings)(value, path)),
  RestartPolicy: restartPolicy,
  AutoRemove: boolean,
  VolumeDriver: text,
  VolumesFrom: texts,
  Mounts: list(mount),
  ConsoleSize: pair,
  Annotations: textMap,
  CapAdd: command,
  CapDrop: command,
  CgroupnsMode: text,
  Dns: texts,
  DnsOptions: texts,
  DnsSearch: texts,
  ExtraHosts: texts,
  GroupAdd: texts,
  IpcMode: text,
  Cgroup: text,
  Links: texts,
  OomScoreAdj: integer,
  PidMode: text,
  Privileged: boolean,
  PublishAllPorts: boolean,
  ReadonlyRootfs: boolean,
  SecurityOpt: texts,
  StorageOpt: textMap,
  Tmpfs: textMap,
  UTSMode: text,
  UsernsMode: text,
  ShmSize: integer,
  Sysctls: textMap,
  Runtime: text,
  Isolation: text,
  MaskedPaths: texts,
  ReadonlyPaths: texts,
});

export const endpointConfig: Shape<EndpointConfig> = object<EndpointConfig>({
  IPAMConfig: object({ IPv4Address: text, IPv6Address: text, LinkLocalIPs: texts }),
  Links: texts,
  Aliases: texts,
  MacAddress: text,
  DriverOpts: textMap,
  GwPriority: integer,
  NetworkID: text,
});

const networking: Shape<NetworkingConfig> = object<NetworkingConfig>({
  EndpointsConfig: map(nullable(endpointConfig)),
});

const createShape = object<ContainerCreateBody>({
  ...configFields,
  HostConfig: hostConfig,
  NetworkingConfig: networking,
});
const configShape = object<ContainerConfig>(configFields);
const updateShape = object<ContainerUpdateBody>({ ...resourceFields, RestartPolicy: restartPolicy });

/** @throws Fault invalid, also when no field of the configuration itself is there. */
export function parseCreateBody(value: unknown): ContainerCreateBody {
  const body = value === undefined || value === null ? {} : createShape(value, '');
  if (!Object.keys(body).some((key) => key !== 'HostConfig' && key !== 'NetworkingConfig')) {
    throw new Fault('invalid', 'Config cannot be empty in order to create a container');
  }
  return body;
}

export function parseUpdateBody(value: unknown): ContainerUpdateBody {
  return updateShape(value, '');
}

export function parseConfig(value: unknown): ContainerConfig {
  return configShape(record(value, ''), '');
}

/** Keys without a protocol are TCP. @throws Fault invalid for a key that is not a port. */
function withProtocols<T>(ports: Record<string, T>): Record<string, T> {
  const result: Record<string, T> = {};
  for (const [key, value] of Object.entries(ports)) {
    const match = /^(\d{1,5}(?:-\d{1,5})?)(?:\/(tcp|udp|sctp))?$/i.exec(key);
    if (match === null) throw new Fault('invalid', `invalid port specification: ${JSON.stringify(key)}`);
    result[`${match[1]}/${match[2]?.toLowerCase() ?? 'tcp'}`] = value;
  }
  return result;
}
