/** The networks of this daemon: their records, their links on the host, their addresses. Sandboxes are asked only who is attached. */
import { readFileSync } from 'node:fs';
import {
  acceptFilters,
  booleanFilter,
  type Filters,
  matchesExact,
  matchesLabels,
  type NetworkCreateBody,
  type Problem,
  recordProblem,
} from '../api/index.ts';
import { addAddress, deleteAddress, listAddresses, listRoutes, type Netlink } from '../linux/index.ts';
import {
  Fault,
  formatNanos,
  type Logger,
  nowNanos,
  parseApiTime,
  parseGoDuration,
  randomId,
  type Records,
} from '../std/index.ts';
import { AddressLedger } from './address-ledger.ts';
import { type AddressPool, pickFreeSubnet } from './address-pool.ts';
import { type Cidr, formatCidr, overlaps, parseCidr } from './cidr.ts';
import { automaticPool, type CreateSurroundings, planNetwork } from './create-plan.ts';
import type { NetworkEvent } from './door.ts';
import type { Firewall } from './firewall.ts';
import { enableForwarding, ensureHostLink, removeHostLink } from './host-link.ts';
import { isPredefined, type NetworkRecord, type SandboxRecord } from './record.ts';
import { hostResolvers } from './resolv-conf.ts';
import type { BridgeRules } from './ruleset.ts';

export interface NetworksOptions {
  records: Records<NetworkRecord>;
  route: Netlink;
  firewall: Firewall;
  pools: readonly AddressPool[];
  linkPrefix: string;
  machine: string;
  mtu: number;
  driverDefaults: CreateSurroundings['driverDefaults'];
  /** Every sandbox there is. */
  sandboxes: () => Iterable<SandboxRecord>;
  emit: (event: NetworkEvent) => void;
  logger: Logger;
}

/** Each time the choice is among twice as many. */
const GIVE_WAY_TURNS = 8;

interface Live {
  /** Index of the bridge or parent link; 0 until it is there. */
  link: number;
  ledgers: AddressLedger[];
}

export class Networks {
  readonly #options: NetworksOptions;
  readonly #live = new Map<string, Live>();

  constructor(options: NetworksOptions) {
    this.#options = options;
  }

  all(): NetworkRecord[] {
    return [...this.#options.records.values()];
  }

  async check(): Promise<Problem[]> {
    const { records } = this.#options;
    return (await records.check()).map((fault) =>
      recordProblem('network', fault, async (id) => {
        const record = records.get(id);
        if (record !== undefined) await records.put(id, record);
      }),
    );
  }

  get(id: string): NetworkRecord | undefined {
    return this.#options.records.get(id);
  }

  /** By name, id, or unique id prefix; the name wins. @throws Fault not-found, invalid */
  find(ref: string): NetworkRecord {
    const all = this.all();
    const exact = all.find((network) => network.name === ref) ?? this.get(ref);
    if (exact !== undefined) return exact;
    const matches = /^[0-9a-f]+$/.test(ref) ? all.filter((network) => network.id.startsWith(ref)) : [];
    if (matches.length > 1) {
      throw new Fault('invalid', `network ${ref} is ambiguous (${matches.length} matches found based on ID prefix)`);
    }
    if (matches[0] === undefined) throw new Fault('not-found', `network ${ref} not found`);
    return matches[0];
  }

  filtered(filters: Filters): NetworkRecord[] {
    acceptFilters(filters, ['dangling', 'driver', 'id', 'label', 'label!', 'name', 'scope', 'type']);
    const dangling = booleanFilter(filters, 'dangling');
    for (const type of filters.get('type') ?? []) {
      if (type !== 'custom' && type !== 'builtin') throw new Fault('invalid', `invalid filter 'type=${type}'`);
    }
    const partly = (key: string, value: string): boolean => {
      const wanted = filters.get(key);
      return wanted === undefined || wanted.size === 0 || [...wanted].some((part) => value.includes(part));
    };
    return this.all().filter((network) => {
      const predefined = isPredefined(network.name);
      return (
        matchesExact(filters, 'driver', network.driver) &&
        matchesExact(filters, 'scope', 'local') &&
        matchesExact(filters, 'type', predefined ? 'builtin' : 'custom') &&
        matchesLabels(filters, network.labels) &&
        partly('id', network.id) &&
        partly('name', network.name) &&
        (dangling === undefined || dangling === (!predefined && !this.inUse(network.id)))
      );
    });
  }

  inUse(id: string): boolean {
    return this.#users(id).length > 0;
  }

  /** The containers attached, as Docker names them in refusals. */
  #users(id: string): string[] {
    return [...this.#options.sandboxes()].flatMap((sandbox) =>
      sandbox.endpoints
        .filter((endpoint) => endpoint.networkId === id)
        .map((endpoint) => `name:${JSON.stringify(sandbox.containerName)} id:"${endpoint.id.slice(0, 12)}"`),
    );
  }

