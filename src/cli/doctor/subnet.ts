/** IPv4 subnets of routes and pools. Pure. */

export interface Subnet {
  readonly base: number;
  readonly prefix: number;
}

export interface Route {
  readonly device: string;
  readonly subnet: Subnet;
}

/** /proc/net/route, whose numbers are hexadecimal with the first byte last. The default route is none of them. */
export function readRoutes(text: string): Route[] {
  return text
    .split('\n')
    .slice(1)
    .flatMap((line) => {
      const [device = '', destination = '', , , , , , mask = ''] = line.trim().split(/\s+/);
      if (!/^[0-9A-F]{8}$/i.test(destination) || !/^[0-9A-F]{8}$/i.test(mask)) return [];
      const prefix = ones(swapped(mask));
      return prefix === 0 ? [] : [{ device, subnet: { base: swapped(destination), prefix } }];
    });
}

function swapped(hex: string): number {
  return Number.parseInt(hex.replace(/(..)(..)(..)(..)/, '$4$3$2$1'), 16);
}

function ones(mask: number): number {
  return mask.toString(2).replaceAll('0', '').length;
}

/** "172.30.0.0/16". */
export function parseSubnet(text: string): Subnet | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\/(\d{1,2})$/.exec(text);
  if (match === null) return undefined;
  const [a = 0, b = 0, c = 0, d = 0, prefix = 0] = match.slice(1).map(Number);
  if ([a, b, c, d].some((part) => part > 255) || prefix > 32) return undefined;
  return { base: ((a * 256 + b) * 256 + c) * 256 + d, prefix };
}

export function subnetText({ base, prefix }: Subnet): string {
  return `${[24, 16, 8, 0].map((shift) => Math.floor(base / 2 ** shift) % 256).join('.')}/${prefix}`;
}

export function overlaps(one: Subnet, other: Subnet): boolean {
  const wider = 2 ** (32 - Math.min(one.prefix, other.prefix));
  return Math.floor(one.base / wider) === Math.floor(other.base / wider);
}
