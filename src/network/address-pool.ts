/**
 * Which subnet a network gets that names none: the first of the pools' subnets that overlaps nothing the host routes, no
 * address it has, and no other network. Subnets are small (/26) so that a machine does not run out of them.
 */
import { createHash } from 'node:crypto';
import { Fault } from '../std/index.ts';
import { type Cidr, lastAddress, overlaps, parseCidr } from './cidr.ts';

export interface AddressPool {
  base: Cidr;
  /** Prefix length of the subnets cut from it. */
  size: number;
}

const defaults = [
  { base: '172.30.0.0/16', size: 26 },
  { base: '172.31.0.0/16', size: 26 },
  { base: '10.210.0.0/16', size: 26 },
  { base: '192.168.192.0/18', size: 26 },
];

/** Reads the configured pools. @throws Fault invalid naming the bad one */
export function resolvePools(pools: readonly { base: string; size: number }[] | undefined): AddressPool[] {
  return (pools ?? defaults).map(({ base, size }) => {
    const parsed = parseCidr(base);
    if (parsed === undefined)
      throw new Fault('invalid', `invalid address pool: base ${JSON.stringify(base)} is not a subnet`);
    if (size < parsed.prefix || size > (parsed.family === 4 ? 30 : 126)) {
      throw new Fault('invalid', `invalid address pool: size ${size} does not fit into ${base}`);
    }
    return { base: parsed, size };
  });
}

/** The first free IPv4 subnet of `pools`; `size` overrides theirs where it fits. @returns undefined when all are taken */
export function pickSubnet(pools: readonly AddressPool[], taken: readonly Cidr[], size?: number): Cidr | undefined {
  for (const pool of pools) {
    const prefix = Math.max(pool.base.prefix, size ?? pool.size);
    const step = 1n << BigInt((pool.base.family === 4 ? 32 : 128) - prefix);
    const end = lastAddress(pool.base);
    for (let base = pool.base.base; base <= end; ) {
      const candidate: Cidr = { family: pool.base.family, base, prefix };
      const blocker = taken.find((other) => overlaps(other, candidate));
      if (blocker === undefined) return candidate;
      // Behind the blocker, on the next boundary: a /8 in the way is one step, not a quarter of a million.
      const behind = lastAddress(blocker) + 1n;
      const next = behind % step === 0n ? behind : (behind / step + 1n) * step;
      base = next > base ? next : base + step;
    }
  }
  return undefined;
}

/** Another subnet of the size of `like`; `skip` leaves so many free ones to others. @returns undefined when all are taken */
export function pickFreeSubnet(
  pools: readonly AddressPool[],
  taken: readonly Cidr[],
  like: Cidr,
  skip: number,
): Cidr | undefined {
  const fitting = pools.filter(({ base }) => base.family === like.family);
  const skipped: Cidr[] = [];
  for (;;) {
    const picked = pickSubnet(fitting, [...taken, ...skipped], like.prefix);
    if (picked === undefined) return skipped.at(-1);
    if (skipped.length === skip) return picked;
    skipped.push(picked);
  }
}

/** The IPv6 subnet of a network that names none: a /64 of the local range derived from this daemon and the network. */
export function uniqueLocalSubnet(seed: string): Cidr {
  const digest = createHash('sha256').update(seed).digest();
  const value = (0xfdn << 56n) | (BigInt(`0x${digest.toString('hex', 0, 7)}`) & ((1n << 56n) - 1n));
  return { family: 6, base: value << 64n, prefix: 64 };
}
