/** `-p` and `--expose` to what the API wants. A port without a protocol is TCP. */
import type { PortMap } from '../../api/index.ts';
import { Fault } from '../../std/index.ts';

export interface Ports {
  exposed: Record<string, object>;
  bindings: PortMap;
}

/** @throws Fault invalid in the words of Docker's port parser. */
export function parsePorts(publish: readonly string[], expose: readonly string[]): Ports {
  const exposed: Record<string, object> = {};
  const bindings: Record<string, { HostIp: string; HostPort: string }[]> = {};
  for (const spec of publish.map(standardNotation)) {
    for (const { port, ip, hostPort } of parsePublish(spec)) {
      exposed[port] = {};
      (bindings[port] ??= []).push({ HostIp: ip, HostPort: hostPort });
    }
  }
  for (const spec of expose) {
    if (spec.includes(':')) throw new Fault('invalid', `invalid port format for --expose: ${spec}`);
    const { protocol, port } = splitProtocol(spec);
    const range = parseRange(port);
    if (range === undefined || !isProtocol(protocol)) {
      throw new Fault('invalid', `invalid range format for --expose: ${spec}, error: invalid port or protocol`);
    }
    for (let each = range[0]; each <= range[1]; each++) exposed[`${each}/${protocol}`] = {};
  }
  return { exposed, bindings };
}

/** `published=8080,target=80,protocol=udp` to `8080:80/udp`. */
function standardNotation(spec: string): string {
  if (!spec.includes('=')) return spec;
  const fields: Record<string, string> = { protocol: 'tcp', published: '', target: '' };
  for (const part of spec.split(',')) {
    const equals = part.indexOf('=');
    if (equals <= 0) {
      throw new Fault('invalid', `invalid publish opts format (should be name=value but got '${part}')`);
    }
    fields[part.slice(0, equals)] = part.slice(equals + 1);
  }
  return `${fields['published']}:${fields['target']}/${fields['protocol']}`;
}

interface Published {
  port: string;
  ip: string;
  hostPort: string;
}

function parsePublish(spec: string): Published[] {
  const parts = spec.split(':');
  const target = parts.pop()!;
  const hostText = parts.pop() ?? '';
  const ip = parseIp(parts.join(':'));
  const { protocol, port } = splitProtocol(target);
  if (port === '') throw new Fault('invalid', `no port specified: ${spec}<empty>`);
  const range = parseRange(port);
  if (range === undefined) throw new Fault('invalid', `invalid containerPort: ${port}`);
  const hostRange = hostText === '' ? undefined : parseRange(hostText);
  if (hostText !== '' && hostRange === undefined) throw new Fault('invalid', `invalid hostPort: ${hostText}`);
  const [start, end] = range;
  if (hostRange !== undefined && end - start !== hostRange[1] - hostRange[0] && end !== start) {
    throw new Fault('invalid', `invalid ranges specified for container and host Ports: ${port} and ${hostText}`);
  }
  if (!isProtocol(protocol)) throw new Fault('invalid', `invalid proto: ${protocol}`);
  return Array.from({ length: end - start + 1 }, (_, index) => ({
    port: `${start + index}/${protocol}`,
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

function splitProtocol(text: string): { protocol: string; port: string } {
  const slash = text.indexOf('/');
  if (slash < 0) return { protocol: 'tcp', port: text };
  const protocol = text.slice(slash + 1).toLowerCase();
  return { protocol: protocol === '' ? 'tcp' : protocol, port: text.slice(0, slash) };
}

function isProtocol(text: string): boolean {
  return text === 'tcp' || text === 'udp' || text === 'sctp';
}

function parseRange(text: string): readonly [number, number] | undefined {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text);
  if (match === null) return undefined;
  const start = Number(match[1]);
  const end = Number(match[2] ?? match[1]);
  return start > 65535 || end > 65535 || end < start ? undefined : [start, end];
}
