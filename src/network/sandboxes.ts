/** Sandboxes: the namespaces of containers with what is in them. All changes are synchronous: nobody sees one half made. */
import type { EndpointSettings, NetworkStats } from '../api/index.ts';
import { deleteLink, listLinks, type Netlink, setBridgePort, setLink, findLink } from '../linux/index.ts';
import { Fault, type Logger, messageOf } from '../std/index.ts';
import type { DnsServer } from './dns-server.ts';
import type { EndpointRequest, NetworkEvent } from './door.ts';
import { planEndpoint } from './endpoint-plan.ts';
import { attachEndpoint, detachEndpoint, setDefaultRoutes } from './endpoint-link.ts';
import { type Namespace, type NamespacePool, reopenNamespace } from './namespace-pool.ts';
import type { Networks } from './networks.ts';
import type { PortPublisher } from './port-publisher.ts';
import { type NetworkLookup, primaryEndpoint } from './primary-endpoint.ts';
import type { SandboxStore } from './sandbox-store.ts';
import { type EndpointRecord, type NetworkRecord, type SandboxRecord, showEndpoint } from './record.ts';

export interface Sandbox {
  record: SandboxRecord;
  /** undefined when the container shares the host's. */
  namespace: Namespace | undefined;
  dns: DnsServer | undefined;
}

export interface SandboxesOptions {
  store: SandboxStore;
  networks: Networks;
  publisher: PortPublisher;
  pool: NamespacePool;
  route: Netlink;
  /** Names of our ends of pairs start with it. */
  pairPrefix: string;
  logger: Logger;
  emit: (event: NetworkEvent) => void;
}

export class Sandboxes {
  readonly #options: SandboxesOptions;
  readonly #open = new Map<string, Sandbox>();
  readonly #lookup: NetworkLookup;
  #sweeping: NodeJS.Timeout | undefined;

  constructor(options: SandboxesOptions) {
    this.#options = options;
    this.#lookup = (id) => options.networks.get(id);
  }

