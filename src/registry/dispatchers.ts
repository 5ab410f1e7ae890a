/** undici's agents, one for each way to connect: straight or by a proxy, with whose authorities, showing which certificate. */
import { createHash } from 'node:crypto';
import { createSecureContext, type ConnectionOptions } from 'node:tls';
import type { Dispatcher } from 'undici';
import { Fault, messageOf } from '../std/index.ts';
import { type HostCertificates, readCertificates } from './certificates.ts';
import { Proxies, type Proxy, type ProxySettings } from './proxies.ts';
import { Reach, tooNear } from './reach.ts';
import { systemRoots } from './system-roots.ts';
import { TransportFault } from './transport-fault.ts';

/** Whose rules a request follows: those of the registry it was first sent to, wherever that sends it. */
export interface Trust {
  /** Base address of the registry. */
  url: string;
  /** Check the server's certificate. */
  verify: boolean;
}

export interface DispatcherOptions {
  proxies: ProxySettings;
  certificateFolders: readonly string[];
  /** For SSL_CERT_FILE. */
  env: NodeJS.ProcessEnv;
  /** Connections to one host at once; more requests wait for a free one. */
  connectionsPerHost: number;
  connectTimeoutMs: number;
  /** Longest silence before the answer's headers, and between two pieces of its body. */
  silenceTimeoutMs: number;
  /** Follow no registry to addresses nearer than its own. */
  confined: boolean;
}

export interface Route {
  request: typeof import('undici').request;
  dispatcher: Dispatcher;
  proxied: boolean;
}

/** How to get somewhere. */
interface Way {
  proxy: Proxy | undefined;
  tls: ConnectionOptions;
  /** For the connection to the proxy itself. */
  proxyTls: ConnectionOptions;
  /** undefined: anywhere. What a proxy resolves is the proxy's to judge. */
  reach: Reach | undefined;
}

const keepAliveTimeoutMs = 10_000;
const agentLimit = 50;
const nothing: HostCertificates = { authorities: [], own: [] };

export class Dispatchers {
  readonly #options: DispatcherOptions;
  readonly #proxies: Proxies;
  readonly #agents = new Map<string, Dispatcher>();
  #undici: Promise<typeof import('undici')> | undefined;
  #roots: Promise<string[]> | undefined;

  constructor(options: DispatcherOptions) {
    this.#options = options;
    this.#proxies = new Proxies(options.proxies);
  }

  /** @throws Fault invalid for certificates that cannot be used */
  async route(url: URL, trust: Trust): Promise<Route> {
    // undici weighs 30 MB of resident memory: it is loaded with the first request that a person makes.
    this.#undici ??= import('undici');
    const undici = await this.#undici;
    const proxy = this.#proxies.for(url);
    const reach = await this.#reach(url, trust);
    const certificates = url.protocol === 'https:' ? await this.#certificates(url, trust) : undefined;
    const key = createHash('sha256')
      .update(JSON.stringify([proxy, certificates, certificates === undefined ? undefined : trust.verify, reach?.key]))
      .digest('hex');
    let dispatcher = this.#agents.get(key);
    if (dispatcher === undefined) {
      const tls = certificates === undefined ? {} : await this.#tls(url.host, certificates, trust.verify);
      const proxyTls = proxy?.url.startsWith('https:') === true ? await this.#tls(proxy.url, nothing, true) : {};
      // Another request may have made it meanwhile.
      dispatcher = this.#agents.get(key) ?? this.#open(undici, { proxy, tls, proxyTls, reach });
    }
    // The least recently used is the first of the map.
    this.#agents.delete(key);
    this.#agents.set(key, dispatcher);
    this.#trim();
    return { request: undici.request, dispatcher, proxied: proxy !== undefined };
  }

  /** The registry's authorities are good for where it sends us, too; our own certificate is shown to its host alone. */
  async #certificates(url: URL, trust: Trust): Promise<HostCertificates> {
    const { certificateFolders } = this.#options;
    const own = await readCertificates(certificateFolders, url.host);
    const home = new URL(trust.url).host;
    if (home === url.host) return own;
    const { authorities } = await readCertificates(certificateFolders, home);
    return { authorities: [...own.authorities, ...authorities], own: own.own };
  }

  async #tls(host: string, { authorities, own }: HostCertificates, verify: boolean): Promise<ConnectionOptions> {
    this.#roots ??= systemRoots(this.#options.env);
    const roots = await this.#roots;
    try {
      const secureContext = createSecureContext({
        ca: [...roots, ...authorities],
        cert: own.map(({ certificate }) => certificate),
        key: own.map(({ key }) => key),
      });
      return { secureContext, rejectUnauthorized: verify };
    } catch (error) {
      throw new Fault('invalid', `Cannot use the certificates for ${host}: ${messageOf(error)}`, { cause: error });
    }
  }

  /** What limits where `url`, which is not the registry's own, may lead. @throws TransportFault when its spelling tells already */
  async #reach(url: URL, trust: Trust): Promise<Reach | undefined> {
    const home = new URL(trust.url);
    if (!this.#options.confined || home.host === url.host) return undefined;
    const reach = await Reach.of(home.hostname);
    if (!reach.allowsName(url.hostname)) throw new TransportFault('refused', tooNear(url.hostname));
    return reach;
  }

  #open(undici: typeof import('undici'), { proxy, tls, proxyTls, reach }: Way): Dispatcher {
    const { connectionsPerHost, connectTimeoutMs, silenceTimeoutMs } = this.#options;
    const options = {
      connections: connectionsPerHost,
      headersTimeout: silenceTimeoutMs,
      bodyTimeout: silenceTimeoutMs,
      keepAliveTimeout: keepAliveTimeoutMs,
    };
    const connect = {
      ...tls,
      timeout: connectTimeoutMs,
      ...(reach === undefined ? {} : { lookup: reach.lookup }),
    };
    if (proxy === undefined) return new undici.Agent({ ...options, connect });
    return new undici.ProxyAgent({
      ...options,
      uri: proxy.url,
      ...(proxy.authorization === undefined ? {} : { token: proxy.authorization }),
      requestTls: connect,
      proxyTls: { ...proxyTls, timeout: connectTimeoutMs },
      // Plain HTTP is asked of the proxy itself, as Go does: many allow tunnels to port 443 alone.
      proxyTunnel: false,
    });
  }

  /** Agents for certificates that were replaced, or registries not asked any more. Requests under way end first. */
  #trim(): void {
    for (const [key, dispatcher] of this.#agents) {
      if (this.#agents.size <= agentLimit) return;
      this.#agents.delete(key);
      dispatcher.close().catch(() => {});
    }
  }

  async close(): Promise<void> {
    const all = [...this.#agents.values()];
    this.#agents.clear();
    await Promise.all(all.map((dispatcher) => dispatcher.destroy()));
  }
}
