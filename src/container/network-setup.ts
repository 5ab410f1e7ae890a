/** A container's network, from its configuration to a namespace with endpoints, names and published ports. */
import { readFileSync } from 'node:fs';
import { hostname as hostName } from 'node:os';
import type { EndpointConfig, EndpointSettings, PortMap } from '../api/index.ts';
import type { EndpointRequest } from '../network/index.ts';
import { Fault } from '../std/index.ts';
import type { Context, Live } from './context.ts';
import { find, requireRun } from './find.ts';
import type { ContainerRecord } from './record.ts';

export interface NetworkSetup {
  /** For the spec: undefined is the host's, a path is one to join. */
  namespace: string | undefined;
  sandbox: string | undefined;
  endpoints: Record<string, EndpointSettings>;
  ports: Record<string, { HostIp: string; HostPort: string }[]>;
  hostname: string;
  files: { hosts: string; resolvConf: string } | { sharedWith: string };
}

/** Aliases may be null on the wire. */
function aliases(config: EndpointConfig): string[] {
  return config.Aliases ?? [];
}

/** Names under which others on a user-defined network find the container. */
export function dnsNames(record: ContainerRecord, config: EndpointConfig): string[] {
  const names = [record.name, ...aliases(config), record.id.slice(0, 12), record.config.Hostname ?? ''];
  return [...new Set(names.filter((name) => name !== ''))];
}

export function isUserDefined(context: Context, network: string): boolean {
  const { name, driver } = context.networking.lookup(network);
  return name !== 'bridge' && driver !== 'host' && driver !== 'null';
}

