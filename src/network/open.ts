/** Opens the room: records read, predefined networks made, links and firewall in place. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { findLink, listAddresses, type Netlink, openNetlink } from '../linux/index.ts';
import { Fault, formatNanos, type Logger, nowNanos, randomId, Records } from '../std/index.ts';
import { type AddressPool, pickSubnet, resolvePools, uniqueLocalSubnet } from './address-pool.ts';
import { type Cidr, formatAddress, formatCidr, parseAddress, parseCidr } from './cidr.ts';
import { automaticPool } from './create-plan.ts';
import type { Networking, NetworkingOptions } from './door.ts';
import { Firewall } from './firewall.ts';
import { NamespacePool } from './namespace-pool.ts';
import { LocalNetworking } from './networking.ts';
import { Networks } from './networks.ts';
import { PortPublisher } from './port-publisher.ts';
import type { DriverName, NetworkPool, NetworkRecord } from './record.ts';
import { SandboxStore } from './sandbox-store.ts';
import { Sandboxes } from './sandboxes.ts';

/** The default bridge holds more containers than a project's network. */
const DEFAULT_BRIDGE_PREFIX = 22;

export async function openNetworking(options: NetworkingOptions & { logger: Logger }): Promise<Networking> {
  const { logger } = options;
  const broken = (path: string): void => logger.error('a network record cannot be read and was set aside', { path });
  const records = await Records.open<NetworkRecord>(join(options.root, 'networks'), broken);
  const store = new SandboxStore(join(options.runRoot, 'sandboxes'));
  const route = openNetlink(0);
  const pools = resolvePools(options.addressPools);
  const linkPrefix = linkPrefixOf(options);
  const firewall = new Firewall({
    table: options.tableName,
    linkPrefix,
    respectHostFirewall: options.respectHostFirewall,
    logger,
  });
  const networks = new Networks({
    records,
    route,
    firewall,
    pools,
    linkPrefix,
    machine: machineId(),
    mtu: options.mtu,
    sandboxes: () => sandboxes.records(),
    emit: options.emit,
    logger,
  });
  const publisher = new PortPublisher({
    firewall,
    lookup: (id) => networks.get(id),
    defaultAddress: options.defaultPublishAddress,
    userlandProxy: options.userlandProxy,
    hostPorts: options.hostPorts,
    route,
    logger,
  });
  const pool = new NamespacePool(join(options.runRoot, 'netns'), logger);
  const sandboxes = new Sandboxes({
    store,
    networks,
    publisher,
    pool,
    route,
    pairPrefix: `veth${createHash('sha256').update(options.tableName).digest('hex').slice(0, 3)}`,
    logger,
    emit: options.emit,
  });
  try {
    await predefine(options, { records, networks, route, pools });
    const left = store.readAll((path) => logger.error('a sandbox record cannot be read', { path }));
    const occupied = new Set(left.flatMap(({ endpoints }) => endpoints.map(({ networkId }) => networkId)));
    for (const record of records.values()) {
      if (networks.start(record, { occupied: occupied.has(record.id) })) await records.put(record.id, record);
    }
  } catch (error) {
    firewall.close({ remove: false });
    route.close();
    throw error;
  }
  pool.refill();
  return new LocalNetworking({ options, route, firewall, networks, sandboxes, publisher, pool, logger });
}

interface Opening {
  records: Records<NetworkRecord>;
  networks: Networks;
  route: Netlink;
  pools: readonly AddressPool[];
}

/** bridge, host and none: made once, the bridge's settings follow the options. */
async function predefine(options: NetworkingOptions, opening: Opening): Promise<void> {
  const { records } = opening;
  const byName = (name: string): NetworkRecord | undefined =>
    [...records.values()].find((record) => record.name === name);
  for (const [name, driver] of [
    ['host', 'host'],
    ['none', 'null'],
  ] as const) {
    if (byName(name) !== undefined) continue;
    const record = predefined(name, driver);
    await records.put(record.id, record);
  }
  const known = byName('bridge');
  if (options.bridge === 'none') {
    if (known !== undefined) await records.delete(known.id);
    return;
  }
  const record: NetworkRecord = {
    ...(known ?? predefined('bridge', 'bridge')),
    enableIPv6: options.ipv6,
    link: options.bridge,
    ownsLink: true,
    options: {
      'com.docker.network.bridge.default_bridge': 'true',
      'com.docker.network.bridge.enable_icc': String(options.icc),
      'com.docker.network.bridge.enable_ip_masquerade': 'true',
      'com.docker.network.bridge.host_binding_ipv4': options.defaultPublishAddress || '0.0.0.0',
      'com.docker.network.bridge.name': options.bridge,
      'com.docker.network.driver.mtu': String(options.mtu),
    },
  };
  record.pools = [defaultPool(options, opening, known), ...defaultPool6(options, record)];
  if (JSON.stringify(record) !== JSON.stringify(known)) await records.put(record.id, record);
}

