/** What the container room and the engine may ask of networks. A sandbox is one container's network namespace. */
import type {
  EndpointConfig,
  EndpointSettings,
  Filters,
  NetworkCreateBody,
  NetworkInspect,
  NetworkStats,
  PortMap,
  Problem,
  PruneReport,
} from '../api/index.ts';

export interface NetworkEvent {
  action: 'create' | 'connect' | 'disconnect' | 'destroy' | 'remove';
  /** The network's id. */
  id: string;
  attributes: Record<string, string>;
}

export interface EndpointRequest {
  /** Name, id or id prefix of the network. */
  network: string;
  config: EndpointConfig;
  /** Names that other containers of this network may resolve to it: container name, short id, hostname, aliases. */
  dnsNames: string[];
  /** Names that only this container resolves: link alias to the linked container's addresses are asked at query time. */
  links: { alias: string; containerId: string }[];
}

export interface PublishRequest {
  /** "80/tcp" → bindings as clients send them (HostPort may be "", "0", "8000-8010"; HostIp may be ""). */
  bindings: PortMap;
  /** "host:port" owner shown in the conflict message of another publisher. */
  containerName: string;
}

/** A published port as it is, for `NetworkSettings.Ports`. */
export type PublishedPorts = Record<string, { HostIp: string; HostPort: string }[]>;

export interface Networking {
  // --- records: the API's verbs, without the container side ---
  list(filters: Filters): Promise<NetworkInspect[]>;
  /** By name, id, or unique id prefix; name wins. `Containers` is filled in. @throws Fault not-found `network x not found` */
  inspect(ref: string): Promise<NetworkInspect>;
  create(body: NetworkCreateBody): Promise<{ Id: string; Warning: string }>;
  /** @throws Fault forbidden for predefined networks and ones with active endpoints */
  remove(ref: string): Promise<void>;
  /** `inUse`: ids of networks that containers (running or not) name in their configuration. */
  prune(filters: Filters, options?: { inUse?: ReadonlySet<string> }): Promise<PruneReport>;
  /** The id and name behind a ref, and its driver; cheap and synchronous. @throws Fault not-found */
  lookup(ref: string): { id: string; name: string; driver: string };

  // --- sandboxes ---
  /** Makes (or takes a prewarmed, or takes over a process's new) network namespace with loopback up. Returns its path, valid until closed. */
  openSandbox(containerId: string, options?: { namespaceOf?: number | undefined }): Promise<{ path: string }>;
  /** Puts an endpoint into an open sandbox: link, addresses, routes, names. Returns what inspect shows. */
  connect(containerId: string, containerName: string, request: EndpointRequest): Promise<EndpointSettings>;
  disconnect(containerId: string, networkId: string): Promise<void>;
  /** Starts the embedded DNS server inside the sandbox at 127.0.0.11, forwarding to `dns` or the host's resolvers. */
  serveNames(containerId: string, options: { dns: string[]; search: string[]; options: string[] }): Promise<void>;
  /** Publishes ports of the sandbox's primary endpoint; all or nothing. @throws Fault internal with Docker's text and the owner */
  publish(containerId: string, request: PublishRequest): Promise<PublishedPorts>;
  /** Renames the container in names served and messages. */
  rename(containerId: string, name: string, dnsNames: Record<string, string[]>): void;
  /** Everything of the sandbox goes: endpoints, ports, names, the namespace. Idempotent. */
  closeSandbox(containerId: string): Promise<void>;
  /** Interface counters by interface name inside the sandbox (eth0, …). */
  statistics(containerId: string): Promise<Record<string, NetworkStats>>;
  /**
   * After a daemon restart: `alive` are the containers that still run, with a process of each. Their endpoints, ports and names are served again from
   * the records; every other sandbox is closed. Call once before any other sandbox call.
   */
  restore(alive: ReadonlyMap<string, number | undefined>): Promise<void>;

  // --- what containers need to know ---
  /** Lines for /etc/resolv.conf. `embedded` for user-defined networks (nameserver 127.0.0.11). */
  resolvConf(options: { embedded: boolean; dns: string[]; search: string[]; options: string[] }): Promise<string>;
  /** The address that `host-gateway` and `host.docker.internal` stand for on that network (default: the default bridge). */
  hostGateway(networkRef?: string): string;
  /** What is wrong with the records on disk. */
  check(): Promise<Problem[]>;
  close(): Promise<void>;
}

/** Holds ports on the host for a daemon that has a network namespace of its own (rootless). */
export interface HostPorts {
  /** All or none, in place of what the container had. `port` is where it comes in here, at the tap's addresses, one tap for each. @throws an error with `code` (EADDRINUSE, …) and the `index` of the port */
  hold(
    container: string,
    ports: readonly { protocol: 'tcp' | 'udp'; hostAddress: string; hostPort: number; port: number }[],
  ): Promise<HostTap[]>;
  release(container: string): Promise<void>;
  /** The containers that have some, also from before this daemon. */
  held(): Promise<ReadonlySet<string>>;
}

/** Our addresses where it comes in; '' where all comes over the loopback. */
export interface HostTap {
  address4: string;
  address6: string;
}

export interface NetworkingOptions {
  /** Persistent records (networks). */
  root: string;
  /** Volatile records and namespaces (sandboxes, endpoints): gone after a reboot. */
  runRoot: string;
  /** Name of the default bridge link ("wherry0"), or "none" to have no default bridge. */
  bridge: string;
  /** "172.30.0.1/26" for the default bridge; undefined picks a free one. */
  bip: string | undefined;
  bip6: string | undefined;
  /** Where containers of the default bridge get their addresses from; undefined: its whole subnet. */
  fixedCidr: string | undefined;
  /** Another machine of the default bridge's subnet, to which its containers send what leaves it. */
  defaultGateway: string | undefined;
  defaultGatewayV6: string | undefined;
  /** Options of networks that are made, by driver, where the request says nothing. */
  driverDefaults: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** Published ports may be reached at the containers' own addresses, too. */
  directRouting: boolean;
  /** Pools to cut networks from; undefined means the small defaults. */
  addressPools: { base: string; size: number }[] | undefined;
  /** Name of our nft table, one per daemon on a machine. */
  tableName: string;
  /** Default address that ports without one are published on ("" means every interface). */
  defaultPublishAddress: string;
  /** Leave published ports to the host firewall's input rules (users.md 1). */
  respectHostFirewall: boolean;
  dns: string[];
  dnsSearch: string[];
  dnsOptions: string[];
  hostGatewayIp: string | undefined;
  mtu: number;
  ipv6: boolean;
  fixedCidrV6: string | undefined;
  /** Talk between containers of the default bridge (--icc). */
  icc: boolean;
  userlandProxy: boolean;
  /** undefined: we are on the host ourselves. */
  hostPorts: HostPorts | undefined;
  emit: (event: NetworkEvent) => void;
}
