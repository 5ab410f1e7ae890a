/** Addresses and subnets as numbers: what the address ledger and the pools calculate with. Pure. */
import { Address4, Address6 } from 'ip-address';

export type Family = 4 | 6;

export interface Address {
  family: Family;
  value: bigint;
}

export interface Cidr {
  family: Family;
  /** The network's first address. */
  base: bigint;
  prefix: number;
}

/** Strict: no octal, no short forms, no zones. IPv4 mapped into IPv6 is read as IPv4. @returns undefined for anything else */
export function parseAddress(text: string): Address | undefined {
  try {
    if (text.includes('/') || text.includes('%')) return undefined;
    if (!text.includes(':')) return { family: 4, value: new Address4(text).bigInt() };
    const value = new Address6(text).bigInt();
    return value >> 32n === 0xffffn ? { family: 4, value: value & 0xffffffffn } : { family: 6, value };
  } catch {
    return undefined;
  }
}

export function formatAddress(address: Address): string {
  if (address.family === 6) return Address6.fromBigInt(address.value).correctForm();
  return [24n, 16n, 8n, 0n].map((shift) => (address.value >> shift) & 255n).join('.');
}

/** "10.0.0.5/24" to its network; host bits are dropped. @returns undefined when it is no subnet */
export function parseCidr(text: string): Cidr | undefined {
  const slash = text.indexOf('/');
  const address = parseAddress(slash < 0 ? '' : text.slice(0, slash));
  const digits = text.slice(slash + 1);
  if (address === undefined || !/^\d{1,3}$/.test(digits)) return undefined;
  const prefix = Number(digits);
  if (prefix > width(address.family)) return undefined;
  return { family: address.family, base: address.value & ~hostMask(address.family, prefix), prefix };
}

export function formatCidr(cidr: Cidr): string {
  return `${formatAddress({ family: cidr.family, value: cidr.base })}/${cidr.prefix}`;
}

export function lastAddress(cidr: Cidr): bigint {
  return cidr.base | hostMask(cidr.family, cidr.prefix);
}

export function contains(cidr: Cidr, address: Address): boolean {
  return address.family === cidr.family && address.value >= cidr.base && address.value <= lastAddress(cidr);
}

export function overlaps(left: Cidr, right: Cidr): boolean {
  return left.family === right.family && left.base <= lastAddress(right) && right.base <= lastAddress(left);
}

export function width(family: Family): number {
  return family === 4 ? 32 : 128;
}

function hostMask(family: Family, prefix: number): bigint {
  return (1n << BigInt(width(family) - prefix)) - 1n;
}
