/**
 * How near an address is to this machine, so that no registry out there can send us, by a redirect or the name of its token
 * service, to what only this machine or its network may talk to.
 */
import { lookup as systemLookup } from 'node:dns';
import { lookup } from 'node:dns/promises';
import { BlockList, isIP, type LookupFunction } from 'node:net';

/** From far to near. `link` also is where clouds keep the secrets of their machines. */
export type Nearness = 'public' | 'private' | 'loopback' | 'link';

const networks: readonly [nearness: Exclude<Nearness, 'public'>, list: BlockList][] = [
  ['link', blockList('169.254.0.0/16', 'fe80::/10')],
  ['loopback', blockList('127.0.0.0/8', '0.0.0.0/8', '::1/128', '::/128')],
  [
    'private',
    blockList(
      '10.0.0.0/8',
      '172.16.0.0/12',
      '192.168.0.0/16',
      '100.64.0.0/10',
      '192.0.0.0/24',
      '198.18.0.0/15',
      '224.0.0.0/3',
      'fc00::/7',
      'fec0::/10',
      'ff00::/8',
    ),
  ],
];

export function nearness(address: string): Nearness {
  const family = isIP(address) === 4 ? 'ipv4' : 'ipv6';
  return networks.find(([, list]) => list.check(address, family))?.[0] ?? 'public';
}

/** Which addresses a server at these may lead to: those no nearer than itself; link-local ones only from one of their kind. */
export class Reach {
  readonly #allowed: ReadonlySet<Nearness>;

  constructor(from: readonly string[]) {
    const near = new Set(from.map(nearness));
    const allowed = new Set<Nearness>(['public']);
    if (near.has('private') || near.has('loopback')) allowed.add('private');
    if (near.has('loopback')) allowed.add('loopback');
    if (near.has('link')) allowed.add('link');
    this.#allowed = allowed;
  }

  /** What a host's name or address stands for now; nothing known of it counts as far. */
  static async of(hostname: string): Promise<Reach> {
    const host = bare(hostname);
    if (isIP(host) !== 0) return new Reach([host]);
    const found = await lookup(host, { all: true }).catch(() => []);
    return new Reach(found.map(({ address }) => address));
  }

  /** Whether the host of a URL may be asked, as far as its spelling tells: names are looked at when they are resolved. */
  allowsName(hostname: string): boolean {
    const host = bare(hostname);
    if (host === 'localhost' || host.endsWith('.localhost')) return this.#allowed.has('loopback');
    return isIP(host) === 0 || this.allows(host);
  }

  allows(address: string): boolean {
    return this.#allowed.has(nearness(address));
  }

  /** For connections: finds only the addresses that are allowed. */
  get lookup(): LookupFunction {
    return (hostname, options, callback) => {
      systemLookup(hostname, { ...options, all: true }, (error, addresses) => {
        if (error !== null) return callback(error, []);
        const allowed = addresses.filter(({ address }) => this.allows(address));
        if (allowed.length === 0) return callback(new Error(tooNear(hostname)), []);
        if (options.all === true) return callback(null, allowed);
        callback(null, allowed[0]!.address, allowed[0]!.family);
      });
    };
  }

  /** Tells one from another that allows something else. */
  get key(): string {
    return [...this.#allowed].sort().join(' ');
  }
}

export function tooNear(hostname: string): string {
  return `refused to follow a registry to ${bare(hostname)}, an address of this machine or its network`;
}

function bare(hostname: string): string {
  return hostname
    .toLowerCase()
    .replace(/^\[|\]$/g, '')
    .replace(/\.$/, '');
}

function blockList(...entries: readonly string[]): BlockList {
  const list = new BlockList();
  for (const entry of entries) {
    const [network, bits] = entry.split('/') as [string, string];
    list.addSubnet(network, Number(bits), isIP(network) === 4 ? 'ipv4' : 'ipv6');
  }
  return list;
}
