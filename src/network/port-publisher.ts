/** Published ports: held by sockets, led by the kernel, all of a container's or none. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { findLink, type Netlink, setBridgePort } from '../linux/index.ts';
import { Fault, errorCode, type Logger, messageOf } from '../std/index.ts';
import type { HostPorts, PublishedPorts, PublishRequest } from './door.ts';
import type { Firewall } from './firewall.ts';
import { portOwner } from './port-owner.ts';
import { type HeldPort, holdPort, type Target } from './port-proxy.ts';
import { type PortRequest, readPortRequests } from './port-request.ts';
import { type NetworkLookup, publishingEndpoint } from './primary-endpoint.ts';
import type { EndpointRecord, PublishedPort, SandboxRecord } from './record.ts';
import type { PortRule } from './ruleset.ts';

export interface PortPublisherOptions {
  firewall: Firewall;
  route: Netlink;
  lookup: NetworkLookup;
  defaultAddress: string;
  userlandProxy: boolean;
  /** undefined: we are on the host ourselves. */
  hostPorts: HostPorts | undefined;
  /** Of the several engines of a machine. */
  engine: string;
  logger: Logger;
}

interface Published {
  record: SandboxRecord;
  held: Held[];
  rules: PortRule[];
}

interface Held {
  port: PublishedPort;
  socket: HeldPort;
}

const EPHEMERAL = { first: 32_768, last: 60_999 };
/** Where ports of the host come in, rootless: nothing else is here, and it is below the ephemeral ones. */
const INSIDE = { first: 10_000, last: 29_999 };

export class PortPublisher {
  readonly #options: PortPublisherOptions;
  readonly #published = new Map<string, Published>();
  #nextEphemeral: number;
  #nextInside = INSIDE.first;

  constructor(options: PortPublisherOptions) {
    this.#options = options;
    this.#nextEphemeral = firstEphemeral(options.engine);
  }

