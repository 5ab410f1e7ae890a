/** Docker's notation for published ports, `[[ip:]host[-host]:]container[-container][/protocol]`, as the command line and Compose files have it. */
import { Fault } from '../std/index.ts';

export interface PublishedPort {
  /** Of the container. */
  port: number;
  protocol: string;
  ip: string;
  /** A port, a range that the engine picks from, or empty for any. */
  hostPort: string;
}

/** @throws Fault invalid in the words of Docker's port parser. */
export function parsePublish(spec: string): PublishedPort[] {
  const parts = spec.split(':');
  const target = parts.pop()!;
  const hostText = parts.pop() ?? '';
  const ip = parseIp(parts.join(':'));
  const { protocol, port } = splitProtocol(target);
  if (port === '') throw new Fault('invalid', `no port specified: ${spec}<empty>`);
  const range = parsePortRange(port);
  if (range === undefined) throw new Fault('invalid', `invalid containerPort: ${port}`);
  const hostRange = hostText === '' ? undefined : parsePortRange(hostText);
  if (hostText !== '' && hostRange === undefined) throw new Fault('invalid', `invalid hostPort: ${hostText}`);
  const [start, end] = range;
  if (hostRange !== undefined && end - start !== hostRange[1] - hostRange[0] && end !== start) {
    throw new Fault('invalid', `invalid ranges specified for container and host Ports: ${port} and ${hostText}`);
  }
  if (!isPortProtocol(protocol)) throw new Fault('invalid', `invalid proto: ${protocol}`);
  return Array.from({ length: end - start + 1 }, (_, index) => ({
    port: start + index,
    protocol,
    ip,
    hostPort: hostPortOf(hostRange, index, start === end),
  }));
}

/** One container port and a range on the host: the daemon picks from the range. */
function hostPortOf(range: readonly [number, number] | undefined, index: number, single: boolean): string {
  if (range === undefined) return '';
  return single && range[0] !== range[1] ? `${range[0]}-${range[1]}` : String(range[0] + index);
}

function parseIp(text: string): string {
  const bare = text.startsWith('[') && text.endsWith(']') ? text.slice(1, -1) : text;
  const isIp = /^\d{1,3}(\.\d{1,3}){3}$/.test(bare)
    ? bare.split('.').every((part) => Number(part) < 256)
    : /^[\da-fA-F:.]+$/.test(bare) && bare.includes(':');
  if (bare !== '' && !isIp) throw new Fault('invalid', `invalid IP address: ${text}`);
  return bare;
}

/** TCP where none is named. */
export function splitProtocol(text: string): { protocol: string; port: string } {
  const slash = text.indexOf('/');
  if (slash < 0) return { protocol: 'tcp', port: text };
  const protocol = text.slice(slash + 1).toLowerCase();
  return { protocol: protocol === '' ? 'tcp' : protocol, port: text.slice(0, slash) };
}

export function isPortProtocol(text: string): boolean {
  return text === 'tcp' || text === 'udp' || text === 'sctp';
}

export function parsePortRange(text: string): readonly [number, number] | undefined {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text);
  if (match === null) return undefined;
  const start = Number(match[1]);
  const end = Number(match[2] ?? match[1]);
  return start > 65535 || end > 65535 || end < start ? undefined : [start, end];
}
