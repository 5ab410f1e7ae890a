/** Which proxy a request goes through: HTTP_PROXY, HTTPS_PROXY and NO_PROXY exactly as Go programs, dockerd among them, read them. */
import { BlockList, isIP } from 'node:net';
import { Fault } from '../std/index.ts';

export interface ProxySettings {
  /** For http addresses; "" for none. */
  httpProxy: string;
  /** For https addresses; "" for none. */
  httpsProxy: string;
  /** Comma-separated names, `.suffixes`, addresses, networks, each with an optional port, or `*`. */
  noProxy: string;
}

export interface Proxy {
  /** Without credentials: it may be printed. */
  url: string;
  /** What proves who we are to it: a Proxy-Authorization header. */
  authorization: string | undefined;
}

interface Exception {
  /** A whole name or address, or a suffix with its dot. */
  host: string;
  port: string;
}

/** The settings that an environment holds. */
export function proxiesOf(env: NodeJS.ProcessEnv): ProxySettings {
  const first = (...names: string[]): string => names.map((name) => env[name] ?? '').find((text) => text !== '') ?? '';
  return {
    httpProxy: first('HTTP_PROXY', 'http_proxy'),
    httpsProxy: first('HTTPS_PROXY', 'https_proxy'),
    noProxy: first('NO_PROXY', 'no_proxy'),
  };
}

export class Proxies {
  readonly #settings: ProxySettings;
  readonly #networks = new BlockList();
  readonly #exceptions: Exception[] = [];
  #everything = false;

  constructor(settings: ProxySettings) {
    this.#settings = settings;
    this.#networks.addSubnet('127.0.0.0', 8, 'ipv4');
    this.#networks.addAddress('::1', 'ipv6');
    for (const part of settings.noProxy.split(/[\s,]+/)) if (part !== '') this.#except(part.toLowerCase());
  }

  #except(entry: string): void {
    if (entry === '*') {
      this.#everything = true;
      return;
    }
    const [network, bits] = entry.split('/') as [string, string | undefined];
    const family = isIP(network);
    if (bits !== undefined && family !== 0) {
      this.#networks.addSubnet(network, Number(bits), family === 4 ? 'ipv4' : 'ipv6');
      return;
    }
    const port = /:(\d+)$/.exec(isIP(entry) === 0 ? entry : '')?.[1] ?? '';
    const host = bare(port === '' ? entry : entry.slice(0, -port.length - 1)).replace(/^\*\./, '.');
    if (host !== '' && host !== '.') this.#exceptions.push({ host, port });
  }

  /** undefined: straight there. @throws Fault invalid for a proxy that is none */
  for(url: URL): Proxy | undefined {
    const setting = url.protocol === 'https:' ? this.#settings.httpsProxy : this.#settings.httpProxy;
    return setting === '' || this.#direct(url) ? undefined : parseProxy(setting);
  }

  #direct(url: URL): boolean {
    const host = bare(url.hostname.toLowerCase()).replace(/\.$/, '');
    const port = url.port === '' ? (url.protocol === 'https:' ? '443' : '80') : url.port;
    const family = isIP(host);
    if (host === 'localhost' || this.#everything) return true;
    if (family !== 0 && this.#networks.check(host, family === 4 ? 'ipv4' : 'ipv6')) return true;
    return this.#exceptions.some((each) => {
      if (each.port !== '' && each.port !== port) return false;
      if (each.host.startsWith('.')) return host.endsWith(each.host);
      return host === each.host || (family === 0 && host.endsWith(`.${each.host}`));
    });
  }
}

function bare(host: string): string {
  return host.replace(/^\[|\]$/g, '');
}

function parseProxy(setting: string): Proxy {
  const text = /^[a-z][a-z\d+.-]*:\/\//i.test(setting) ? setting : `http://${setting}`;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !['http:', 'https:'].includes(url.protocol)) {
    const shown = setting.replace(/\/\/[^@/]*@/, '//xxxxx@');
    throw new Fault(
      'invalid',
      `invalid proxy address ${JSON.stringify(shown)}: wanted http://host:port or https://host:port`,
    );
  }
  const { username, password } = url;
  const known = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return {
    url: `${url.protocol}//${url.host}`,
    authorization: username === '' ? undefined : `Basic ${Buffer.from(known).toString('base64')}`,
  };
}