/** Container links as "name:alias" → id and alias. @throws Fault not-found, conflict */
export function resolveLinks(
  context: Context,
  links: readonly string[] | null | undefined,
): { alias: string; containerId: string }[] {
  return (links ?? []).map((link) => {
    const [ref = '', alias] = link.replace(/^\//, '').split(':');
    const live = find(context, ref);
    return { alias: alias?.split('/').at(-1) || live.record.name, containerId: live.record.id };
  });
}

export function endpointRequest(
  context: Context,
  record: ContainerRecord,
  network: string,
  config: EndpointConfig,
): EndpointRequest {
  const linked =
    network === 'bridge'
      ? []
      : resolveLinks(
          context,
          config.Links ?? (network === record.hostConfig.NetworkMode ? record.hostConfig.Links : null),
        );
  return {
    network: config.NetworkID || network,
    config: {
      ...config,
      ...(record.config.MacAddress && !config.MacAddress ? { MacAddress: record.config.MacAddress } : {}),
    },
    dnsNames: isUserDefined(context, network) ? dnsNames(record, config) : [],
    links: linked,
  };
}

/** Sets up everything; what it made goes on `loans` at once. @throws Fault "failed to set up container networking: …" */
export async function setUpNetwork(
  context: Context,
  live: Live,
  loans: AsyncDisposableStack,
  namespaceOf: number | undefined,
): Promise<NetworkSetup> {
  try {
    return await setUp(context, live, loans, namespaceOf);
  } catch (error) {
    if (!(error instanceof Fault) || error.message.startsWith(joining)) throw error;
    throw new Fault(error.kind, `failed to set up container networking: ${error.message}`, { cause: error });
  }
}

const joining = 'joining network namespace of container: ';

/** The running container whose namespace is shared. @throws Fault not-found, conflict */
function joined(context: Context, ref: string): Live {
  try {
    return find(context, ref);
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    throw new Fault(error.kind, `${joining}${error.message}`, { cause: error });
  }
}

async function setUp(
  context: Context,
  live: Live,
  loans: AsyncDisposableStack,
  namespaceOf: number | undefined,
): Promise<NetworkSetup> {
  const { record } = live;
  const mode = record.hostConfig.NetworkMode ?? 'bridge';
  const hostname = record.config.Hostname || hostName();
  if (record.config.NetworkDisabled) return isolated(context, live, loans, hostname, namespaceOf);
  if (mode.startsWith('container:')) {
    const other = joined(context, mode.slice('container:'.length));
    const run = context.live.get(other.record.id)?.run;
    if (run === undefined)
      throw new Fault('conflict', `cannot join network of a non running container: ${other.record.id}`);
    return {
      namespace: `/proc/${run.pid}/ns/net`,
      sandbox: undefined,
      endpoints: {},
      ports: {},
      hostname: other.record.config.Hostname || hostName(),
      files: { sharedWith: other.record.id },
    };
  }
  if (mode === 'host') {
    const hosts = `${readHostFile('/etc/hosts')}${extraHosts(context, record)}`;
    const resolvConf = await context.networking.resolvConf({
      embedded: false,
      dns: record.hostConfig.Dns ?? [],
      search: record.hostConfig.DnsSearch ?? [],
      options: record.hostConfig.DnsOptions ?? [],
    });
    return {
      namespace: undefined,
      sandbox: undefined,
      endpoints: { host: emptyEndpoint(context, 'host', record) },
      ports: {},
      hostname,
      files: { hosts, resolvConf },
    };
  }
  if (mode === 'none') return isolated(context, live, loans, hostname, namespaceOf);

  const { path } = await context.networking.openSandbox(record.id, { namespaceOf });
  loans.defer(() => context.networking.closeSandbox(record.id));
  const endpoints: Record<string, EndpointSettings> = {};
  for (const [name, config] of Object.entries(record.networks)) {
    endpoints[name] = await context.networking.connect(
      record.id,
      record.name,
      endpointRequest(context, record, name, config),
    );
  }
  const ports = await publish(context, record);
  const embedded = Object.keys(record.networks).some((name) => isUserDefined(context, name));
  const dns = {
    dns: record.hostConfig.Dns ?? [],
    search: record.hostConfig.DnsSearch ?? [],
    options: record.hostConfig.DnsOptions ?? [],
  };
  if (embedded) await context.networking.serveNames(record.id, dns);
  const resolvConf = await context.networking.resolvConf({ embedded, ...dns });
  return {
    namespace: path,
    sandbox: path,
    endpoints,
    ports,
    hostname,
    files: { hosts: hostsFile(context, record, endpoints), resolvConf },
  };
}

async function isolated(
  context: Context,
  live: Live,
  loans: AsyncDisposableStack,
  hostname: string,
  namespaceOf: number | undefined,
): Promise<NetworkSetup> {
  const { record } = live;
  const { path } = await context.networking.openSandbox(record.id, { namespaceOf });
  loans.defer(() => context.networking.closeSandbox(record.id));
  const resolvConf = await context.networking.resolvConf({
    embedded: false,
    dns: record.hostConfig.Dns ?? [],
    search: record.hostConfig.DnsSearch ?? [],
    options: record.hostConfig.DnsOptions ?? [],
  });
  const endpoints: Record<string, EndpointSettings> = record.config.NetworkDisabled
    ? {}
    : { none: emptyEndpoint(context, 'none', record) };
  return {
    namespace: path,
    sandbox: path,
    endpoints,
    ports: {},
    hostname,
    files: { hosts: hostsFile(context, record, {}), resolvConf },
  };
}

/** The ports to publish: what was asked, and with -P every exposed port that was not. */
export function requestedPorts(record: ContainerRecord): PortMap {
  const bindings: PortMap = {};
  const key = (port: string): string => (port.includes('/') ? port.toLowerCase() : `${port}/tcp`);
  for (const [port, wanted] of Object.entries(record.hostConfig.PortBindings ?? {})) {
    bindings[key(port)] = (wanted ?? []).length === 0 ? [{ HostIp: '', HostPort: '' }] : wanted;
  }
  if (record.hostConfig.PublishAllPorts) {
    for (const port of Object.keys(record.config.ExposedPorts ?? {}))
      bindings[key(port)] ??= [{ HostIp: '', HostPort: '' }];
  }
  return bindings;
}

async function publish(context: Context, record: ContainerRecord): Promise<NetworkSetup['ports']> {
  const bindings = requestedPorts(record);
  if (Object.keys(bindings).length === 0) return {};
  return context.networking.publish(record.id, { bindings, containerName: record.name });
}

/** An attachment as inspect shows it before the start, after the stop, and for host and none. */
export function emptyEndpoint(
  context: Context,
  network: string,
  record: ContainerRecord,
  config: EndpointConfig = {},
): EndpointSettings {
  let id = '';
  try {
    id = context.networking.lookup(config.NetworkID || network).id;
  } catch {
    // A network that is gone has no id to show.
  }
  return {
    IPAMConfig: config.IPAMConfig ?? null,
    Links: config.Links ?? null,
    Aliases: config.Aliases ?? null,
    MacAddress: config.MacAddress ?? '',
    DriverOpts: config.DriverOpts ?? null,
    GwPriority: config.GwPriority ?? 0,
    NetworkID: id,
    EndpointID: '',
    Gateway: '',
    IPAddress: '',
    IPPrefixLen: 0,
    IPv6Gateway: '',
    GlobalIPv6Address: '',
    GlobalIPv6PrefixLen: 0,
    DNSNames: isNamed(network) ? dnsNames(record, config) : null,
  };
}

function isNamed(network: string): boolean {
  return !['bridge', 'host', 'none'].includes(network);
}

function readHostFile(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '127.0.0.1\tlocalhost\n';
  }
}

