/** From what a client asks for to a network's record: names, driver, subnets and gateways decided and checked. Pure. */
import type { IpamPool, NetworkCreateBody } from '../api/index.ts';
import { Fault } from '../std/index.ts';
import type { AddressPool } from './address-pool.ts';
import { pickSubnet, uniqueLocalSubnet } from './address-pool.ts';
import { type Cidr, contains, formatAddress, formatCidr, overlaps, parseAddress, parseCidr } from './cidr.ts';
import { type DriverName, isPredefined, type NetworkPool, type NetworkRecord } from './record.ts';

export interface CreateSurroundings {
  id: string;
  created: string;
  networks: readonly NetworkRecord[];
  /** What the host routes or has as address. */
  hostSubnets: readonly Cidr[];
  pools: readonly AddressPool[];
  /** Link names of this daemon's bridges start with it. */
  linkPrefix: string;
  /** By driver: options that a request need not say. */
  driverDefaults: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** Makes IPv6 subnets of different machines differ. */
  machine: string;
}

const drivers = new Set<string>(['bridge', 'macvlan', 'ipvlan']);

/** @throws Fault with Docker's texts */
export function planNetwork(body: NetworkCreateBody, around: CreateSurroundings): NetworkRecord {
  const name = body.Name;
  if (name === undefined || name.trim() === '') throw new Fault('invalid', 'invalid network name: name is empty');
  if (isPredefined(name) || name === 'default') {
    throw new Fault('forbidden', `operation is not permitted on predefined ${name} network`);
  }
  if (around.networks.some((other) => other.name === name)) {
    throw new Fault('conflict', `network with name ${name} already exists`);
  }
  const source = configurationSource(body, around.networks);
  const driver = driverOf(body);
  const options = source?.options ?? { ...around.driverDefaults[driver], ...body.Options };
  const enableIPv4 = source?.enableIPv4 ?? body.EnableIPv4 ?? true;
  const enableIPv6 = source?.enableIPv6 ?? body.EnableIPv6 ?? false;
  const ipamDriver = body.IPAM?.Driver || 'default';
  if (ipamDriver !== 'default') throw new Fault('not-found', `plugin ${JSON.stringify(ipamDriver)} not found`);
  if (!enableIPv4 && !enableIPv6) throw new Fault('invalid', 'IPv4 or IPv6 must be enabled');
  const configOnly = body.ConfigOnly ?? false;
  const wanted = source === undefined ? (body.IPAM?.Config ?? []) : source.pools.map(poolRequest);
  const pools = configOnly
    ? wanted.map((pool) => configuredPool(pool))
    : decidePools(wanted, { enableIPv4, enableIPv6 }, around, name);
  const link = linkOf(driver, options, around);
  return {
    id: around.id,
    name,
    created: around.created,
    driver,
    enableIPv4,
    enableIPv6,
    internal: body.Internal ?? false,
    attachable: body.Attachable ?? false,
    ingress: body.Ingress ?? false,
    configOnly,
    configFrom: body.ConfigFrom?.Network ?? '',
    ipamDriver,
    ipamOptions: body.IPAM?.Options ?? {},
    pools,
    options,
    labels: body.Labels ?? {},
    link: configOnly ? '' : link.name,
    ownsLink: !configOnly && link.owned,
  };
}

function configurationSource(body: NetworkCreateBody, networks: readonly NetworkRecord[]): NetworkRecord | undefined {
  const from = body.ConfigFrom?.Network ?? '';
  if (from === '') return undefined;
  const found = networks.find((network) => network.name === from || network.id === from);
  if (found === undefined) throw new Fault('not-found', `network ${from} not found`);
  if (!found.configOnly) throw new Fault('forbidden', `network ${from} is not a configuration network`);
  if ((body.IPAM?.Config ?? []).length > 0) {
    throw new Fault(
      'forbidden',
      'user-specified configurations are not supported if the network depends on a configuration network',
    );
  }
  return found;
}

function driverOf(body: NetworkCreateBody): DriverName {
  const driver = body.Driver || 'bridge';
  if (driver === 'host' || driver === 'null') {
    throw new Fault('forbidden', `only one instance of "${driver}" network is allowed`);
  }
  if (!drivers.has(driver)) throw new Fault('not-found', `plugin ${JSON.stringify(driver)} not found`);
  return driver as DriverName;
}

function poolRequest(pool: NetworkPool): IpamPool {
  return {
    Subnet: pool.subnet,
    IPRange: pool.range,
    Gateway: pool.gateway,
    AuxiliaryAddresses: pool.auxiliary,
  };
}