  /** Publishes and notes it in the record. @throws Fault invalid, internal with Docker's text and the port's owner */
  async publish(record: SandboxRecord, request: PublishRequest): Promise<PublishedPorts> {
    const { lookup, firewall, hostPorts } = this.#options;
    const endpoint = publishingEndpoint(record, 4, lookup) ?? publishingEndpoint(record, 6, lookup);
    if (endpoint === undefined) return {};
    const binding = lookup(endpoint.networkId)?.options['com.docker.network.bridge.host_binding_ipv4'] ?? '';
    const fallback = binding === '' || binding === '0.0.0.0' ? this.#options.defaultAddress : binding;
    const held: Held[] = [];
    try {
      const wanted = readPortRequests(request.bindings, fallback);
      if (hostPorts === undefined) for (const each of wanted) held.push(...this.#hold(record, endpoint, each));
      else if (wanted.length > 0) held.push(...(await this.#holdOutside(hostPorts, record, endpoint, wanted)));
      const ports = [...new Set(held.map((item) => item.port))];
      const rules = this.#rules(record, ports);
      firewall.addPorts(rules);
      this.#forget(record);
      this.#published.set(record.containerId, { record, held, rules });
      record.published = ports;
      this.#allowHairpin(endpoint);
    } catch (error) {
      for (const { socket } of held) socket.close();
      if (held.some(({ port }) => port.inside !== undefined)) this.#release(record);
      if (!(error instanceof PortTaken)) throw error;
      throw new Fault(
        'internal',
        `driver failed programming external connectivity on endpoint ${request.containerName} (${endpoint.id}): ${error.message}`,
        { cause: error.cause },
      );
    }
    return showPorts(record.published);
  }

  unpublish(sandbox: { record: SandboxRecord }): void {
    const isOutside = sandbox.record.published.some(({ inside }) => inside !== undefined);
    this.#forget(sandbox.record);
    if (isOutside) this.#release(sandbox.record);
  }

  #forget(record: SandboxRecord): void {
    const published = this.#published.get(record.containerId);
    record.published = [];
    if (published === undefined) return;
    this.#published.delete(record.containerId);
    for (const { socket } of published.held) socket.close();
    this.#options.firewall.removePorts(published.rules);
  }

  /** Of what the host holds for the container. */
  #release({ containerId }: SandboxRecord): void {
    this.#options.hostPorts?.release(containerId).catch((error: unknown) => {
      this.#options.logger.warn('cannot give back ports of the host', {
        container: containerId,
        error: messageOf(error),
      });
    });
  }

  /** Those of containers that ended while no daemon ran go; those that were lost come again. */
  async restoreOutside(records: readonly SandboxRecord[]): Promise<void> {
    const { hostPorts, logger } = this.#options;
    if (hostPorts === undefined) return;
    try {
      const held = await hostPorts.held();
      const wanted = new Map(
        records.filter(({ published }) => published.length > 0).map((record) => [record.containerId, record]),
      );
      for (const container of held) if (!wanted.has(container)) await hostPorts.release(container);
      for (const [container, record] of wanted) {
        if (held.has(container)) continue;
        const ports = record.published.map((port) => outsidePort(port));
        const taps = await hostPorts.hold(container, ports);
        for (const [index, port] of record.published.entries()) port.inside = { ...port.inside!, ...taps[index]! };
        this.retarget({ record });
      }
    } catch (error) {
      logger.warn('cannot hold published ports of the host again', { error: messageOf(error) });
    }
  }

  /** Follows the container to another endpoint. */
  retarget(sandbox: { record: SandboxRecord }): void {
    const published = this.#published.get(sandbox.record.containerId);
    if (published === undefined) return;
    const rules = this.#rules(sandbox.record, sandbox.record.published);
    if (JSON.stringify(rules) === JSON.stringify(published.rules)) return;
    this.#options.firewall.removePorts(published.rules);
    this.#options.firewall.addPorts(rules);
    published.rules = rules;
  }

  /** Takes up again what the record says. A port that somebody took meanwhile stays led by the kernel alone. */
  republish(sandbox: { record: SandboxRecord }): void {
    const { record } = sandbox;
    if (record.published.length === 0) return;
    const held = record.published.flatMap((port) => {
      try {
        if (port.inside === undefined) return [{ port, socket: this.#take(record, port) }];
        return [
          { port, socket: this.#relay(record, port, loopbackOf(port)) },
          ...this.#relaysFrom6(record, [{ port, socket: nothing }]),
        ];
      } catch (error) {
        this.#options.logger.warn('cannot listen on a published port again', { ...port, error: messageOf(error) });
        return [];
      }
    });
    const rules = this.#rules(record, record.published);
    this.#published.set(record.containerId, { record, held, rules });
    this.#options.firewall.addPorts(rules);
  }

  /** Closes the sockets; what the kernel leads stays led. */
  abandon(): void {
    for (const published of this.#published.values()) {
      for (const { socket } of published.held) socket.close();
    }
    this.#published.clear();
  }

  /** Where bridged packets pass nftables (br_netfilter), a container's way to its own published port ends where it began. */
  #allowHairpin(endpoint: EndpointRecord): void {
    if (!bridgesAreFiltered() || endpoint.hostLink === '') return;
    const link = findLink(this.#options.route, endpoint.hostLink);
    if (link !== undefined) setBridgePort(this.#options.route, link.index, { hairpin: true });
  }

  /** One request to held sockets: the same port number on all its addresses. @throws PortTaken */
  #hold(record: SandboxRecord, endpoint: EndpointRecord, wanted: PortRequest): Held[] {
    let last: unknown;
    for (const hostPort of this.#candidates(wanted)) {
      const ports = wanted.hostAddresses.map((hostAddress) => ({
        key: wanted.key,
        protocol: wanted.protocol,
        containerPort: wanted.containerPort,
        hostAddress,
        hostPort,
      }));
      const held: Held[] = [];
      try {
        for (const port of ports) {
          try {
            held.push({ port, socket: this.#take(record, port) });
          } catch (error) {
            const code = errorCode(error);
            if (wanted.optionalV6 && port.hostAddress === '::' && (code === 'EAFNOSUPPORT' || code === 'EADDRNOTAVAIL'))
              continue;
            throw this.#taken(error, port, endpoint);
          }
        }
        if (wanted.range === undefined) this.#nextEphemeral = hostPort + 1;
        return held;
      } catch (error) {
        for (const { socket } of held) socket.close();
        if (!(error instanceof PortTaken) || errorCode(error.cause) !== 'EADDRINUSE') throw error;
        last = error;
      }
    }
    throw last;
  }

  /** All requests to held ports, on the host and here. @throws PortTaken */
  async #holdOutside(
    hostPorts: HostPorts,
    record: SandboxRecord,
    endpoint: EndpointRecord,
    requests: readonly PortRequest[],
  ): Promise<Held[]> {
    const searches = requests.map((wanted) => {
      const candidates = this.#candidates(wanted)[Symbol.iterator]();
      return { wanted, candidates, hostPort: candidates.next().value as number, addresses: [...wanted.hostAddresses] };
    });
    for (;;) {
      const ports = searches.flatMap(({ wanted, hostPort, addresses }) =>
        addresses.map((hostAddress) => ({
          key: wanted.key,
          protocol: wanted.protocol,
          containerPort: wanted.containerPort,
          hostAddress,
          hostPort,
        })),
      );
      const searchOf = (index: number): (typeof searches)[number] =>
        searches.find(({ addresses }) => (index -= addresses.length) < 0)!;
      const refused = (error: unknown, index: number): void => {
        const search = searchOf(index);
        const code = errorCode(error);
        const port = ports[index]!;
        if (
          search.wanted.optionalV6 &&
          port.hostAddress === '::' &&
          (code === 'EAFNOSUPPORT' || code === 'EADDRNOTAVAIL')
        ) {
          search.addresses = search.addresses.filter((address) => address !== '::');
          return;
        }
        const next = code === 'EADDRINUSE' ? search.candidates.next() : undefined;
        if (next === undefined || next.done === true) throw this.#taken(error, port, endpoint);
        search.hostPort = next.value;
      };
      const own = ports.findIndex(
        (port) => this.#holder(port) !== undefined && this.#holder(port) !== record.containerName,
      );
      if (own >= 0) {
        refused(Object.assign(new Error('address already in use'), { code: 'EADDRINUSE' }), own);
        continue;
      }
      const held: Held[] = [];
      try {
        for (const port of ports) {
          if (port.protocol === 'sctp') throw new PortTaken('sctp ports cannot be published without root', undefined);
          // 0.0.0.0 and :: are one socket of the host, which leads to one place.
          const same = held.find(
            ({ port: { protocol, hostPort, containerPort } }) =>
              protocol === port.protocol && hostPort === port.hostPort && containerPort === port.containerPort,
          )?.port;
          held.push(this.#takeInside(record, port, same?.inside!.port));
        }
        const taps = await hostPorts.hold(
          record.containerId,
          held.map(({ port }) => outsidePort(port)),
        );
        for (const [index, { port }] of held.entries()) port.inside = { ...port.inside!, ...taps[index]! };
        held.push(...this.#relaysFrom6(record, held));
        for (const { wanted, hostPort } of searches) if (wanted.range === undefined) this.#nextEphemeral = hostPort + 1;
        return held;
      } catch (error) {
        for (const { socket } of held) socket.close();
        if (error instanceof PortTaken) throw error;
        const index = typeof error === 'object' && error !== null && 'index' in error ? error.index : undefined;
        if (typeof index !== 'number') throw new PortTaken(messageOf(error), error);
        refused(error, index);
      }
    }
  }

  /** Where it comes in when the client is on the host itself: over the loopback. */
  #takeInside(record: SandboxRecord, port: PublishedPort, number: number | undefined): Held {
    const take = (at: number): Held => {
      const taken = { ...port, inside: { port: at, address4: '', address6: '' } };
      return { port: taken, socket: this.#relay(record, taken, loopbackOf(port)) };
    };
    if (number !== undefined) return take(number);
    for (let tries = INSIDE.last - INSIDE.first; ; tries--) {
      const next = this.#nextInside;
      this.#nextInside = next === INSIDE.last ? INSIDE.first : next + 1;
      try {
        return take(next);
      } catch (error) {
        if (errorCode(error) !== 'EADDRINUSE' || tries === 0) throw error;
      }
    }
  }

  /** IPv6 clients of containers that have no such address. */
  #relaysFrom6(record: SandboxRecord, held: readonly Held[]): Held[] {
    if ((publishingEndpoint(record, 6, this.#options.lookup)?.address6 ?? '') !== '') return [];
    return held.flatMap(({ port }) => {
      if (!port.hostAddress.includes(':') || port.inside!.address6 === '') return [];
      try {
        return [{ port, socket: this.#relay(record, port, port.inside!.address6) }];
      } catch (error) {
        this.#options.logger.warn('cannot listen for IPv6 clients', { ...port, error: messageOf(error) });
        return [];
      }
    });
  }

  #relay(record: SandboxRecord, port: PublishedPort, address: string): HeldPort {
    const target = this.#target(record, port);
    return holdPort(port.protocol, address, port.inside!.port, target);
  }

  *#candidates(wanted: PortRequest): Iterable<number> {
    if (wanted.range !== undefined) {
      for (let port = wanted.range.first; port <= wanted.range.last; port++) yield port;
      return;
    }
    const count = EPHEMERAL.last - EPHEMERAL.first + 1;
    const start = this.#nextEphemeral - EPHEMERAL.first;
    for (let step = 0; step < count; step++) yield EPHEMERAL.first + ((start + step) % count);
  }

  /** @throws SystemError */
  #take(record: SandboxRecord, port: PublishedPort): HeldPort {
    const taken = port.protocol === 'sctp' && this.#holder(port) !== undefined;
    if (taken) throw Object.assign(new Error('address already in use'), { code: 'EADDRINUSE' });
    return holdPort(port.protocol, port.hostAddress, port.hostPort, this.#target(record, port));
  }

  #target(record: SandboxRecord, port: PublishedPort): Target {
    const { lookup, userlandProxy } = this.#options;
    return () => {
      if (!userlandProxy) return undefined;
      const v4 = publishingEndpoint(record, 4, lookup)?.address4 ?? '';
      const v6 = publishingEndpoint(record, 6, lookup)?.address6 ?? '';
      const address = port.hostAddress.includes(':') ? v6 || v4 : v4 || v6;
      return address === '' ? undefined : { address, port: port.containerPort };
    };
  }

  #taken(error: unknown, port: PublishedPort, endpoint: EndpointRecord): PortTaken {
    const code = errorCode(error);
    const host = port.hostAddress.includes(':') ? `[${port.hostAddress}]` : port.hostAddress;
    const holder = this.#holder(port);
    if (code === 'EADDRINUSE' && holder !== undefined) {
      return new PortTaken(
        `Bind for ${host}:${port.hostPort} failed: port is already allocated (by container ${JSON.stringify(holder)})`,
        error,
      );
    }
    const what = `failed to bind host port for ${host}:${port.hostPort}:${endpoint.address4 || endpoint.address6}:${port.containerPort}/${port.protocol}`;
    if (code === 'EACCES' && this.#options.hostPorts !== undefined) return new PortTaken(messageOf(error), error);
    if (code === 'EADDRINUSE') {
      const owner = portOwner(port.protocol, port.hostPort);
      return new PortTaken(`${what}: address already in use${owner === undefined ? '' : ` (by ${owner})`}`, error);
    }
    if (code === 'EADDRNOTAVAIL') return new PortTaken(`${what}: cannot assign requested address`, error);
    return new PortTaken(`${what}: ${messageOf(error)}`, error);
  }

  /** The container of ours that has the port. */
  #holder(port: PublishedPort): string | undefined {
    for (const { record } of this.#published.values()) {
      const clash = record.published.some(
        (other) =>
          other.protocol === port.protocol &&
          other.hostPort === port.hostPort &&
          (other.hostAddress === port.hostAddress || isAny(other.hostAddress) || isAny(port.hostAddress)),
      );
      if (clash) return record.containerName;
    }
    return undefined;
  }

  /** What the kernel leads: addresses of a family to the container's address of that family. ::1 cannot be led anywhere. */
  #rules(record: SandboxRecord, ports: readonly PublishedPort[]): PortRule[] {
    const { lookup } = this.#options;
    const v4 = publishingEndpoint(record, 4, lookup)?.address4 ?? '';
    const v6 = publishingEndpoint(record, 6, lookup)?.address6 ?? '';
    return ports.flatMap((port) => {
      const family = port.hostAddress.includes(':') ? 6 : 4;
      const address = family === 4 ? v4 : v6;
      const { inside } = port;
      if (inside !== undefined) {
        const hostAddress = family === 4 ? inside.address4 : inside.address6;
        if (address === '' || hostAddress === '') return [];
        return [
          { protocol: port.protocol, hostAddress, hostPort: inside.port, family, address, port: port.containerPort },
        ];
      }
      if (address === '' || port.hostAddress === '::1') return [];
      return [
        {
          protocol: port.protocol,
          hostAddress: isAny(port.hostAddress) ? '' : port.hostAddress,
          hostPort: port.hostPort,
          family,
          address,
          port: port.containerPort,
        },
      ];
    });
  }
}

/**
 * Where an engine begins to look for a free port. A daemon that is down holds none of its containers' ports, which are led all the
 * same: another engine that begins elsewhere does not take them.
 */
function firstEphemeral(engine: string): number {
  const count = EPHEMERAL.last - EPHEMERAL.first + 1;
  return EPHEMERAL.first + (createHash('sha256').update(engine).digest().readUInt32BE(0) % count);
}

const nothing: HeldPort = { close() {} };

const loopbackOf = ({ hostAddress }: PublishedPort): string => (hostAddress.includes(':') ? '::1' : '127.0.0.1');

function outsidePort({
  protocol,
  hostAddress,
  hostPort,
  inside,
}: PublishedPort): Parameters<HostPorts['hold']>[1][number] {
  return { protocol: protocol as 'tcp' | 'udp', hostAddress, hostPort, port: inside!.port };
}

export function showPorts(ports: readonly PublishedPort[]): PublishedPorts {
  const shown: PublishedPorts = {};
  for (const port of ports) {
    (shown[port.key] ??= []).push({ HostIp: port.hostAddress, HostPort: String(port.hostPort) });
  }
  return shown;
}

class PortTaken extends Error {
  constructor(message: string, cause: unknown) {
    super(message, { cause });
    this.name = 'PortTaken';
  }
}

function bridgesAreFiltered(): boolean {
  try {
    return readFileSync('/proc/sys/net/bridge/bridge-nf-call-iptables', 'utf8').trim() !== '0';
  } catch {
    return false;
  }
}

function isAny(address: string): boolean {
  return address === '0.0.0.0' || address === '::';
}
