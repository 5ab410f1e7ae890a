/** Opens the room: records read, predefined networks made, links and firewall in place. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { findLink, listAddresses, type Netlink, openNetlink } from '../linux/index.ts';
import { formatNanos, type Logger, nowNanos, randomId, Records } from '../std/index.ts';
import { type AddressPool, resolvePools } from './address-pool.ts';
import { parseCidr } from './cidr.ts';
import { defaultPools } from './default-bridge.ts';
import type { Networking, NetworkingOptions } from './door.ts';
import { Firewall } from './firewall.ts';
import { NamespacePool } from './namespace-pool.ts';
import { LocalNetworking } from './networking.ts';
import { Networks } from './networks.ts';
import { PortPublisher } from './port-publisher.ts';
import type { DriverName, NetworkRecord } from './record.ts';
import { SandboxStore } from './sandbox-store.ts';
import { Sandboxes } from './sandboxes.ts';

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
    directRouting: options.directRouting,
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
    driverDefaults: options.driverDefaults,
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
    engine: options.tableName,
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
  record.pools = defaultPools(options, {
    known: known?.pools ?? [],
    present: linkAddress(opening.route, options.bridge),
    taken: () => [
      ...opening.networks.hostSubnets(),
      ...[...records.values()].flatMap((each) => each.pools.map((pool) => parseCidr(pool.subnet)!)),
    ],
    pools: opening.pools,
    machine: machineId(),
  });
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