  *records(): Iterable<SandboxRecord> {
    for (const sandbox of this.#open.values()) yield sandbox.record;
  }

  values(): IterableIterator<Sandbox> {
    return this.#open.values();
  }

  get(containerId: string): Sandbox | undefined {
    return this.#open.get(containerId);
  }

  /** @throws Fault internal: the caller has not opened it */
  require(containerId: string): Sandbox {
    const sandbox = this.#open.get(containerId);
    if (sandbox === undefined)
      throw new Fault('internal', `Cannot use the network sandbox of ${containerId}: not open`);
    return sandbox;
  }

  /** In the network namespace of the process `namespaceOf`, or in one of our own. */
  open(containerId: string, namespaceOf?: number): Sandbox {
    const known = this.#open.get(containerId);
    if (known?.namespace !== undefined) return known;
    const { pool } = this.#options;
    const namespace = namespaceOf === undefined ? pool.take() : pool.adopt(namespaceOf);
    const record = known?.record ?? emptyRecord(containerId);
    record.path = namespace.path;
    const sandbox: Sandbox = { record, namespace, dns: undefined };
    this.#open.set(containerId, sandbox);
    this.save(sandbox);
    return sandbox;
  }

  connect(containerId: string, containerName: string, request: EndpointRequest): EndpointSettings {
    const { networks, emit } = this.#options;
    const network = networks.find(request.network);
    if (network.configOnly) {
      throw new Fault('forbidden', `cannot connect to network ${network.name}: it is a configuration network`);
    }
    const sandbox = this.#open.get(containerId) ?? this.#virtual(containerId, network);
    sandbox.record.containerName = containerName;
    if (sandbox.record.endpoints.some((endpoint) => endpoint.networkId === network.id)) {
      throw new Fault('forbidden', `endpoint with name ${containerName} already exists in network ${network.name}`);
    }
    const endpoint = planEndpoint(network, request, {
      ledgers: (family) => networks.ledgers(network.id, family),
      usedLinks: sandbox.record.endpoints.map((other) => other.link),
      pairPrefix: this.#options.pairPrefix,
    });
    try {
      if (sandbox.namespace !== undefined && endpoint.link !== '') this.#attach(sandbox.namespace, network, endpoint);
      sandbox.record.endpoints.push(endpoint);
      this.#refreshRoutes(sandbox);
    } catch (error) {
      sandbox.record.endpoints = sandbox.record.endpoints.filter((other) => other !== endpoint);
      this.#releaseAddresses(endpoint);
      throw error;
    }
    this.save(sandbox);
    emit({
      action: 'connect',
      id: network.id,
      attributes: { container: containerId, name: network.name, type: network.driver },
    });
    return showEndpoint(endpoint);
  }

  disconnect(containerId: string, networkId: string): void {
    const sandbox = this.#open.get(containerId);
    const endpoint = sandbox?.record.endpoints.find((other) => other.networkId === networkId);
    if (sandbox === undefined || endpoint === undefined) {
      throw new Fault('not-found', `container ${containerId} is not connected to network ${networkId}`);
    }
    sandbox.record.endpoints = sandbox.record.endpoints.filter((other) => other !== endpoint);
    if (sandbox.namespace !== undefined) detachEndpoint(sandbox.namespace, endpoint);
    this.#releaseAddresses(endpoint);
    this.#refreshRoutes(sandbox);
    this.save(sandbox);
    this.#announceLeft(sandbox, endpoint);
  }

  /** Everything goes. The links vanish with the namespace, a moment later. */
  close(containerId: string): void {
    const sandbox = this.#open.get(containerId);
    if (sandbox === undefined) return;
    this.#open.delete(containerId);
    this.#options.publisher.unpublish(sandbox);
    this.#letGo(sandbox);
    for (const endpoint of sandbox.record.endpoints) this.#announceLeft(sandbox, endpoint);
    this.#options.store.delete(containerId);
  }

  statistics(containerId: string): Record<string, NetworkStats> {
    const sandbox = this.#open.get(containerId);
    if (sandbox?.namespace === undefined) return {};
    const links = listLinks(sandbox.namespace.route).filter((link) => link.index !== 1);
    return Object.fromEntries(
      links.map(({ name, statistics }) => [
        name,
        {
          rx_bytes: statistics.rxBytes,
          rx_packets: statistics.rxPackets,
          rx_errors: statistics.rxErrors,
          rx_dropped: statistics.rxDropped,
          tx_bytes: statistics.txBytes,
          tx_packets: statistics.txPackets,
          tx_errors: statistics.txErrors,
          tx_dropped: statistics.txDropped,
        },
      ]),
    );
  }

  /** Writes the record down, for the next daemon. */
  save(sandbox: Sandbox): void {
    this.#options.store.put(sandbox.record);
  }

  /** Takes over what an earlier daemon left: sandboxes of `alive` containers are served again, the others go. */
  restore(alive: ReadonlyMap<string, number | undefined>): Sandbox[] {
    const { store, logger } = this.#options;
    const restored: Sandbox[] = [];
    for (const record of store.readAll((path) => logger.error('a sandbox record cannot be read', { path }))) {
      if (this.#open.has(record.containerId)) continue;
      const sandbox = alive.has(record.containerId) ? this.#reopen(record, alive.get(record.containerId)) : undefined;
      if (sandbox === undefined) {
        this.#discard(record);
        store.delete(record.containerId);
        continue;
      }
      this.#open.set(record.containerId, sandbox);
      restored.push(sandbox);
      logger.debug('network sandbox restored', { container: record.containerId });
    }
    return restored;
  }

  /** Lets go of descriptors and servers, but leaves namespaces and links to the containers that run. */
  abandon(): void {
    for (const sandbox of this.#open.values()) {
      sandbox.dns?.close();
      sandbox.namespace?.close({ keep: true });
    }
    this.#open.clear();
  }

  /** Our ends of pairs whose sandbox is gone although something else still holds its namespace. */
  sweep(): void {
    const { route, networks, pairPrefix } = this.#options;
    const ours = new Set(networks.all().map((network) => networks.linkIndex(network.id)));
    const known = new Set(
      [...this.records()].flatMap((record) => record.endpoints.map((endpoint) => endpoint.hostLink)),
    );
    for (const link of listLinks(route)) {
      if (link.kind === 'veth' && link.name.startsWith(pairPrefix) && ours.has(link.master) && !known.has(link.name)) {
        deleteLink(route, link.name);
      }
    }
  }

  /** Makes the network's bridge anew, should somebody have deleted it, and plugs its containers in again. */
  mend(network: NetworkRecord): void {
    const { route, networks, logger } = this.#options;
    if (!networks.revive(network)) return;
    logger.warn('a bridge was gone and is made anew', { network: network.name, link: network.link });
    for (const { record, namespace } of this.#open.values()) {
      for (const each of record.endpoints) if (each.networkId === network.id) this.#reattach(namespace, each, route);
    }
  }

  #virtual(containerId: string, network: NetworkRecord): Sandbox {
    if (network.driver !== 'host') return this.require(containerId);
    const sandbox: Sandbox = { record: emptyRecord(containerId), namespace: undefined, dns: undefined };
    this.#open.set(containerId, sandbox);
    return sandbox;
  }

  #attach(namespace: Namespace, network: NetworkRecord, endpoint: EndpointRecord): void {
    const { route, networks } = this.#options;
    this.mend(network);
    attachEndpoint(route, namespace, network, endpoint, {
      mtu: networks.mtu(network),
      masterIndex: networks.linkIndex(network.id),
      isolated: network.driver === 'bridge' && network.options['com.docker.network.bridge.enable_icc'] === 'false',
    });
  }

