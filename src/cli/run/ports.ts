/** `-p` and `--expose` to what the API wants. A port without a protocol is TCP. */
import { isPortProtocol, parsePortRange, parsePublish, type PortMap, splitProtocol } from '../../api/index.ts';
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
    for (const { port: number, protocol, ip, hostPort } of parsePublish(spec)) {
      const port = `${number}/${protocol}`;
      exposed[port] = {};
      (bindings[port] ??= []).push({ HostIp: ip, HostPort: hostPort });
    }
  }
  for (const spec of expose) {
    if (spec.includes(':')) throw new Fault('invalid', `invalid port format for --expose: ${spec}`);
    const { protocol, port } = splitProtocol(spec);
    const range = parsePortRange(port);
    if (range === undefined || !isPortProtocol(protocol)) {
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
