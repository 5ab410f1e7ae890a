/** Network links through rtnetlink: each function works in the namespace of the socket it is given (`openNetlink(0)`). */
import { Fault, errorCode } from '../std/index.ts';
import type { Netlink } from './netlink.ts';
import { netlinkFlags } from './netlink.ts';
import { SystemError } from './libc.ts';
import {
  attribute,
  attributeText,
  byteAttribute,
  intAttribute,
  nestedAttribute,
  readAttributes,
  shortAttribute,
  textAttribute,
} from './netlink-attribute.ts';

const RTM_NEWLINK = 16;
const RTM_DELLINK = 17;
const RTM_GETLINK = 18;
const RTM_SETLINK = 19;
const AF_BRIDGE = 7;
const IFF_UP = 1;
const IFLA = {
  address: 1,
  name: 3,
  mtu: 4,
  link: 5,
  master: 10,
  protinfo: 12,
  linkinfo: 18,
  stats64: 23,
  namespaceFd: 28,
} as const;

export interface Link {
  index: number;
  name: string;
  up: boolean;
  mtu: number;
  /** "02:42:…"; empty for links without one. */
  mac: string;
  /** Index of the bridge it is a port of; 0 for none. */
  master: number;
  /** "bridge", "veth", …; empty for physical links. */
  kind: string;
  statistics: LinkStatistics;
}

export interface LinkStatistics {
  rxBytes: number;
  rxPackets: number;
  rxErrors: number;
  rxDropped: number;
  txBytes: number;
  txPackets: number;
  txErrors: number;
  txDropped: number;
}

/** What a new link is, beyond its name. */
export type LinkKind =
  | { kind: 'bridge' }
  | { kind: 'dummy' }
  | { kind: 'vlan'; parent: number; id: number }
  | { kind: 'macvlan'; parent: number; mode: 'bridge' | 'private' | 'vepa' | 'passthru' }
  | { kind: 'ipvlan'; parent: number; mode: 'l2' | 'l3' | 'l3s'; flag: 'bridge' | 'private' | 'vepa' };

export interface LinkProperties {
  mtu?: number;
  mac?: string;
  up?: boolean;
  /** Index of the bridge to join; 0 leaves the one it is in. */
  master?: number;
}

export function listLinks(route: Netlink): Link[] {
  return route
    .request('list links', RTM_GETLINK, netlinkFlags.dump, linkHeader(0))
    .filter((message) => message.type === RTM_NEWLINK)
    .map((message) => readLink(message.body));
}

export function findLink(route: Netlink, name: string): Link | undefined {
  try {
    const answer = route.request(
      `find link ${name}`,
      RTM_GETLINK,
      0,
      Buffer.concat([linkHeader(0), textAttribute(IFLA.name, name)]),
    );
    return answer[0] === undefined ? undefined : readLink(answer[0].body);
  } catch (error) {
    if (errorCode(error) === 'ENODEV') return undefined;
    throw error;
  }
}

/** The index of a link. @throws Fault not-found */
export function linkIndex(route: Netlink, name: string): number {
  const found = findLink(route, name);
  if (found === undefined) throw new Fault('not-found', `Link not found: ${name}`);
  return found.index;
}

/** Makes a link; with `namespace` (a descriptor) it appears there. @throws SystemError EEXIST, EOPNOTSUPP for a kind this kernel lacks, … */
export function addLink(
  route: Netlink,
  name: string,
  kind: LinkKind,
  properties: LinkProperties & { namespace?: number } = {},
): void {
  const parts = [
    linkHeader(0, properties.up),
    textAttribute(IFLA.name, name),
    ...propertyAttributes(properties),
    ...('parent' in kind ? [intAttribute(IFLA.link, kind.parent)] : []),
    ...(properties.namespace === undefined ? [] : [intAttribute(IFLA.namespaceFd, properties.namespace)]),
    nestedAttribute(IFLA.linkinfo, textAttribute(1, kind.kind), ...kindData(kind)),
  ];
  route.request(`add ${kind.kind} ${name}`, RTM_NEWLINK, netlinkFlags.create | netlinkFlags.excl, Buffer.concat(parts));
}

/** Makes a veth pair whose peer is born in another namespace (a descriptor of it), down: a peer cannot be up before its pair. */
export function addVethPair(
  route: Netlink,
  name: string,
  properties: LinkProperties,
  peer: { name: string; namespace: number } & Omit<LinkProperties, 'up'>,
): void {
  const peerInfo = nestedAttribute(
    1,
    linkHeader(0),
    textAttribute(IFLA.name, peer.name),
    intAttribute(IFLA.namespaceFd, peer.namespace),
    ...propertyAttributes(peer),
  );
  const parts = [
    linkHeader(0, properties.up),
    textAttribute(IFLA.name, name),
    ...propertyAttributes(properties),
    nestedAttribute(IFLA.linkinfo, textAttribute(1, 'veth'), nestedAttribute(2, peerInfo)),
  ];
  route.request(`add veth ${name}`, RTM_NEWLINK, netlinkFlags.create | netlinkFlags.excl, Buffer.concat(parts));
}