  async create(body: NetworkCreateBody): Promise<NetworkRecord> {
    const { pools, linkPrefix, machine, driverDefaults } = this.#options;
    const record = planNetwork(body, {
      id: randomId(),
      created: formatNanos(nowNanos()),
      networks: this.all(),
      hostSubnets: this.hostSubnets(),
      pools,
      linkPrefix,
      machine,
      driverDefaults,
    });
    await this.add(record);
    this.#options.emit({ action: 'create', id: record.id, attributes: { name: record.name, type: record.driver } });
    return record;
  }

  /** Writes the record and makes its link; without one, no record either. */
  async add(record: NetworkRecord): Promise<void> {
    const { records } = this.#options;
    const stored = records.put(record.id, record);
    let moved: boolean;
    try {
      moved = this.start(record);
    } catch (error) {
      await stored;
      await records.delete(record.id);
      this.#stop(record);
      throw error;
    }
    try {
      await stored;
      if (moved) await records.put(record.id, record);
    } catch (error) {
      this.#stop(record);
      throw error;
    }
  }

  /**
   * Makes what the network needs on the host, or finds it there from an earlier daemon. A subnet that we chose and that somebody
   * else has by now is exchanged for a free one, unless containers live in it (`occupied`). Returns whether the record was changed.
   */
  start(record: NetworkRecord, options: { occupied?: boolean } = {}): boolean {
    const { route, firewall, mtu } = this.#options;
    const live: Live = { link: 0, ledgers: [] };
    this.#live.set(record.id, live);
    let moved = false;
    if (!record.configOnly && record.driver !== 'host' && record.driver !== 'null') {
      if (record.driver === 'bridge') enableForwarding(route, { v6: record.enableIPv6 });
      const { index, added } = ensureHostLink(route, record, mtuOf(record, mtu));
      live.link = index;
      if (record.driver === 'bridge') {
        if (options.occupied !== true) moved = this.#giveWay(record, index, added);
        firewall.addBridge(bridgeRules(record));
      }
    }
    live.ledgers = record.pools.map((pool) => {
      const ledger = new AddressLedger(parseCidr(pool.subnet)!, pool.range === '' ? undefined : parseCidr(pool.range));
      // ipvlan and macvlan have no address of ours at the gateway, but nobody else may have it either.
      if (pool.gateway !== '') ledger.reserve(pool.gateway);
      for (const address of Object.values(pool.auxiliary)) ledger.reserve(address);
      return ledger;
    });
    return moved;
  }