/** Lines of /etc/hosts for `name:address`; `host-gateway` is the address of `network`'s host, undefined of the default bridge's. */
export function extraHostLines(
  networking: Pick<Context['networking'], 'hostGateway'>,
  hosts: readonly string[],
  network: string | undefined,
): string {
  return hosts
    .map((line) => {
      const [, name = '', address = ''] = /^([^:=]+)[:=](.*)$/.exec(line) ?? [];
      const resolved =
        address === 'host-gateway' ? networking.hostGateway(network) : address.replace(/^\[(.*)\]$/, '$1');
      return `${resolved}\t${name}\n`;
    })
    .join('');
}

function extraHosts(context: Context, record: ContainerRecord): string {
  const mode = record.hostConfig.NetworkMode ?? 'bridge';
  const network = mode === 'host' || mode === 'none' ? undefined : mode;
  return extraHostLines(context.networking, record.hostConfig.ExtraHosts ?? [], network);
}

/** /etc/hosts as Docker writes it. */
export function hostsFile(
  context: Context,
  record: ContainerRecord,
  endpoints: Record<string, EndpointSettings>,
): string {
  const { Hostname = '', Domainname = '' } = record.config;
  const self = Domainname ? `${Hostname}.${Domainname} ${Hostname}` : Hostname;
  let text =
    '127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nfe00::\tip6-localnet\nff00::\tip6-mcastprefix\nff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n';
  text += extraHosts(context, record);
  if (record.hostConfig.NetworkMode === 'bridge') {
    for (const { alias, containerId } of resolveLinks(context, record.hostConfig.Links)) {
      const other = find(context, containerId);
      const address = requireRun(other).endpoints['bridge']?.IPAddress;
      if (!address)
        throw new Fault(
          'invalid',
          `Cannot link to ${other.record.name}, as it does not belong to the default bridge network`,
        );
      text += `${address}\t${[...new Set([alias, other.record.config.Hostname ?? '', other.record.name])].filter(Boolean).join(' ')}\n`;
    }
  }
  for (const endpoint of Object.values(endpoints)) {
    if (endpoint.IPAddress) text += `${endpoint.IPAddress}\t${self}\n`;
    if (endpoint.GlobalIPv6Address) text += `${endpoint.GlobalIPv6Address}\t${self}\n`;
  }
  return text;
}

/** Environment that legacy links bring: ALIAS_PORT_80_TCP_ADDR and so on. */
export function linkEnvironment(context: Context, record: ContainerRecord): string[] {
  if (record.hostConfig.NetworkMode !== 'bridge') return [];
  return resolveLinks(context, record.hostConfig.Links).flatMap(({ alias, containerId }) => {
    const other = find(context, containerId);
    const address = other.run?.endpoints['bridge']?.IPAddress ?? '';
    const name = alias.toUpperCase().replaceAll('-', '_');
    const environment = [`${name}_NAME=/${record.name}/${alias}`];
    const ports = Object.keys(other.record.config.ExposedPorts ?? {}).sort(
      (a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10),
    );
    ports.forEach((port, index) => {
      const [number = '', protocol = 'tcp'] = port.split('/');
      const prefix = `${name}_PORT_${number}_${protocol.toUpperCase()}`;
      if (index === 0) environment.push(`${name}_PORT=${protocol}://${address}:${number}`);
      environment.push(
        `${prefix}=${protocol}://${address}:${number}`,
        `${prefix}_ADDR=${address}`,
        `${prefix}_PORT=${number}`,
        `${prefix}_PROTO=${protocol}`,
      );
    });
    for (const entry of other.record.config.Env ?? [])
      if (!/^(HOME|PATH)=/.test(entry)) environment.push(`${name}_ENV_${entry}`);
    return environment;
  });
}