/** Changes a link; what is absent stays. */
export function setLink(route: Netlink, index: number, properties: LinkProperties & { name?: string }): void {
  const parts = [
    linkHeader(index, properties.up),
    ...propertyAttributes(properties),
    ...(properties.name === undefined ? [] : [textAttribute(IFLA.name, properties.name)]),
  ];
  route.request(`set link ${index}`, RTM_NEWLINK, 0, Buffer.concat(parts));
}

/** Flags of a bridge's port: `isolated` ports do not reach one another, `hairpin` lets frames return by the port they came from. */
export function setBridgePort(route: Netlink, index: number, flags: { isolated?: boolean; hairpin?: boolean }): void {
  const inner = [
    ...(flags.hairpin === undefined ? [] : [byteAttribute(4, flags.hairpin ? 1 : 0)]),
    ...(flags.isolated === undefined ? [] : [byteAttribute(33, flags.isolated ? 1 : 0)]),
  ];
  const header = linkHeader(index);
  header.writeUInt8(AF_BRIDGE, 0);
  route.request(
    `set bridge port ${index}`,
    RTM_SETLINK,
    0,
    Buffer.concat([header, nestedAttribute(IFLA.protinfo, ...inner)]),
  );
}

/** Deletes a link and waits until it is gone (some 20 ms). What is not there is no error. */
export function deleteLink(route: Netlink, name: string): void {
  try {
    route.request(
      `delete link ${name}`,
      RTM_DELLINK,
      0,
      Buffer.concat([linkHeader(0), textAttribute(IFLA.name, name)]),
    );
  } catch (error) {
    if (!(error instanceof SystemError) || error.code !== 'ENODEV') throw error;
  }
}

function linkHeader(index: number, up?: boolean): Buffer {
  const header = Buffer.alloc(16);
  header.writeInt32LE(index, 4);
  if (up !== undefined) {
    header.writeUInt32LE(up ? IFF_UP : 0, 8);
    header.writeUInt32LE(IFF_UP, 12);
  }
  return header;
}

function propertyAttributes(properties: LinkProperties): Buffer[] {
  const parts: Buffer[] = [];
  if (properties.mtu !== undefined && properties.mtu > 0) parts.push(intAttribute(IFLA.mtu, properties.mtu));
  if (properties.mac !== undefined && properties.mac !== '') {
    parts.push(attribute(IFLA.address, Buffer.from(properties.mac.replaceAll(/[:-]/g, ''), 'hex')));
  }
  if (properties.master !== undefined && properties.master !== 0)
    parts.push(intAttribute(IFLA.master, properties.master));
  return parts;
}

function kindData(kind: LinkKind): Buffer[] {
  switch (kind.kind) {
    case 'vlan':
      return [nestedAttribute(2, shortAttribute(1, kind.id))];
    case 'macvlan':
      return [nestedAttribute(2, intAttribute(1, { private: 1, vepa: 2, bridge: 4, passthru: 8 }[kind.mode]))];
    case 'ipvlan':
      return [
        nestedAttribute(
          2,
          shortAttribute(1, { l2: 0, l3: 1, l3s: 2 }[kind.mode]),
          shortAttribute(2, { bridge: 0, private: 1, vepa: 2 }[kind.flag]),
        ),
      ];
    default:
      return [];
  }
}

function readLink(body: Buffer): Link {
  const attributes = readAttributes(body.subarray(16));
  const info = attributes.get(IFLA.linkinfo);
  const counters = attributes.get(IFLA.stats64);
  const counter = (at: number): number =>
    counters === undefined || counters.length < at * 8 + 8 ? 0 : Number(counters.readBigUInt64LE(at * 8));
  return {
    index: body.readInt32LE(4),
    name: attributeText(attributes.get(IFLA.name)),
    up: (body.readUInt32LE(8) & IFF_UP) !== 0,
    mtu: attributes.get(IFLA.mtu)?.readUInt32LE(0) ?? 0,
    mac:
      attributes
        .get(IFLA.address)
        ?.toString('hex')
        .replaceAll(/(..)(?=.)/g, '$1:') ?? '',
    master: attributes.get(IFLA.master)?.readUInt32LE(0) ?? 0,
    kind: info === undefined ? '' : attributeText(readAttributes(info).get(1)),
    statistics: {
      rxPackets: counter(0),
      txPackets: counter(1),
      rxBytes: counter(2),
      txBytes: counter(3),
      rxErrors: counter(4),
      txErrors: counter(5),
      rxDropped: counter(6),
      txDropped: counter(7),
    },
  };
}