function decidePools(
  wanted: readonly IpamPool[],
  enabled: { enableIPv4: boolean; enableIPv6: boolean },
  around: CreateSurroundings,
  name: string,
): NetworkPool[] {
  const others = around.networks
    .flatMap((network) => (network.configOnly ? [] : network.pools))
    .map((pool) => parseCidr(pool.subnet)!);
  const pools: NetworkPool[] = [];
  for (const request of wanted) {
    if ((request.Subnet ?? '') === '') continue;
    const pool = configuredPool(request);
    if (pool.family === 4 ? !enabled.enableIPv4 : !enabled.enableIPv6) continue;
    const subnet = parseCidr(pool.subnet)!;
    if ([...others, ...pools.map((other) => parseCidr(other.subnet)!)].some((other) => overlaps(other, subnet))) {
      throw new Fault('forbidden', 'invalid pool request: Pool overlaps with other one on this address space');
    }
    pools.push(pool);
  }
  if (enabled.enableIPv4 && !pools.some((pool) => pool.family === 4)) {
    const picked = pickSubnet(
      around.pools.filter((pool) => pool.base.family === 4),
      [...others, ...around.hostSubnets],
    );
    if (picked === undefined) {
      throw new Fault(
        'unavailable',
        'could not find an available, non-overlapping IPv4 address pool among the defaults to assign to the network: remove unused networks ' +
          '("network prune"), name a free subnet (--subnet), or configure more "default-address-pools"',
      );
    }
    const spare = wanted.find(
      (request) => (request.Subnet ?? '') === '' && parseAddress(request.Gateway ?? '')?.family === 4,
    );
    pools.unshift(automaticPool(picked, spare?.Gateway));
  }
  if (enabled.enableIPv6 && !pools.some((pool) => pool.family === 6)) {
    const picked = pickSubnet(
      around.pools.filter((pool) => pool.base.family === 6),
      [...others, ...around.hostSubnets],
    );
    pools.push(automaticPool(picked ?? uniqueLocalSubnet(`${around.machine}/${around.id}/${name}`)));
  }
  return pools;
}

export function automaticPool(subnet: Cidr, gateway?: string): NetworkPool {
  return {
    family: subnet.family,
    subnet: formatCidr(subnet),
    gateway: gateway === undefined || gateway === '' ? firstAddress(subnet) : gateway,
    range: '',
    auxiliary: {},
    configured: false,
  };
}

function firstAddress(subnet: Cidr): string {
  const small = subnet.prefix >= (subnet.family === 4 ? 31 : 127);
  return formatAddress({ family: subnet.family, value: small ? subnet.base : subnet.base + 1n });
}

/** A subnet as the client wrote it, checked. */
function configuredPool(request: IpamPool): NetworkPool {
  const text = request.Subnet ?? '';
  const subnet = parseCidr(text);
  if (subnet === undefined)
    throw new Fault('invalid', `invalid network config:\ninvalid subnet ${text}: invalid CIDR block notation`);
  if (parseAddress(text.slice(0, text.indexOf('/')))?.value !== subnet.base) {
    throw new Fault('invalid', `invalid network config:\ninvalid subnet ${text}: it should be ${formatCidr(subnet)}`);
  }
  const inside = (what: string, value: string): string => {
    const address = parseAddress(value);
    if (address === undefined)
      throw new Fault('invalid', `invalid network config:\ninvalid ${what} ${value}: invalid address`);
    if (!contains(subnet, address)) {
      throw new Fault(
        'invalid',
        `invalid network config:\ninvalid ${what} ${value}: parent subnet is ${formatCidr(subnet)}`,
      );
    }
    return formatAddress(address);
  };
  let range = '';
  if ((request.IPRange ?? '') !== '') {
    const parsed = parseCidr(request.IPRange!);
    if (parsed === undefined || parsed.family !== subnet.family) {
      throw new Fault(
        'invalid',
        `invalid network config:\ninvalid ip-range ${request.IPRange}: invalid CIDR block notation`,
      );
    }
    if (parsed.prefix < subnet.prefix || !contains(subnet, { family: parsed.family, value: parsed.base })) {
      throw new Fault(
        'invalid',
        `invalid network config:\ninvalid ip-range ${request.IPRange}: parent subnet is ${formatCidr(subnet)}`,
      );
    }
    range = formatCidr(parsed);
  }
  const auxiliary = Object.fromEntries(
    Object.entries(request.AuxiliaryAddresses ?? {}).map(([host, value]) => [host, inside('auxiliary address', value)]),
  );
  // The gateway lies at the start of the range the client gave, as Docker's IPAM does.
  const inRange = range === '' ? subnet : parseCidr(range)!;
  const automatic = firstAddress({ ...inRange, base: inRange.base === subnet.base ? subnet.base : inRange.base - 1n });
  const gateway = (request.Gateway ?? '') === '' ? automatic : inside('gateway address', request.Gateway!);
  return { family: subnet.family, subnet: formatCidr(subnet), gateway, range, auxiliary, configured: true };
}

function linkOf(
  driver: DriverName,
  options: Record<string, string>,
  around: CreateSurroundings,
): { name: string; owned: boolean } {
  if (driver === 'bridge') {
    const own = around.linkPrefix;
    const name = options['com.docker.network.bridge.name'] || `${own}-${around.id.slice(0, 14 - own.length)}`;
    if (!/^[^\s/:]{1,15}$/.test(name) || name === '.' || name === '..') {
      throw new Fault('invalid', `invalid bridge name: ${JSON.stringify(name)}`);
    }
    const holder = around.networks.find((other) => other.driver === 'bridge' && other.link === name);
    if (holder !== undefined) {
      throw new Fault(
        'forbidden',
        `cannot create network ${around.id} (${name}): conflicts with network ${holder.id} (${holder.link}): networks have same bridge name`,
      );
    }
    return { name, owned: true };
  }
  const parent = options['parent'] ?? '';
  if (parent !== '') return { name: parent, owned: /^.+\.\d+$/.test(parent) };
  return { name: `${around.linkPrefix}-${around.id.slice(0, 14 - around.linkPrefix.length)}`, owned: true };
}
