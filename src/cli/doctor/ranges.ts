/** IPv4 ranges, and the routes of /proc/net/route. */

export interface Range {
  first: number;
  last: number;
}

export interface Route {
  device: string;
  range: Range;
}

/** "172.30.0.0/16"; undefined for anything else. */
export function parseRange(text: string): Range | undefined {
  const match = /^(\d+)\.(\d+)\.(\d+)\.(\d+)\/(\d+)$/.exec(text);
  if (match === null) return undefined;
  const numbers = match.slice(1).map(Number);
  const prefix = numbers.pop()!;
  if (prefix > 32 || numbers.some((part) => part > 255)) return undefined;
  const address = numbers.reduce((sum, part) => sum * 256 + part, 0);
  const size = 2 ** (32 - prefix);
  const first = address - (address % size);
  return { first, last: first + size - 1 };
}

export function overlap(a: Range, b: Range): boolean {
  return a.first <= b.last && b.first <= a.last;
}

/** All but the default route, which goes everywhere. Addresses are hexadecimal, in the machine's byte order (little-endian). */
export function readRoutes(text: string): Route[] {
  return text
    .split('\n')
    .slice(1)
    .flatMap((line) => {
      const cells = line.trim().split(/\s+/);
      const [device, destination] = cells;
      const mask = cells[7];
      if (device === undefined || destination === undefined || mask === undefined || /^0+$/.test(mask)) return [];
      const first = swapped(destination);
      return [{ device, range: { first, last: first + (2 ** 32 - 1 - swapped(mask)) } }];
    });
}

function swapped(hex: string): number {
  return Buffer.from(hex, 'hex').readUInt32LE(0);
}
