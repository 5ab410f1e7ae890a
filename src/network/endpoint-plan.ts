/** What an endpoint will be: its link's name, MAC address and IP addresses. */
import { Fault, randomId } from '../std/index.ts';
import type { AddressLedger } from './address-ledger.ts';
import { contains, parseAddress } from './cidr.ts';
import type { EndpointRequest } from './door.ts';
import type { EndpointRecord, NetworkPool, NetworkRecord } from './record.ts';

export interface EndpointSurroundings {
  /** The network's ledgers of a family, in the order of its pools. */
  ledgers: (family: 4 | 6) => AddressLedger[];
  /** Links that the sandbox has. */
  usedLinks: readonly string[];
  /** Names of our ends of pairs start with it. */
  pairPrefix: string;
}

/** Takes the addresses from the ledgers; the caller gives them back if the endpoint does not come to be. @throws Fault */
export function planEndpoint(
  network: NetworkRecord,
  request: EndpointRequest,
  around: EndpointSurroundings,
): EndpointRecord {
  const { config } = request;
  const id = randomId();
  const linked = network.driver !== 'host' && network.driver !== 'null';
  const endpoint: EndpointRecord = {
    id,
    networkId: network.id,
    link: linked ? linkName(network, around.usedLinks) : '',
    hostLink: network.driver === 'bridge' ? `${around.pairPrefix}${id.slice(0, 8)}` : '',
    mac: '',
    address4: '',
    prefix4: 0,
    gateway4: '',
    address6: '',
    prefix6: 0,
    gateway6: '',
    names: request.dnsNames,
    links: request.links,
    config,
  };
  if (!linked) return endpoint;
  const v4 = network.enableIPv4
    ? takeAddress(network, around.ledgers(4), 4, config.IPAMConfig?.IPv4Address ?? '')
    : undefined;
  try {
    const v6 = network.enableIPv6
      ? takeAddress(network, around.ledgers(6), 6, config.IPAMConfig?.IPv6Address ?? '')
      : undefined;
    Object.assign(endpoint, {
      ...(v4 === undefined ? {} : { address4: v4.address, prefix4: v4.prefix, gateway4: v4.gateway }),
      ...(v6 === undefined ? {} : { address6: v6.address, prefix6: v6.prefix, gateway6: v6.gateway }),
    });
  } catch (error) {
    if (v4 !== undefined) for (const ledger of around.ledgers(4)) ledger.release(v4.address);
    throw error;
  }
  endpoint.mac = network.driver === 'ipvlan' ? '' : readMac(config.MacAddress ?? '') || macOf(endpoint);
  return endpoint;
}

function takeAddress(
  network: NetworkRecord,
  ledgers: readonly AddressLedger[],
  family: 4 | 6,
  wanted: string,
): { address: string; prefix: number; gateway: string } {
  const pools = network.pools.filter((pool) => pool.family === family);
  const taken = (ledger: AddressLedger, address: string): { address: string; prefix: number; gateway: string } => ({
    address,
    prefix: ledger.subnet.prefix,
    // What leaves an internal network goes nowhere.
    gateway: network.internal ? '' : gatewayOf(pools[ledgers.indexOf(ledger)]),
  });
  if (wanted !== '') {
    const address = parseAddress(wanted);
    if (address === undefined || address.family !== family) {
      throw new Fault('invalid', `invalid endpoint settings:\ninvalid IPv${family} address: ${wanted}`);
    }
    const ledger = ledgers.find((candidate) => contains(candidate.subnet, address));
    if (ledger === undefined || !pools[ledgers.indexOf(ledger)]!.configured) {
      const configured = pools.some((pool) => pool.configured);
      throw new Fault(
        'invalid',
        configured
          ? `invalid endpoint settings:\nno configured subnet contains IP address ${wanted}`
          : 'invalid endpoint settings:\nuser specified IP address is supported only when connecting to networks with user configured subnets',
      );
    }
    if (!ledger.reserve(wanted)) throw new Fault('forbidden', 'Address already in use');
    return taken(ledger, wanted);
  }
  for (const ledger of ledgers) {
    const address = ledger.allocate();
    if (address !== undefined) return taken(ledger, address);
  }
  throw new Fault(
    'internal',
    `no available IPv${family} addresses on this network's address pools: ${network.name} (${network.id})`,
  );
}

/** The bridge, unless the network names a router (libnetwork's auxiliary address). */
function gatewayOf(pool: NetworkPool | undefined): string {
  return pool === undefined ? '' : (pool.auxiliary[`DefaultGatewayIPv${pool.family}`] ?? pool.gateway);
}

function linkName(network: NetworkRecord, usedLinks: readonly string[]): string {
  const prefix = network.options['com.docker.network.container_iface_prefix'] || 'eth';
  if (!/^[A-Za-z][\w.-]{0,10}$/.test(prefix)) {
    throw new Fault('invalid', `invalid container interface prefix: ${JSON.stringify(prefix)}`);
  }
  const used = new Set(usedLinks);
  for (let number = 0; ; number++) {
    if (!used.has(`${prefix}${number}`)) return `${prefix}${number}`;
  }
}

/** @throws Fault invalid */
function readMac(text: string): string {
  if (text === '') return '';
  const mac = text.toLowerCase().replaceAll('-', ':');
  if (!/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/.test(mac)) throw new Fault('invalid', `invalid MAC address: ${text}`);
  return mac;
}

/** Derived from the address, so that a neighbour's stale entry for the address is right nevertheless. */
function macOf(endpoint: EndpointRecord): string {
  const address = parseAddress(endpoint.address4 || endpoint.address6);
  const low = (address?.value ?? 0n) & 0xffffffffn;
  return `02:42:${low.toString(16).padStart(8, '0').match(/../g)!.join(':')}`;
}
