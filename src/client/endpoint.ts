/** Where a daemon is reached: `unix:///path`, `tcp://host:port`, `ssh://[user@]host[:port][/path]`, with or without TLS. */
import { Fault } from '../std/index.ts';

/** Certificates as text; `verify` false accepts any server certificate. */
export interface TlsSettings {
  ca?: string;
  cert?: string;
  key?: string;
  verify: boolean;
}

export type Endpoint =
  | { kind: 'unix'; url: string; path: string }
  | { kind: 'tcp'; url: string; host: string; port: number; basePath: string; tls: TlsSettings | undefined }
  | { kind: 'ssh'; url: string; host: string; user: string | undefined; port: number | undefined; path: string };

/** Reads an address as `-H` and DOCKER_HOST have it. @throws Fault invalid in Docker's words. */
export function parseEndpoint(url: string, tls?: TlsSettings): Endpoint {
  const text = url.trim();
  const split = text.indexOf('://');
  const scheme = split < 0 ? 'tcp' : text.slice(0, split);
  const rest = split < 0 ? text : text.slice(split + 3);
  if (scheme === 'unix') return { kind: 'unix', url: text, path: rest === '' ? '/var/run/docker.sock' : rest };
  if (scheme === 'tcp' || scheme === 'http' || scheme === 'https') {
    const parsed = asUrl(`http://${rest === '' ? 'localhost' : rest}`, text);
    const secure = tls ?? (scheme === 'https' ? { verify: true } : undefined);
    const host = parsed.hostname.replace(/^\[|\]$/g, '');
    const port =
      parsed.port === '' ? (rest.endsWith(':80') ? 80 : secure === undefined ? 2375 : 2376) : Number(parsed.port);
    return { kind: 'tcp', url: text, host, port, basePath: parsed.pathname.replace(/\/$/, ''), tls: secure };
  }
  if (scheme === 'ssh') {
    const parsed = asUrl(`http://${rest}`, text);
    return {
      kind: 'ssh',
      url: text,
      host: parsed.hostname,
      user: parsed.username === '' ? undefined : decodeURIComponent(parsed.username),
      port: parsed.port === '' ? undefined : Number(parsed.port),
      path: parsed.pathname === '/' ? '' : parsed.pathname,
    };
  }
  throw new Fault('invalid', `unable to parse docker host \`${url}\``);
}

function asUrl(url: string, given: string): URL {
  if (!URL.canParse(url)) throw new Fault('invalid', `unable to parse docker host \`${given}\``);
  return new URL(url);
}