function predefined(name: string, driver: DriverName): NetworkRecord {
  return {
    id: randomId(),
    name,
    created: formatNanos(nowNanos()),
    driver,
    enableIPv4: true,
    enableIPv6: false,
    internal: false,
    attachable: false,
    ingress: false,
    configOnly: false,
    configFrom: '',
    ipamDriver: 'default',
    ipamOptions: null,
    pools: [],
    options: {},
    labels: {},
    link: '',
    ownsLink: false,
  };
}

/** --bip, or what it had, or what its link has, or a free one. */
function defaultPool(options: NetworkingOptions, opening: Opening, known: NetworkRecord | undefined): NetworkPool {
  const own = options.bip ?? linkAddress(opening.route, options.bridge);
  const before = known?.pools.find((pool) => pool.family === 4);
  if (options.bip === undefined && before !== undefined) return before;
  if (own !== undefined) {
    const subnet = parseCidr(own);
    const gateway = parseAddress(own.slice(0, own.indexOf('/')));
    if (subnet === undefined || gateway === undefined || subnet.family !== 4) {
      throw new Fault(
        'invalid',
        `invalid bip: ${JSON.stringify(own)} is not an address with a prefix, as 172.30.0.1/24 is`,
      );
    }
    return { ...automaticPool(subnet, formatAddress(gateway)), configured: options.bip !== undefined };
  }
  const taken: Cidr[] = [
    ...opening.networks.hostSubnets(),
    ...[...opening.records.values()].flatMap((record) => record.pools.map((pool) => parseCidr(pool.subnet)!)),
  ];
  const v4 = opening.pools.filter((pool) => pool.base.family === 4);
  const picked = pickSubnet(v4, taken, options.addressPools === undefined ? DEFAULT_BRIDGE_PREFIX : undefined);
  if (picked === undefined) {
    throw new Fault(
      'unavailable',
      'Cannot make the default bridge: every address pool overlaps with what the host routes; set "bip"',
    );
  }
  return automaticPool(picked);
}

function defaultPool6(options: NetworkingOptions, record: NetworkRecord): NetworkPool[] {
  if (!options.ipv6) return [];
  const before = record.pools.find((pool) => pool.family === 6);
  if (options.fixedCidrV6 === undefined || options.fixedCidrV6 === '') {
    return [before ?? automaticPool(uniqueLocalSubnet(`${machineId()}/${options.tableName}`))];
  }
  const subnet = parseCidr(options.fixedCidrV6);
  if (subnet?.family !== 6) throw new Fault('invalid', `invalid fixed-cidr-v6: ${JSON.stringify(options.fixedCidrV6)}`);
  return [before?.subnet === formatCidr(subnet) ? before : { ...automaticPool(subnet), configured: true }];
}

/** The address of a bridge that is there already: an administrator's, or one whose record was lost. */
function linkAddress(route: Netlink, name: string): string | undefined {
  const link = findLink(route, name);
  if (link?.kind !== 'bridge') return undefined;
  const found = listAddresses(route).find((address) => address.link === link.index && !address.address.includes(':'));
  return found === undefined ? undefined : `${found.address}/${found.prefix}`;
}

/** What the names of this daemon's bridges begin with; short enough to leave room for an id. */
function linkPrefixOf(options: NetworkingOptions): string {
  const name = options.bridge === 'none' ? options.tableName : options.bridge;
  if (/^[\w-]{1,7}$/.test(name)) return name;
  return `${name.replaceAll(/[^\w]/g, '').slice(0, 3)}${createHash('sha256').update(name).digest('hex').slice(0, 4)}`;
}

function machineId(): string {
  try {
    return readFileSync('/etc/machine-id', 'utf8').trim();
  } catch {
    return '';
  }
}
