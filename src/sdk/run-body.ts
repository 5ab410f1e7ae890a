/** Options of `run` to what the Engine API is posted. Pure. */
import { resolve } from 'node:path';
import {
  type ContainerCreateBody,
  type EndpointConfig,
  type HealthConfig,
  type HostConfig,
  type MountPointInput,
  parsePublish,
  type PortMap,
  type Resources,
} from '../api/index.ts';
import { Fault, parseBytes } from '../std/index.ts';
import type { CommandLine, HealthcheckOption, Limits, NetworkOption, PortOption, RunOptions } from './run-options.ts';

export interface RunBody {
  body: ContainerCreateBody;
  /** Attached to after the creation: older daemons take one network only. */
  networks: readonly { name: string; config: EndpointConfig }[];
}

/** @param isLocal whether loopback of the daemon is ours. @throws Fault invalid */
export function runBody(options: RunOptions, isLocal: boolean): RunBody {
  const [first, ...others] = (options.networks ?? []).map(networkOf);
  const ports = portsOf(options.ports ?? [], isLocal);
  const { HostConfig: given, ...config } = options.config ?? {};
  return {
    body: defined<ContainerCreateBody>({
      Image: options.image,
      Cmd: options.command === undefined ? undefined : words(options.command),
      Entrypoint: options.entrypoint === undefined ? undefined : [...options.entrypoint],
      Env: options.env === undefined ? undefined : environment(options.env),
      Labels: options.labels === undefined ? undefined : { ...options.labels },
      User: options.user,
      WorkingDir: options.workdir,
      Hostname: options.hostname,
      Tty: options.tty,
      StopSignal: options.stopSignal,
      StopTimeout: options.stopTimeoutMs === undefined ? undefined : Math.ceil(options.stopTimeoutMs / 1000),
      Healthcheck: healthcheckOf(options.healthcheck),
      ExposedPorts:
        options.ports === undefined ? undefined : Object.fromEntries(Object.keys(ports).map((port) => [port, {}])),
      NetworkingConfig: first === undefined ? undefined : { EndpointsConfig: endpoints(first) },
      ...config,
      HostConfig: defined<HostConfig>({
        PortBindings: options.ports === undefined ? undefined : ports,
        ...mountsOf(options.mounts ?? []),
        ...limitsOf(options.limits ?? {}),
        NetworkMode: first?.name,
        RestartPolicy: options.restart === undefined ? undefined : { Name: options.restart },
        AutoRemove: options.remove,
        ReadonlyRootfs: options.readOnly,
        Init: options.init,
        Privileged: options.privileged,
        ...given,
      }),
    }),
    networks: others,
  };
}

export function words(command: CommandLine): string[] {
  return typeof command === 'string' ? ['sh', '-c', command] : [...command];
}

export function environment(env: NonNullable<RunOptions['env']>): string[] {
  return Object.entries(env).flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${value}`]));
}

function portsOf(ports: readonly PortOption[], isLocal: boolean): PortMap {
  const map: PortMap = {};
  for (const option of ports) {
    for (const { port, protocol, ip, hostPort } of publishedOf(option, isLocal)) {
      const key = `${port}/${protocol}`;
      map[key] = [...(map[key] ?? []), { HostIp: ip, HostPort: hostPort }];
    }
  }
  return map;
}

function publishedOf(option: PortOption, isLocal: boolean): ReturnType<typeof parsePublish> {
  if (typeof option === 'string') return parsePublish(option);
  const given = typeof option === 'number' ? { container: option } : option;
  const { container, protocol = 'tcp', ip = isLocal ? '127.0.0.1' : '' } = given;
  if (!Number.isInteger(container) || container < 1 || container > 65_535)
    throw new Fault('invalid', `Cannot publish port ${container}: ports are numbers from 1 to 65535`);
  return [{ port: container, protocol, ip, hostPort: given.host === undefined ? '' : String(given.host) }];
}

function mountsOf(mounts: NonNullable<RunOptions['mounts']>): Pick<HostConfig, 'Binds' | 'Mounts'> {
  const binds: string[] = [];
  const inputs: MountPointInput[] = [];
  for (const mount of mounts) {
    if (typeof mount === 'string') {
      const colon = mount.indexOf(':');
      if (colon < 1) throw new Fault('invalid', `Cannot mount ${JSON.stringify(mount)}: give it as source:target`);
      const source = mount.slice(0, colon);
      binds.push((source.startsWith('.') ? resolve(source) : source) + mount.slice(colon));
      continue;
    }
    const common = { Target: mount.target, ReadOnly: 'readOnly' in mount ? (mount.readOnly ?? false) : false };
    if ('volume' in mount) {
      const options = mount.subpath === undefined ? {} : { VolumeOptions: { Subpath: mount.subpath } };
      inputs.push({ ...common, Type: 'volume', Source: nameOf(mount.volume), ...options });
    } else if ('bind' in mount) inputs.push({ ...common, Type: 'bind', Source: resolve(mount.bind) });
    else {
      const options = mount.sizeBytes === undefined ? {} : { TmpfsOptions: { SizeBytes: mount.sizeBytes } };
      inputs.push({ ...common, Type: 'tmpfs', ...options });
    }
  }
  return { ...(binds.length > 0 ? { Binds: binds } : {}), ...(inputs.length > 0 ? { Mounts: inputs } : {}) };
}

function networkOf(option: NetworkOption): { name: string; config: EndpointConfig } {
  if (typeof option === 'string' || 'name' in option) return { name: nameOf(option), config: {} };
  const { network, aliases, ip } = option;
  return {
    name: nameOf(network),
    config: {
      ...(aliases === undefined ? {} : { Aliases: [...aliases] }),
      ...(ip === undefined ? {} : { IPAMConfig: ip.includes(':') ? { IPv6Address: ip } : { IPv4Address: ip } }),
    },
  };
}

/** Nothing is said of a network that has no endpoints of its own. */
function endpoints({ name, config }: { name: string; config: EndpointConfig }): Record<string, EndpointConfig> {
  return Object.keys(config).length === 0 ? {} : { [name]: config };
}

export function nameOf(named: string | { readonly name: string }): string {
  return typeof named === 'string' ? named : named.name;
}

function limitsOf({ memory, cpus, pids }: Limits): Resources {
  return defined<Resources>({
    Memory: typeof memory === 'string' ? bytesOf(memory) : memory,
    NanoCpus: cpus === undefined ? undefined : Math.round(cpus * 1e9),
    PidsLimit: pids,
  });
}

function bytesOf(size: string): number {
  const bytes = parseBytes(size);
  if (bytes === undefined)
    throw new Fault('invalid', `invalid size: '${size}': give bytes, or a number with b, k, m or g`);
  return bytes;
}

function healthcheckOf(check: HealthcheckOption | false | undefined): HealthConfig | undefined {
  if (check === undefined) return undefined;
  if (check === false) return { Test: ['NONE'] };
  const nanos = (ms: number | undefined): number | undefined => (ms === undefined ? undefined : ms * 1e6);
  return defined<HealthConfig>({
    Test: typeof check.command === 'string' ? ['CMD-SHELL', check.command] : ['CMD', ...check.command],
    Interval: nanos(check.intervalMs),
    Timeout: nanos(check.timeoutMs),
    StartPeriod: nanos(check.startPeriodMs),
    StartInterval: nanos(check.startIntervalMs),
    Retries: check.retries,
  });
}

/** Without what is undefined: the daemon is told only what was said. */
function defined<T extends object>(value: { [K in keyof T]?: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined)) as T;
}
