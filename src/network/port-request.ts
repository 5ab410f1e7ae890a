/** Published ports as clients ask for them, read and checked. Pure. */
import type { PortMap } from '../api/index.ts';
import { Fault } from '../std/index.ts';
import { formatAddress, parseAddress } from './cidr.ts';

export type PortProtocol = 'tcp' | 'udp' | 'sctp';

export interface PortRequest {
  /** The key under which inspect shows it: "80/tcp". */
  key: string;
  protocol: PortProtocol;
  containerPort: number;
  /** The addresses of the host that share one port number. */
  hostAddresses: string[];
  /** The second of two default addresses may be missing (no IPv6 on the host). */
  optionalV6: boolean;
  /** First and last acceptable port; undefined takes any ephemeral one. */
  range: { first: number; last: number } | undefined;
}

/** @throws Fault invalid */
export function readPortRequests(bindings: PortMap, defaultAddress: string): PortRequest[] {
  const requests: PortRequest[] = [];
  for (const [key, list] of Object.entries(bindings)) {
    const { port, protocol } = readContainerPort(key);
    for (const binding of list === null || list === undefined ? [] : list.length === 0 ? [{}] : list) {
      const address = binding.HostIp || defaultAddress;
      requests.push({
        key: `${port}/${protocol}`,
        protocol,
        containerPort: port,
        ...readHostAddress(address),
        range: readHostPort(binding.HostPort ?? ''),
      });
    }
  }
  return requests;
}

function readContainerPort(key: string): { port: number; protocol: PortProtocol } {
  const match = /^(\d{1,5})(?:\/(tcp|udp|sctp))?$/i.exec(key);
  const port = Number(match?.[1] ?? 0);
  if (match === null || port < 1 || port > 65_535)
    throw new Fault('invalid', `invalid port specification: ${JSON.stringify(key)}`);
  return { port, protocol: (match[2] ?? 'tcp').toLowerCase() as PortProtocol };
}

function readHostAddress(text: string): { hostAddresses: string[]; optionalV6: boolean } {
  if (text === '') return { hostAddresses: ['0.0.0.0', '::'], optionalV6: true };
  const address = parseAddress(text.replace(/^\[(.*)\]$/, '$1'));
  if (address === undefined) throw new Fault('invalid', `invalid IP address: ${text}`);
  return { hostAddresses: [formatAddress(address)], optionalV6: false };
}

function readHostPort(text: string): PortRequest['range'] {
  if (text === '' || text === '0') return undefined;
  const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text);
  const first = Number(match?.[1] ?? 0);
  const last = Number(match?.[2] ?? first);
  if (match === null || first < 1 || last > 65_535 || last < first) {
    throw new Fault('invalid', `invalid port specification: ${JSON.stringify(text)}`);
  }
  return { first, last };
}
