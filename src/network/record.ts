/** What is kept about networks, sandboxes and endpoints, and how a network looks to a client. Pure. */
import type { EndpointConfig, EndpointSettings, IpamPool, NetworkInspect } from '../api/index.ts';

export type DriverName = 'bridge' | 'host' | 'null' | 'macvlan' | 'ipvlan';

export interface NetworkPool {
  family: 4 | 6;
  subnet: string;
  /** Empty where the network has none. */
  gateway: string;
  /** Empty for the whole subnet. */
  range: string;
  auxiliary: Record<string, string>;
  /** The client named the subnet: only then may it name addresses. */
  configured: boolean;
}

/** One file in `networks/`, durable. */
export interface NetworkRecord {
  id: string;
  name: string;
  created: string;
  driver: DriverName;
  enableIPv4: boolean;
  enableIPv6: boolean;
  internal: boolean;
  attachable: boolean;
  ingress: boolean;
  configOnly: boolean;
  configFrom: string;
  ipamDriver: string;
  ipamOptions: Record<string, string> | null;
  pools: NetworkPool[];
  options: Record<string, string>;
  labels: Record<string, string>;
  /** The bridge, or the parent link of macvlan and ipvlan; empty for the others. */
  link: string;
  /** The link was made for this network and goes with it. */
  ownsLink: boolean;
}

export interface EndpointRecord {
  id: string;
  networkId: string;
  /** Inside: "eth0"; empty for host and none. */
  link: string;
  /** Outside: the pair's other end; empty where there is none. */
  hostLink: string;
  mac: string;
  /** Empty where the endpoint has none; the same for the other five. */
  address4: string;
  prefix4: number;
  gateway4: string;
  address6: string;
  prefix6: number;
  gateway6: string;
  names: string[];
  links: { alias: string; containerId: string }[];
  config: EndpointConfig;
}

export interface PublishedPort {
  /** "80/tcp" as the client wrote the key. */
  key: string;
  protocol: 'tcp' | 'udp' | 'sctp';
  containerPort: number;
  hostAddress: string;
  hostPort: number;
  /** Where it comes in, when the host is not here (rootless). */
  inside?: { port: number; address4: string; address6: string };
}

/** One file in `sandboxes/`, volatile: what a new daemon needs to serve a running container again. */
export interface SandboxRecord {
  containerId: string;
  containerName: string;
  /** Empty when the container shares the host's namespace. */
  path: string;
  endpoints: EndpointRecord[];
  published: PublishedPort[];
  names: { dns: string[]; search: string[]; options: string[] } | null;
}

export function isPredefined(name: string): boolean {
  return name === 'bridge' || name === 'host' || name === 'none';
}

/** The network as `GET /networks/{id}` shows it; without `sandboxes`, as lists do, `Containers` is empty. */
export function showNetwork(record: NetworkRecord, sandboxes: Iterable<SandboxRecord> = []): NetworkInspect {
  const containers: NetworkInspect['Containers'] = {};
  for (const sandbox of sandboxes) {
    for (const endpoint of sandbox.endpoints) {
      if (endpoint.networkId !== record.id) continue;
      containers[sandbox.containerId] = {
        Name: sandbox.containerName,
        EndpointID: endpoint.id,
        MacAddress: endpoint.mac,
        IPv4Address: endpoint.address4 === '' ? '' : `${endpoint.address4}/${endpoint.prefix4}`,
        IPv6Address: endpoint.address6 === '' ? '' : `${endpoint.address6}/${endpoint.prefix6}`,
      };
    }
  }
  return {
    Name: record.name,
    Id: record.id,
    Created: record.created,
    Scope: 'local',
    Driver: record.driver,
    EnableIPv4: record.enableIPv4,
    EnableIPv6: record.enableIPv6,
    IPAM: { Driver: record.ipamDriver, Options: record.ipamOptions, Config: record.pools.map(showPool) },
    Internal: record.internal,
    Attachable: record.attachable,
    Ingress: record.ingress,
    ConfigFrom: { Network: record.configFrom },
    ConfigOnly: record.configOnly,
    Containers: containers,
    Options: record.options,
    Labels: record.labels,
  };
}

function showPool(pool: NetworkPool): IpamPool {
  return {
    Subnet: pool.subnet,
    ...(pool.range === '' ? {} : { IPRange: pool.range }),
    ...(pool.gateway === '' ? {} : { Gateway: pool.gateway }),
    ...(Object.keys(pool.auxiliary).length === 0 ? {} : { AuxiliaryAddresses: pool.auxiliary }),
  };
}

/** The endpoint as container inspect shows it. */
export function showEndpoint(endpoint: EndpointRecord): EndpointSettings {
  return {
    IPAMConfig: endpoint.config.IPAMConfig ?? null,
    Links: endpoint.config.Links ?? null,
    Aliases: endpoint.config.Aliases ?? null,
    DriverOpts: endpoint.config.DriverOpts ?? null,
    GwPriority: endpoint.config.GwPriority ?? 0,
    NetworkID: endpoint.networkId,
    EndpointID: endpoint.id,
    Gateway: endpoint.gateway4,
    IPAddress: endpoint.address4,
    MacAddress: endpoint.mac,
    IPPrefixLen: endpoint.address4 === '' ? 0 : endpoint.prefix4,
    IPv6Gateway: endpoint.gateway6,
    GlobalIPv6Address: endpoint.address6,
    GlobalIPv6PrefixLen: endpoint.address6 === '' ? 0 : endpoint.prefix6,
    DNSNames: endpoint.names.length === 0 ? null : endpoint.names,
  };
}
