/** The door's answers, put together from the room's parts. */
import type {
  EndpointSettings,
  Filters,
  NetworkCreateBody,
  NetworkInspect,
  NetworkStats,
  Problem,
  PruneReport,
} from '../api/index.ts';
import type { Netlink } from '../linux/index.ts';
import { type Logger, messageOf } from '../std/index.ts';
import { DnsForwarder } from './dns-forward.ts';
import { serveDns } from './dns-server.ts';
import type { EndpointRequest, Networking, NetworkingOptions, PublishedPorts, PublishRequest } from './door.ts';
import type { Firewall } from './firewall.ts';
import type { NamespacePool } from './namespace-pool.ts';
import type { Networks } from './networks.ts';
import type { PortPublisher } from './port-publisher.ts';
import { primaryEndpoint } from './primary-endpoint.ts';
import { type NetworkRecord, type SandboxRecord, showNetwork } from './record.ts';
import { hostResolvers, renderResolvConf } from './resolv-conf.ts';
import { sandboxNames } from './sandbox-names.ts';
import type { Sandbox, Sandboxes } from './sandboxes.ts';

/** How often it is looked whether the host's firewall and links still have what is ours. */
const MEND_MS = 10_000;

export interface NetworkingParts {
  options: NetworkingOptions;
  route: Netlink;
  firewall: Firewall;
  networks: Networks;
  sandboxes: Sandboxes;
  publisher: PortPublisher;
  pool: NamespacePool;
  logger: Logger;
}

export class LocalNetworking implements Networking {
  readonly #parts: NetworkingParts;
  readonly #forwarder = new DnsForwarder();
  readonly #watch: NodeJS.Timeout;
  #turn = 0;
  #closed = false;

  constructor(parts: NetworkingParts) {
    this.#parts = parts;
    this.#watch = setInterval(() => this.#mend(), MEND_MS);
    this.#watch.unref();
  }