  /**
   * The bridge's address is what claims a subnet on this machine. Another engine may have looked for a free one at the same
   * moment, and while no daemon of ours ran, it or a VPN may have taken ours: so we look again once our claim can be seen. Of two
   * that look, at least one sees the other; whoever does goes elsewhere, by chance, so that two do not keep meeting.
   */
  #giveWay(record: NetworkRecord, link: number, added: ReadonlySet<string>): boolean {
    const { route, pools, logger } = this.#options;
    let moved = false;
    for (const pool of record.pools) {
      if (pool.configured || !added.has(pool.gateway)) continue;
      for (let turn = 1; turn <= GIVE_WAY_TURNS; turn++) {
        const subnet = parseCidr(pool.subnet)!;
        const others = this.hostSubnets();
        const rival = others.find((other) => overlaps(other, subnet));
        if (rival === undefined) break;
        const own = this.all().flatMap((network) => network.pools.map((each) => parseCidr(each.subnet)!));
        const picked = pickFreeSubnet(pools, [...others, ...own], subnet, Math.floor(Math.random() * 2 ** turn));
        if (picked === undefined) {
          logger.warn('a network shares its subnet with something else on this machine, and no other is free', {
            network: record.name,
            subnet: pool.subnet,
            other: formatCidr(rival),
          });
          break;
        }
        deleteAddress(route, { link, address: pool.gateway, prefix: subnet.prefix });
        Object.assign(pool, automaticPool(picked));
        addAddress(route, { link, address: pool.gateway, prefix: picked.prefix });
        moved = true;
        logger.info('a network moved to another subnet: something else on this machine has the one it had', {
          network: record.name,
          subnet: formatCidr(subnet),
          other: formatCidr(rival),
          now: pool.subnet,
        });
      }
    }
    return moved;
  }

  /** @throws Fault forbidden for predefined networks and ones in use */
  async remove(ref: string): Promise<void> {
    const record = this.find(ref);
    if (isPredefined(record.name)) {
      throw new Fault('forbidden', `${record.name} is a pre-defined network and cannot be removed`);
    }
    const users = this.#users(record.id);
    if (users.length > 0) {
      throw new Fault(
        'forbidden',
        `error while removing network: network ${record.name} has active endpoints (${users.join(', ')})`,
      );
    }
    if (record.configOnly) {
      const user = this.all().find((other) => other.configFrom === record.name || other.configFrom === record.id);
      if (user !== undefined) {
        throw new Fault('forbidden', `configuration network ${JSON.stringify(record.name)} is in use`);
      }
    }
    this.#stop(record);
    await this.#options.records.delete(record.id);
    this.#options.emit({ action: 'destroy', id: record.id, attributes: { name: record.name, type: record.driver } });
  }

  /** Networks that nobody is attached to and that `inUse` does not name. Returns their names. */
  async prune(filters: Filters, inUse: ReadonlySet<string>): Promise<string[]> {
    acceptFilters(filters, ['until', 'label', 'label!']);
    const until = readUntil(filters);
    const deleted: string[] = [];
    for (const network of this.all()) {
      if (isPredefined(network.name) || inUse.has(network.id) || this.inUse(network.id)) continue;
      if (!matchesLabels(filters, network.labels)) continue;
      if (until !== undefined && (parseApiTime(network.created) ?? 0n) > until) continue;
      await this.remove(network.id);
      deleted.push(network.name);
    }
    return deleted;
  }

  /** Index of the network's link on the host. */
  linkIndex(id: string): number {
    return this.#live.get(id)?.link ?? 0;
  }

  /** Makes a bridge anew that somebody has deleted. Returns whether it had to: its ports want to be plugged in again. */
  revive(record: NetworkRecord): boolean {
    const live = this.#live.get(record.id);
    if (live === undefined || record.driver !== 'bridge' || deviceIndex(record.link) === live.link) return false;
    const { route, mtu } = this.#options;
    live.link = ensureHostLink(route, record, mtuOf(record, mtu)).index;
    return true;
  }

  mtu(record: NetworkRecord): number {
    return mtuOf(record, this.#options.mtu);
  }

  /** The ledger in which an address of that family lies, or would be taken from. */
  ledgers(id: string, family: 4 | 6): AddressLedger[] {
    return (this.#live.get(id)?.ledgers ?? []).filter((ledger) => ledger.subnet.family === family);
  }

  /** Everything that a new subnet must keep clear of: addresses, routes and resolvers of the host, but not our own bridges. */
  hostSubnets(): Cidr[] {
    const { route } = this.#options;
    const own = new Set([...this.#live.values()].map((live) => live.link).filter((index) => index > 0));
    const resolvers = hostResolvers().servers.map((server) => `${server}/${server.includes(':') ? 128 : 32}`);
    return [
      ...listAddresses(route)
        .filter(({ link }) => !own.has(link))
        .map(({ address, prefix }) => `${address}/${prefix}`),
      ...listRoutes(route).flatMap(({ destination, link }) =>
        destination === undefined || destination.prefix === 0 || own.has(link)
          ? []
          : [`${destination.address}/${destination.prefix}`],
      ),
      ...resolvers,
    ].flatMap((text) => parseCidr(text) ?? []);
  }

  /** Takes every link away; for a daemon that leaves nothing behind. */
  removeLinks(): void {
    for (const record of this.all()) removeHostLink(this.#options.route, record);
  }

  #stop(record: NetworkRecord): void {
    if (record.driver === 'bridge') this.#options.firewall.removeBridge(record.link);
    const shared = this.all().some((other) => other.id !== record.id && other.link === record.link);
    if (!shared) removeHostLink(this.#options.route, record);
    this.#live.delete(record.id);
  }
}

/** undefined when there is no such device. */
function deviceIndex(name: string): number | undefined {
  try {
    return Number(readFileSync(`/sys/class/net/${name}/ifindex`, 'utf8'));
  } catch {
    return undefined;
  }
}

function mtuOf(record: NetworkRecord, fallback: number): number {
  const wanted = Number(record.options['com.docker.network.driver.mtu'] ?? '');
  return Number.isInteger(wanted) && wanted >= 68 ? wanted : fallback;
}

/** Docker's driver options, read. */
export function bridgeRules(record: NetworkRecord): BridgeRules {
  const option = (name: string): string | undefined => record.options[`com.docker.network.bridge.${name}`];
  const mode = (family: 4 | 6): string => option(`gateway_mode_ipv${family}`) ?? 'nat';
  return {
    link: record.link,
    internal: record.internal,
    icc: option('enable_icc') !== 'false',
    open: ([4, 6] as const).some((family) => mode(family) === 'routed' || mode(family) === 'nat-unprotected'),
    subnets: record.pools.map((pool) => ({
      family: pool.family,
      cidr: pool.subnet,
      masquerade: option('enable_ip_masquerade') !== 'false' && mode(pool.family) !== 'routed',
    })),
  };
}

function readUntil(filters: Filters): bigint | undefined {
  const [text] = filters.get('until') ?? [];
  if (text === undefined) return undefined;
  const duration = parseGoDuration(text);
  const until = duration === undefined ? parseApiTime(text) : nowNanos() - BigInt(Math.round(duration));
  if (until === undefined) throw new Fault('invalid', `invalid filter 'until=${text}'`);
  return until;
}
