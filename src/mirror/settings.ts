/** The cache's settings, from the operator's words to values with nothing left open. Nothing is opened here. */
import { isIP } from 'node:net';
import { defaultDomain } from '../oci/index.ts';
import { Fault, parseBytes, parseGoDuration } from '../std/index.ts';
import { registryName } from './registry-name.ts';

export interface MirrorSettings {
  host: string;
  port: number;
  /** PEM files. */
  tls: { certificate: string; key: string } | undefined;
  /** The registries that are served, as references name them. */
  upstreams: readonly string[];
  /** Networks whose clients are answered. */
  clients: readonly string[];
  /** A file of credentials for upstreams, in the form of docker's config.json. */
  credentials: string | undefined;
  maxBytes: number;
  /** How long what nobody asks for stays; Infinity: until the space is needed. */
  maxAgeMs: number;
}

/** As written; undefined and empty lists where nothing was. */
export interface MirrorWords {
  address: string | undefined;
  certificate: string | undefined;
  key: string | undefined;
  upstreams: readonly string[];
  clients: readonly string[];
  credentials: string | undefined;
  size: string | undefined;
  age: string | undefined;
}

/** This machine and private networks (RFC 1918, RFC 4193, link-local): a cache is no service to the Internet. */
export const nearNetworks: readonly string[] = [
  '127.0.0.0/8',
  '::1/128',
  '10.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '169.254.0.0/16',
  'fc00::/7',
  'fe80::/10',
];

/** @returns undefined without an address: there is no cache then. @throws Fault invalid naming the setting */
export function resolveMirror(words: MirrorWords): MirrorSettings | undefined {
  if (words.address === undefined) return undefined;
  const { host, port } = parseAddress(words.address);
  const { certificate, key, credentials } = words;
  if ((certificate === undefined) !== (key === undefined)) {
    throw new Fault('invalid', 'pull-through-cache-cert and pull-through-cache-key are only of use together');
  }
  if (credentials !== undefined && !isLoopback(host) && words.clients.length === 0) {
    throw new Fault(
      'invalid',
      `Cannot offer on ${words.address} what pull-through-cache-credentials open: everybody there could pull it. Name who may with pull-through-cache-client, or listen on 127.0.0.1`,
    );
  }
  const maxBytes = parseBytes(words.size ?? '10GB');
  if (maxBytes === undefined || maxBytes === 0) {
    throw new Fault('invalid', `invalid pull-through-cache-size: "${words.size}"; wanted a size such as 10GB`);
  }
  const age = parseGoDuration(words.age ?? '720h');
  if (age === undefined || age < 0) {
    throw new Fault('invalid', `invalid pull-through-cache-age: "${words.age}"; wanted a duration such as 720h`);
  }
  return {
    host,
    port,
    tls: certificate === undefined || key === undefined ? undefined : { certificate, key },
    upstreams: words.upstreams.length === 0 ? [defaultDomain] : words.upstreams.map(parseUpstream),
    clients: words.clients.length === 0 ? nearNetworks : words.clients.map(parseNetwork),
    credentials,
    maxBytes,
    maxAgeMs: age === 0 ? Infinity : age / 1e6,
  };
}

export function isLoopback(host: string): boolean {
  return host === '::1' || host.startsWith('127.');
}

/** `PORT` of loopback, or `IP:PORT`. */
function parseAddress(text: string): { host: string; port: number } {
  const match = /^(?:(?:\[([^\]]+)\]|([^:[\]]+)):)?(\d{1,5})$/.exec(text);
  const named = match?.[1] ?? match?.[2] ?? '127.0.0.1';
  const host = named === 'localhost' ? '127.0.0.1' : named;
  const port = Number(match?.[3]);
  if (match === null || isIP(host) === 0 || port > 65_535) {
    throw new Fault(
      'invalid',
      `invalid pull-through-cache: "${text}"; wanted a port (of 127.0.0.1) or an address with a port, such as 192.168.1.10:5000`,
    );
  }
  return { host, port };
}

function parseUpstream(text: string): string {
  try {
    return registryName(text.replace(/^https?:\/\//, '').replace(/\/$/, ''));
  } catch (error) {
    const wanted = 'wanted a registry such as quay.io';
    throw new Fault('invalid', `invalid pull-through-cache-upstream: "${text}"; ${wanted}`, { cause: error });
  }
}

function parseNetwork(text: string): string {
  const [address = '', bits, ...rest] = text.split('/');
  const most = isIP(address) === 4 ? 32 : 128;
  const fits = bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= most);
  if (isIP(address) === 0 || !fits || rest.length > 0) {
    throw new Fault(
      'invalid',
      `invalid pull-through-cache-client: "${text}"; wanted an address or a network such as 192.168.1.0/24`,
    );
  }
  return `${address}/${bits ?? most}`;
}
