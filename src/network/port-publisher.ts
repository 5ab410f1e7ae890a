/** Published ports: held by sockets, led by the kernel, all of a container's or none. */
import { readFileSync } from 'node:fs';
import { findLink, type Netlink, setBridgePort } from '../linux/index.ts';
import { Fault, errorCode, type Logger, messageOf } from '../std/index.ts';
import type { PublishedPorts, PublishRequest } from './door.ts';
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

export class PortPublisher {
  readonly #options: PortPublisherOptions;
  readonly #published = new Map<string, Published>();
  #nextEphemeral = EPHEMERAL.first;

  constructor(options: PortPublisherOptions) {
    this.#options = options;
  }

  /** Publishes and notes it in the record. @throws Fault invalid, internal with Docker's text and the port's owner */
  publish(record: SandboxRecord, request: PublishRequest): PublishedPorts {
    const { lookup, firewall } = this.#options;
    const endpoint = publishingEndpoint(record, 4, lookup) ?? publishingEndpoint(record, 6, lookup);
    if (endpoint === undefined) return {};
    const binding = lookup(endpoint.networkId)?.options['com.docker.network.bridge.host_binding_ipv4'] ?? '';
    const fallback = binding === '' || binding === '0.0.0.0' ? this.#options.defaultAddress : binding;
    const held: Held[] = [];
    try {
      for (const wanted of readPortRequests(request.bindings, fallback))
        held.push(...this.#hold(record, endpoint, wanted));
      const ports = held.map((item) => item.port);
      const rules = this.#rules(record, ports);
      firewall.addPorts(rules);
      this.unpublish({ record });
      this.#published.set(record.containerId, { record, held, rules });
      record.published = ports;
      this.#allowHairpin(endpoint);
    } catch (error) {
      for (const { socket } of held) socket.close();
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
    const published = this.#published.get(sandbox.record.containerId);
    sandbox.record.published = [];
    if (published === undefined) return;
    this.#published.delete(sandbox.record.containerId);
    for (const { socket } of published.held) socket.close();
    this.#options.firewall.removePorts(published.rules);
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
        return [{ port, socket: this.#take(record, port) }];
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