  /** What somebody flushed or deleted on the host comes back without waiting for the next container. */
  #mend(): void {
    const { firewall, networks, sandboxes, logger } = this.#parts;
    firewall.check();
    for (const network of networks.all()) {
      try {
        sandboxes.mend(network);
      } catch (error) {
        logger.error('cannot restore a bridge', { network: network.name, error: messageOf(error) });
      }
    }
  }

  list(filters: Filters): Promise<NetworkInspect[]> {
    return Promise.resolve().then(() => this.#parts.networks.filtered(filters).map((record) => showNetwork(record)));
  }

  inspect(ref: string): Promise<NetworkInspect> {
    const { networks, sandboxes } = this.#parts;
    return Promise.resolve().then(() => showNetwork(networks.find(ref), sandboxes.records()));
  }

  async create(body: NetworkCreateBody): Promise<{ Id: string; Warning: string }> {
    const record = await this.#parts.networks.create(body);
    return { Id: record.id, Warning: '' };
  }

  remove(ref: string): Promise<void> {
    return this.#parts.networks.remove(ref);
  }

  async prune(filters: Filters, options: { inUse?: ReadonlySet<string> } = {}): Promise<PruneReport> {
    return { deleted: await this.#parts.networks.prune(filters, options.inUse ?? new Set()), reclaimed: 0 };
  }

  lookup(ref: string): { id: string; name: string; driver: string } {
    const { id, name, driver } = this.#parts.networks.find(ref);
    return { id, name, driver };
  }

  openSandbox(containerId: string, options: { namespaceOf?: number | undefined } = {}): Promise<{ path: string }> {
    const { sandboxes } = this.#parts;
    return Promise.resolve().then(() => ({ path: sandboxes.open(containerId, options.namespaceOf).record.path }));
  }

  connect(containerId: string, containerName: string, request: EndpointRequest): Promise<EndpointSettings> {
    return Promise.resolve().then(() => this.#parts.sandboxes.connect(containerId, containerName, request));
  }

  disconnect(containerId: string, networkId: string): Promise<void> {
    return Promise.resolve().then(() => this.#parts.sandboxes.disconnect(containerId, networkId));
  }

  async serveNames(
    containerId: string,
    options: { dns: string[]; search: string[]; options: string[] },
  ): Promise<void> {
    const { sandboxes } = this.#parts;
    const sandbox = sandboxes.require(containerId);
    sandbox.record.names = options;
    this.#serve(sandbox);
    sandboxes.save(sandbox);
  }

  async publish(containerId: string, request: PublishRequest): Promise<PublishedPorts> {
    const { sandboxes, publisher } = this.#parts;
    const sandbox = sandboxes.require(containerId);
    const ports = await publisher.publish(sandbox.record, request);
    sandboxes.save(sandbox);
    return ports;
  }

  rename(containerId: string, name: string, dnsNames: Record<string, string[]>): void {
    const { sandboxes, networks } = this.#parts;
    const sandbox = sandboxes.get(containerId);
    if (sandbox === undefined) return;
    sandbox.record.containerName = name;
    for (const endpoint of sandbox.record.endpoints) {
      const names = dnsNames[endpoint.networkId] ?? dnsNames[networks.get(endpoint.networkId)?.name ?? ''];
      if (names !== undefined) endpoint.names = names;
    }
    sandboxes.save(sandbox);
  }

  closeSandbox(containerId: string): Promise<void> {
    return Promise.resolve().then(() => this.#parts.sandboxes.close(containerId));
  }

  statistics(containerId: string): Promise<Record<string, NetworkStats>> {
    return Promise.resolve().then(() => this.#parts.sandboxes.statistics(containerId));
  }

  async restore(alive: ReadonlyMap<string, number | undefined>): Promise<void> {
    this.#restore(alive);
    const { sandboxes, publisher } = this.#parts;
    await publisher.restoreOutside([...sandboxes.records()]);
  }

  #restore(alive: ReadonlyMap<string, number | undefined>): void {
    const { sandboxes, publisher, firewall, pool, logger } = this.#parts;
    for (const sandbox of sandboxes.restore(alive)) {
      try {
        publisher.republish(sandbox);
        if (sandbox.record.names !== null) this.#serve(sandbox);
      } catch (error) {
        logger.warn('cannot serve a restored network sandbox in full', {
          container: sandbox.record.containerId,
          error: messageOf(error),
        });
      }
    }
    pool.sweep(new Set([...sandboxes.records()].map((record) => record.path)));
    sandboxes.sweep();
    firewall.install();
  }

  async resolvConf(wanted: { embedded: boolean; dns: string[]; search: string[]; options: string[] }): Promise<string> {
    const { options } = this.#parts;
    return Promise.resolve(
      renderResolvConf(
        wanted.embedded,
        {
          servers: wanted.dns.length > 0 ? wanted.dns : options.dns,
          search: wanted.search.length > 0 ? wanted.search : options.dnsSearch,
          options: wanted.options.length > 0 ? wanted.options : options.dnsOptions,
        },
        hostResolvers(),
      ),
    );
  }

  hostGateway(networkRef?: string): string {
    const { options, networks } = this.#parts;
    if (options.hostGatewayIp !== undefined && options.hostGatewayIp !== '') return options.hostGatewayIp;
    const chosen = networkRef === undefined ? undefined : networks.find(networkRef);
    return gatewayOf(chosen) || gatewayOf(networks.all().find((network) => network.name === 'bridge')) || '127.0.0.1';
  }

  check(): Promise<Problem[]> {
    return this.#parts.networks.check();
  }

  close(): Promise<void> {
    if (this.#closed) return Promise.resolve();
    this.#closed = true;
    clearInterval(this.#watch);
    const { sandboxes, publisher, firewall, networks, pool, route } = this.#parts;
    const empty = [...sandboxes.records()].length === 0;
    pool.close();
    publisher.abandon();
    sandboxes.abandon();
    sandboxes.stopSweeping();
    // With containers running, links and table stay and keep serving them; without, nothing of ours is left on the host.
    if (empty) networks.removeLinks();
    firewall.close({ remove: empty });
    route.close();
    return Promise.resolve();
  }

  #serve(sandbox: Sandbox): void {
    const { options, networks, sandboxes } = this.#parts;
    sandbox.dns?.close();
    sandbox.dns = undefined;
    if (sandbox.namespace === undefined) return;
    const { record } = sandbox;
    const lookup = (id: string): NetworkRecord | undefined => networks.get(id);
    const table = sandboxNames(record, {
      sandboxes: () => sandboxes.records(),
      lookup,
      hostAddress: (own) => this.#hostAddress(own, lookup),
      turn: () => this.#turn++,
    });
    sandbox.dns = serveDns(sandbox.namespace.path, `${options.tableName}_dns`, {
      table: () => table,
      forward: (query, transport) => {
        const wanted = record.names?.dns ?? [];
        const servers = wanted.length > 0 ? wanted : options.dns.length > 0 ? options.dns : hostResolvers().servers;
        return this.#forwarder.forward(query, servers, transport);
      },
    });
  }

  #hostAddress(record: SandboxRecord, lookup: (id: string) => NetworkRecord | undefined): string {
    const { options } = this.#parts;
    if (options.hostGatewayIp !== undefined && options.hostGatewayIp !== '') return options.hostGatewayIp;
    const endpoint = primaryEndpoint(record, 4, lookup) ?? primaryEndpoint(record, 6, lookup) ?? record.endpoints[0];
    return endpoint === undefined ? '' : gatewayOf(lookup(endpoint.networkId));
  }
}

/** The host's own address on a bridge network. */
function gatewayOf(network: NetworkRecord | undefined): string {
  if (network === undefined || network.driver !== 'bridge') return '';
  const pool = network.pools.find((candidate) => candidate.family === 4) ?? network.pools[0];
  return pool?.gateway ?? '';
}
