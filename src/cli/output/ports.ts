/** Ports as `ps` shows them, and who can reach them. */
import type { Port } from '../../api/index.ts';

/** Docker's DisplayablePorts: "0.0.0.0:8080->80/tcp, [::]:8080->80/tcp", neighbouring ports as ranges. */
export function displayPorts(ports: readonly Port[]): string {
  const groups = new Map<string, { first: number; last: number; sameHost: boolean }>();
  const shown: string[] = [];
  const hostMappings: string[] = [];
  const order: string[] = [];
  for (const port of [...ports].sort(comparePorts)) {
    const { PrivatePort: inner, PublicPort: outer, Type: type, IP: ip } = port;
    let key = type;
    if (ip !== undefined && ip !== '') {
      if (outer !== inner) {
        hostMappings.push(`${withBrackets(ip)}:${outer ?? 0}->${inner}/${type}`);
        continue;
      }
      key = `${ip}/${type}`;
    }
    const group = groups.get(key);
    if (group === undefined) {
      groups.set(key, { first: inner, last: inner, sameHost: true });
      order.push(key);
    } else if (inner === group.last + 1) group.last = inner;
    else if (inner !== group.last) {
      shown.push(groupText(key, group.first, group.last));
      groups.set(key, { first: inner, last: inner, sameHost: true });
    }
  }
  for (const key of order) {
    const { first, last } = groups.get(key)!;
    shown.push(groupText(key, first, last));
  }
  return [...shown, ...hostMappings].join(', ');
}

function groupText(key: string, first: number, last: number): string {
  const parts = key.split('/');
  const type = parts.pop()!;
  const range = first === last ? String(first) : `${first}-${last}`;
  const [ip] = parts;
  return ip === undefined ? `${range}/${type}` : `${withBrackets(ip)}:${range}->${range}/${type}`;
}

function withBrackets(ip: string): string {
  return ip.includes(':') ? `[${ip}]` : ip;
}

function comparePorts(a: Port, b: Port): number {
  if (a.PrivatePort !== b.PrivatePort) return a.PrivatePort - b.PrivatePort;
  if ((a.IP ?? '') !== (b.IP ?? '')) return (a.IP ?? '') < (b.IP ?? '') ? -1 : 1;
  if ((a.PublicPort ?? 0) !== (b.PublicPort ?? 0)) return (a.PublicPort ?? 0) - (b.PublicPort ?? 0);
  return a.Type < b.Type ? -1 : a.Type > b.Type ? 1 : 0;
}

export type Exposure = 'none' | 'loopback' | 'lan' | 'world';

const reach: readonly Exposure[] = ['none', 'loopback', 'lan', 'world'];

/** How far away one may be and still reach a container's published ports. Every address is the world. */
export function exposureOf(ports: readonly Port[], networkMode = ''): Exposure {
  let widest = networkMode === 'host' ? 3 : 0;
  for (const { IP: ip, PublicPort: port } of ports) {
    if (port === undefined || port === 0) continue;
    widest = Math.max(widest, reach.indexOf(exposureOfAddress(ip ?? '')));
  }
  return reach[widest]!;
}

function exposureOfAddress(ip: string): Exposure {
  if (ip.startsWith('127.') || ip === '::1') return 'loopback';
  if (/^(10\.|192\.168\.|169\.254\.|172\.(1[6-9]|2\d|3[01])\.|100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.)/.test(ip))
    return 'lan';
  if (/^f[cd][\da-f]{2}:|^fe[89ab][\da-f]:/i.test(ip)) return 'lan';
  return 'world';
}
