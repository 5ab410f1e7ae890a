/** EXPOSE's `[[address:]host:]port[-port][/protocol]`, of which only port and protocol are kept. */
import { isIP } from 'node:net';

/** `80/tcp` for each port. @throws Error in BuildKit's words */
export function exposedPorts(spec: string): string[] {
  const parts = spec.split(':');
  const last = parts.at(-1)!;
  const host = parts.length > 1 ? parts.at(-2)! : '';
  const address = parts.slice(0, -2).join(':');
  const [port = '', rawProtocol = 'tcp'] = last.split(/\/(.*)/s);
  if (port === '') throw new Error(`invalid port: "${last}": no port specified`);
  const protocol = rawProtocol.toLowerCase() || 'tcp';
  if (!['tcp', 'udp', 'sctp'].includes(protocol)) {
    throw new Error(`invalid port: "${last}": invalid proto: ${protocol}`);
  }
  const bare = /^\[(.*)\]$/.exec(address)?.[1] ?? address;
  if (address !== '' && isIP(bare) === 0) throw new Error(`invalid IP address: ${address}`);
  const range = portRange(port);
  if (range === undefined) throw new Error(`invalid containerPort: ${port}`);
  checkHost(host, port, range);
  const count = range.last - range.first + 1;
  return Array.from({ length: count }, (_, index) => `${range.first + index}/${protocol}`);
}

interface PortRange {
  readonly first: number;
  readonly last: number;
}

function checkHost(host: string, port: string, { first, last }: PortRange): void {
  if (host === '') return;
  const range = portRange(host);
  if (range === undefined) throw new Error(`invalid hostPort: ${host}`);
  if (last - first !== range.last - range.first && last !== first) {
    throw new Error(`invalid ranges specified for container and host Ports: ${port} and ${host}`);
  }
}

function portRange(text: string): PortRange | undefined {
  const match = /^(\d+)(?:-(\d+))?$/.exec(text);
  if (match === null) return undefined;
  const first = Number(match[1]);
  const last = Number(match[2] ?? match[1]);
  return first > 65535 || last > 65535 || last < first ? undefined : { first, last };
}
