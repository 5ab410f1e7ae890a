/** Addresses and routes through rtnetlink, in the namespace of the socket given. */
import { addressBytes, addressText } from './address-bytes.ts';
import { SystemError } from './libc.ts';
import { attribute, intAttribute, readAttributes } from './netlink-attribute.ts';
import type { Netlink } from './netlink.ts';
import { netlinkFlags } from './netlink.ts';

const RTM_NEWADDR = 20;
const RTM_DELADDR = 21;
const RTM_GETADDR = 22;
const RTM_NEWROUTE = 24;
const RTM_DELROUTE = 25;
const RTM_GETROUTE = 26;
const AF_INET = 2;
const AF_INET6 = 10;
const IFA_F_NODAD = 2;
const TABLE_MAIN = 254;
const SCOPE_LINK = 253;

export interface LinkAddress {
  /** Index of the link. */
  link: number;
  address: string;
  prefix: number;
}

export interface Route {
  /** undefined for a default route. */
  destination?: { address: string; prefix: number };
  /** undefined for what is on the link itself. */
  gateway?: string;
  link: number;
  table: number;
  family: 4 | 6;
}

export function listAddresses(route: Netlink): LinkAddress[] {
  return route
    .request('list addresses', RTM_GETADDR, netlinkFlags.dump, Buffer.alloc(8))
    .filter((message) => message.type === RTM_NEWADDR)
    .flatMap(({ body }) => {
      const attributes = readAttributes(body.subarray(8));
      const bytes = attributes.get(2) ?? attributes.get(1);
      if (bytes === undefined || (bytes.length !== 4 && bytes.length !== 16)) return [];
      return [{ link: body.readUInt32LE(4), address: addressText(bytes), prefix: body.readUInt8(1) }];
    });
}

/** Adds an address, without duplicate address detection for IPv6; one that is there already is no error. */
export function addAddress(route: Netlink, item: LinkAddress): void {
  const bytes = addressBytes(item.address);
  const parts = [addressHeader(item, bytes), attribute(2, bytes), attribute(1, bytes)];
  if (bytes.length === 4 && item.prefix < 31) {
    const host = 0xffffffff >>> item.prefix;
    const broadcast = Buffer.alloc(4);
    broadcast.writeUInt32BE((bytes.readUInt32BE(0) | host) >>> 0);
    parts.push(attribute(4, broadcast));
  }
  if (bytes.length === 16) parts.push(intAttribute(8, IFA_F_NODAD));
  ignoring('EEXIST', () =>
    route.request(
      `add address ${item.address}`,
      RTM_NEWADDR,
      netlinkFlags.create | netlinkFlags.excl,
      Buffer.concat(parts),
    ),
  );
}

/** Removes an address; one that is not there is no error. */
export function deleteAddress(route: Netlink, item: LinkAddress): void {
  const bytes = addressBytes(item.address);
  ignoring('EADDRNOTAVAIL', () =>
    route.request(
      `delete address ${item.address}`,
      RTM_DELADDR,
      0,
      Buffer.concat([addressHeader(item, bytes), attribute(2, bytes)]),
    ),
  );
}

export function listRoutes(route: Netlink): Route[] {
  return route
    .request('list routes', RTM_GETROUTE, netlinkFlags.dump, Buffer.alloc(12))
    .filter((message) => message.type === RTM_NEWROUTE)
    .map(({ body }) => {
      const attributes = readAttributes(body.subarray(12));
      const destination = attributes.get(1);
      const gateway = attributes.get(5);
      return {
        ...(destination === undefined
          ? {}
          : { destination: { address: addressText(destination), prefix: body.readUInt8(1) } }),
        ...(gateway === undefined ? {} : { gateway: addressText(gateway) }),
        link: attributes.get(4)?.readUInt32LE(0) ?? 0,
        table: attributes.get(15)?.readUInt32LE(0) ?? body.readUInt8(4),
        family: body.readUInt8(0) === AF_INET6 ? (6 as const) : (4 as const),
      };
    });
}

export type RouteRequest = Omit<Route, 'table'>;

/** Adds a route to the main table, or changes the one with the same destination. */
export function replaceRoute(route: Netlink, item: RouteRequest): void {
  route.request(
    `add route ${describe(item)}`,
    RTM_NEWROUTE,
    netlinkFlags.create | netlinkFlags.replace,
    routeMessage(item),
  );
}

/** Removes a route; one that is not there is no error. */
export function deleteRoute(route: Netlink, item: RouteRequest): void {
  ignoring('ESRCH', () => route.request(`delete route ${describe(item)}`, RTM_DELROUTE, 0, routeMessage(item)));
}

function routeMessage(item: RouteRequest): Buffer {
  const header = Buffer.alloc(12);
  header.writeUInt8(item.family === 6 ? AF_INET6 : AF_INET, 0);
  header.writeUInt8(item.destination?.prefix ?? 0, 1);
  header.writeUInt8(TABLE_MAIN, 4);
  header.writeUInt8(3, 5);
  header.writeUInt8(item.gateway === undefined && item.family === 4 ? SCOPE_LINK : 0, 6);
  header.writeUInt8(1, 7);
  const parts: Buffer[] = [header];
  if (item.destination !== undefined) parts.push(attribute(1, addressBytes(item.destination.address)));
  if (item.gateway !== undefined) parts.push(attribute(5, addressBytes(item.gateway)));
  parts.push(intAttribute(4, item.link));
  return Buffer.concat(parts);
}

function describe(item: RouteRequest): string {
  return item.destination === undefined ? 'default' : `${item.destination.address}/${item.destination.prefix}`;
}

function addressHeader(item: LinkAddress, bytes: Buffer): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt8(bytes.length === 16 ? AF_INET6 : AF_INET, 0);
  header.writeUInt8(item.prefix, 1);
  if (bytes.length === 16) header.writeUInt8(IFA_F_NODAD, 2);
  header.writeUInt32LE(item.link, 4);
  return header;
}

function ignoring(code: string, work: () => unknown): void {
  try {
    work();
  } catch (error) {
    if (!(error instanceof SystemError) || error.code !== code) throw error;
  }
}
