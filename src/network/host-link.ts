/** The host's side of a network: its bridge with addresses, or the parent link of macvlan and ipvlan. */
import { readFileSync } from 'node:fs';
import {
  addAddress,
  addLink,
  deleteLink,
  findLink,
  linkIndex,
  listAddresses,
  listLinks,
  type Netlink,
  setLink,
  sysctlPath,
  writeSysctl,
} from '../linux/index.ts';
import { Fault } from '../std/index.ts';
import { parseCidr } from './cidr.ts';
import type { NetworkRecord } from './record.ts';

/** Makes the network's link where it is missing and brings it up with its addresses. Returns its index, and the addresses it lacked. */
export function ensureHostLink(
  route: Netlink,
  network: NetworkRecord,
  mtu: number,
): { index: number; added: Set<string> } {
  const added = new Set<string>();
  if (network.driver !== 'bridge') return { index: ensureParent(route, network), added };
  const found = findLink(route, network.link);
  if (found !== undefined && found.kind !== 'bridge') {
    throw new Fault(
      'conflict',
      `Cannot use link ${network.link} for network ${network.name}: it is a ${found.kind || 'device'}, not a bridge`,
    );
  }
  if (found === undefined) {
    // A fixed address: without one the bridge takes the lowest of its ports' and changes it under its clients.
    addLink(route, network.link, { kind: 'bridge' }, { mac: bridgeMac(network), mtu });
  }
  const index = found?.index ?? linkIndex(route, network.link);
  if (network.enableIPv6) writeSysctl(`net/ipv6/conf/${network.link}/disable_ipv6`, '0');
  else trySysctl(`net/ipv6/conf/${network.link}/disable_ipv6`, '1');
  trySysctl(`net/ipv6/conf/${network.link}/accept_ra`, '0');
  trySysctl(`net/ipv6/conf/${network.link}/accept_dad`, '0');
  const present = new Set(
    listAddresses(route)
      .filter((address) => address.link === index)
      .map((address) => address.address),
  );
  for (const pool of network.pools) {
    if (pool.gateway === '' || present.has(pool.gateway)) continue;
    addAddress(route, { link: index, address: pool.gateway, prefix: parseCidr(pool.subnet)!.prefix });
    added.add(pool.gateway);
  }
  setLink(route, index, { up: true });
  // Clients on 127.0.0.1 reach published ports through the kernel; the raw chain drops what containers send to 127/8.
  writeSysctl(`net/ipv4/conf/${network.link}/route_localnet`, '1');
  return { index, added };
}

/** Takes away what ensureHostLink made, with the pairs whose sandbox is closed but whose last TCP connections linger. */
export function removeHostLink(route: Netlink, network: NetworkRecord): void {
  if (!network.ownsLink || network.link === '') return;
  const links = listLinks(route);
  const own = links.find((link) => link.name === network.link);
  if (own === undefined) return;
  for (const link of links) {
    if (link.master === own.index && link.kind === 'veth' && link.name.startsWith('veth')) deleteLink(route, link.name);
  }
  deleteLink(route, network.link);
}

/** Switches routing on, IPv6's only when a network needs it; settings that are on already stay untouched. */
export function enableForwarding(route: Netlink, needed: { v6: boolean }): void {
  if (readSysctl('net/ipv4/ip_forward') !== '1') writeSysctl('net/ipv4/ip_forward', '1');
  if (!needed.v6 || readSysctl('net/ipv6/conf/all/forwarding') === '1') return;
  // A forwarding host ignores router advertisements unless told otherwise: it would lose its own default route.
  for (const name of ['default', ...listLinks(route).map((link) => link.name)]) {
    const accept = `net/ipv6/conf/${name}/accept_ra`;
    if (readSysctl(accept) === '1') trySysctl(accept, '2');
  }
  writeSysctl('net/ipv6/conf/all/forwarding', '1');
}

function ensureParent(route: Netlink, network: NetworkRecord): number {
  const found = findLink(route, network.link);
  if (found !== undefined) return found.index;
  const dot = network.link.lastIndexOf('.');
  const parent = dot < 0 ? undefined : findLink(route, network.link.slice(0, dot));
  if (network.ownsLink && parent !== undefined) {
    addLink(
      route,
      network.link,
      { kind: 'vlan', parent: parent.index, id: Number(network.link.slice(dot + 1)) },
      { up: true },
    );
  } else if (network.ownsLink && (network.options['parent'] ?? '') === '') {
    addLink(route, network.link, { kind: 'dummy' }, { up: true });
  } else {
    throw new Fault('invalid', `invalid subinterface vlan name ${network.link}: no such parent link on the host`);
  }
  return linkIndex(route, network.link);
}

/** Locally administered, and the same each time the bridge is made. */
function bridgeMac(network: NetworkRecord): string {
  return ['02', '42', ...(network.id.match(/../g) ?? []).slice(0, 4)].join(':');
}

function readSysctl(name: string): string | undefined {
  try {
    return readFileSync(sysctlPath(name), 'utf8').trim();
  } catch {
    return undefined;
  }
}

/** For settings that are an improvement where the kernel has them. */
function trySysctl(name: string, value: string): void {
  if (readSysctl(name) !== undefined && readSysctl(name) !== value) writeSysctl(name, value);
}
