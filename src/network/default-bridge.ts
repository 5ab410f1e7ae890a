/** Subnets and gateways of the default bridge, from dockerd's flags. Pure. */
import { Fault } from '../std/index.ts';
import { type AddressPool, pickSubnet, uniqueLocalSubnet } from './address-pool.ts';
import { type Cidr, contains, formatAddress, formatCidr, parseAddress, parseCidr } from './cidr.ts';
import { automaticPool } from './create-plan.ts';
import type { NetworkingOptions } from './door.ts';
import type { NetworkPool } from './record.ts';

/** It holds more containers than a project's network. */
const PREFIX = 22;

export interface BridgeSurroundings {
  /** What it had. */
  known: readonly NetworkPool[];
  /** What its link has, as address and prefix: an administrator's, or one whose record was lost. */
  present: string | undefined;
  taken: () => readonly Cidr[];
  pools: readonly AddressPool[];
  machine: string;
}

type BridgeOptions = Pick<
  NetworkingOptions,
  | 'bip'
  | 'bip6'
  | 'fixedCidr'
  | 'fixedCidrV6'
  | 'defaultGateway'
  | 'defaultGatewayV6'
  | 'ipv6'
  | 'addressPools'
  | 'tableName'
>;

/** @throws Fault invalid naming the flag, unavailable when no subnet is free */
export function defaultPools(options: BridgeOptions, around: BridgeSurroundings): NetworkPool[] {
  const v4 = withGateway(pool4(options, around), 'default-gateway', options.defaultGateway, 'DefaultGatewayIPv4');
  if (!options.ipv6) return [v4];
  return [
    v4,
    withGateway(pool6(options, around), 'default-gateway-v6', options.defaultGatewayV6, 'DefaultGatewayIPv6'),
  ];
}

/** --bip, --fixed-cidr, or what it had, or what its link has, or a free one. */
function pool4(options: BridgeOptions, around: BridgeSurroundings): NetworkPool {
  const range = readRange('fixed-cidr', options.fixedCidr, 4);
  if (options.bip !== undefined) return ranged(bridgeAddress('bip', options.bip, 4), 'fixed-cidr', range);
  const before = around.known.find((pool) => pool.family === 4 && !pool.configured);
  const own = around.present;
  if (range === undefined) {
    if (before !== undefined) return before;
    if (own !== undefined) return { ...bridgeAddress('bip', own, 4), configured: false };
  } else {
    // Docker's rule: the subnet that the link has, if the range lies in it; else the range is the subnet.
    const present = own === undefined ? undefined : bridgeAddress('bip', own, 4);
    const holds = present !== undefined && contains(parseCidr(present.subnet)!, { family: 4, value: range.base });
    return ranged(holds ? present : { ...automaticPool(range), configured: true }, 'fixed-cidr', range);
  }
  const picked = pickSubnet(
    around.pools.filter((pool) => pool.base.family === 4),
    around.taken(),
    options.addressPools === undefined ? PREFIX : undefined,
  );
  if (picked === undefined) {
    throw new Fault(
      'unavailable',
      'Cannot make the default bridge: every address pool overlaps with what the host routes; set "bip"',
    );
  }
  return automaticPool(picked);
}

function pool6(options: BridgeOptions, around: BridgeSurroundings): NetworkPool {
  const range = readRange('fixed-cidr-v6', options.fixedCidrV6, 6);
  if (options.bip6 !== undefined) return ranged(bridgeAddress('bip6', options.bip6, 6), 'fixed-cidr-v6', range);
  const before = around.known.find((pool) => pool.family === 6);
  if (range === undefined)
    return before?.configured === false
      ? before
      : automaticPool(uniqueLocalSubnet(`${around.machine}/${options.tableName}`));
  return before?.subnet === formatCidr(range) ? before : { ...automaticPool(range), configured: true };
}

function readRange(flag: string, text: string | undefined, family: 4 | 6): Cidr | undefined {
  if (text === undefined || text === '') return undefined;
  const range = parseCidr(text);
  if (range?.family !== family) throw new Fault('invalid', `invalid ${flag}: ${JSON.stringify(text)} is not a subnet`);
  return range;
}

function bridgeAddress(flag: string, text: string, family: 4 | 6): NetworkPool {
  const subnet = parseCidr(text);
  const gateway = parseAddress(text.slice(0, Math.max(text.indexOf('/'), 0)));
  if (subnet?.family !== family || gateway === undefined) {
    const example = family === 4 ? '172.30.0.1/24' : 'fd00:30::1/64';
    throw new Fault(
      'invalid',
      `invalid ${flag}: ${JSON.stringify(text)} is not an address with a prefix, as ${example} is`,
    );
  }
  return { ...automaticPool(subnet, formatAddress(gateway)), configured: true };
}

/** Containers get their addresses from the range only. */
function ranged(pool: NetworkPool, flag: string, range: Cidr | undefined): NetworkPool {
  if (range === undefined) return pool;
  const subnet = parseCidr(pool.subnet)!;
  if (range.prefix < subnet.prefix || !contains(subnet, { family: range.family, value: range.base }))
    throw new Fault(
      'invalid',
      `invalid ${flag}: ${formatCidr(range)} is not within the bridge's subnet ${pool.subnet}`,
    );
  return range.prefix === subnet.prefix ? pool : { ...pool, range: formatCidr(range) };
}

/** Where containers send what leaves their subnet: another machine of it (libnetwork's auxiliary address). */
function withGateway(pool: NetworkPool, flag: string, text: string | undefined, name: string): NetworkPool {
  const { [name]: _before, ...auxiliary } = pool.auxiliary;
  if (text === undefined || text === '') return { ...pool, auxiliary };
  const address = parseAddress(text);
  if (address === undefined || !contains(parseCidr(pool.subnet)!, address))
    throw new Fault('invalid', `invalid ${flag}: ${JSON.stringify(text)} is not an address of ${pool.subnet}`);
  return { ...pool, auxiliary: { ...auxiliary, [name]: formatAddress(address) } };
}