  #releaseAddresses(endpoint: EndpointRecord): void {
    for (const ledger of this.#options.networks.ledgers(endpoint.networkId, 4)) ledger.release(endpoint.address4);
    for (const ledger of this.#options.networks.ledgers(endpoint.networkId, 6)) ledger.release(endpoint.address6);
  }

  #refreshRoutes(sandbox: Sandbox): void {
    if (sandbox.namespace === undefined) return;
    setDefaultRoutes(sandbox.namespace, {
      v4: primaryEndpoint(sandbox.record, 4, this.#lookup),
      v6: primaryEndpoint(sandbox.record, 6, this.#lookup),
    });
    this.#options.publisher.retarget(sandbox);
  }

  #reopen(record: SandboxRecord, pid: number | undefined): Sandbox | undefined {
    const { networks, route, logger } = this.#options;
    try {
      const namespace = record.path === '' ? undefined : reopenNamespace(record.path, pid);
      const sandbox: Sandbox = { record, namespace, dns: undefined };
      record.endpoints = record.endpoints.filter((endpoint) => networks.get(endpoint.networkId) !== undefined);
      for (const endpoint of record.endpoints) {
        for (const ledger of networks.ledgers(endpoint.networkId, 4)) ledger.reserve(endpoint.address4);
        for (const ledger of networks.ledgers(endpoint.networkId, 6)) ledger.reserve(endpoint.address6);
        this.#reattach(namespace, endpoint, route);
      }
      if (namespace !== undefined) {
        setDefaultRoutes(namespace, {
          v4: primaryEndpoint(record, 4, this.#lookup),
          v6: primaryEndpoint(record, 6, this.#lookup),
        });
      }
      return sandbox;
    } catch (error) {
      logger.warn('cannot restore a network sandbox', { container: record.containerId, error: messageOf(error) });
      return undefined;
    }
  }

  /** A pair that lost its bridge joins the new one; one that is gone is made again. */
  #reattach(namespace: Namespace | undefined, endpoint: EndpointRecord, route: Netlink): void {
    if (namespace === undefined || endpoint.hostLink === '') return;
    const network = this.#options.networks.get(endpoint.networkId)!;
    const master = this.#options.networks.linkIndex(network.id);
    const found = findLink(route, endpoint.hostLink);
    if (found === undefined) this.#attach(namespace, network, endpoint);
    else if (found.master !== master) {
      setLink(route, found.index, { master, up: true });
      if (network.options['com.docker.network.bridge.enable_icc'] === 'false')
        setBridgePort(route, found.index, { isolated: true });
    }
  }

  #letGo(sandbox: Sandbox): void {
    sandbox.dns?.close();
    sandbox.namespace?.close();
    for (const endpoint of sandbox.record.endpoints) this.#releaseAddresses(endpoint);
    if (sandbox.record.endpoints.some((endpoint) => endpoint.hostLink !== '')) this.#sweepLater();
  }

  #sweepLater(): void {
    if (this.#sweeping !== undefined) return;
    this.#sweeping = setTimeout(() => {
      this.#sweeping = undefined;
      try {
        this.sweep();
      } catch (error) {
        this.#options.logger.warn('cannot sweep links', { error: messageOf(error) });
      }
    }, 2000);
    this.#sweeping.unref();
  }

  stopSweeping(): void {
    clearTimeout(this.#sweeping);
  }

  /** What a dead container's record still names. */
  #discard(record: SandboxRecord): void {
    try {
      if (record.path !== '') reopenNamespace(record.path, undefined).close();
    } catch {
      // It went with a reboot, or somebody removed it.
    }
    for (const endpoint of record.endpoints) {
      if (endpoint.hostLink !== '') deleteLink(this.#options.route, endpoint.hostLink);
    }
  }

  #announceLeft(sandbox: Sandbox, endpoint: EndpointRecord): void {
    const network = this.#options.networks.get(endpoint.networkId);
    if (network === undefined) return;
    this.#options.emit({
      action: 'disconnect',
      id: network.id,
      attributes: { container: sandbox.record.containerId, name: network.name, type: network.driver },
    });
  }
}

function emptyRecord(containerId: string): SandboxRecord {
  return { containerId, containerName: '', path: '', endpoints: [], published: [], names: null };
}
