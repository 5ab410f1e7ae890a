/** Which base addresses serve a registry's name: its mirrors, and itself by TLS, or plain HTTP where the operator allows it. */
import { lookup } from 'node:dns/promises';
import { BlockList, isIP } from 'node:net';
import { defaultDomain } from '../oci/index.ts';

export interface HostSettings {
  /** "host", "host:port" or CIDR: TLS is not verified there and plain HTTP will do. Loopback always is one. */
  insecureRegistries: readonly string[];
  /** Addresses asked before a registry when pulling: `URL` for the default registry, `REGISTRY=URL` for another. */
  mirrors: readonly string[];
  /** Sent to mirrors with every request, and to nobody else. */
  mirrorHeaders: Readonly<Record<string, string>>;
}

export interface Base {
  /** `https://host:port`, for a mirror perhaps with a path; without a trailing slash. */
  url: string;
  verify: boolean;
  mirror: boolean;
  /** The registry a mirror is to answer for, where one mirror may serve several (`?ns=`, as containerd asks). */
  namespace: string | undefined;
  /** Sent with every request. */
  headers: Readonly<Record<string, string>>;
}

/** The host that serves the default domain. */
const defaultHost = 'registry-1.docker.io';

export class Hosts {
  readonly #insecureNames: ReadonlySet<string>;
  readonly #insecureNetworks = new BlockList();
  readonly #mirrorHeaders: Readonly<Record<string, string>>;
  readonly #mirrors = new Map<string, { url: string; namespace: string | undefined }[]>();

  constructor(settings: HostSettings) {
    this.#mirrorHeaders = settings.mirrorHeaders;
    const names = new Set<string>();
    for (const entry of ['127.0.0.0/8', '::1/128', ...settings.insecureRegistries]) {
      const [network, bits] = entry.split('/') as [string, string | undefined];
      const family = isIP(network);
      if (bits !== undefined && family !== 0) {
        this.#insecureNetworks.addSubnet(network, Number(bits), family === 4 ? 'ipv4' : 'ipv6');
      } else names.add(entry.replace(/^https?:\/\//, '').replace(/\/$/, ''));
    }
    this.#insecureNames = names;
    for (const entry of settings.mirrors) {
      const { domain, url } = parseMirror(entry);
      const list = this.#mirrors.get(domain ?? defaultDomain) ?? [];
      list.push({ url, namespace: domain });
      this.#mirrors.set(domain ?? defaultDomain, list);
    }
  }

  hasMirrors(domain: string): boolean {
    return this.#mirrors.has(domain);
  }

  /** The mirrors of a registry, best first. Pushes and logins never go to them. */
  async mirrors(domain: string): Promise<Base[]> {
    return Promise.all(
      (this.#mirrors.get(domain) ?? []).map(async ({ url, namespace }): Promise<Base> => {
        const verify = !(await this.#insecure(new URL(url).host));
        return { url, verify, mirror: true, namespace, headers: this.#mirrorHeaders };
      }),
    );
  }

  /** The registry's own addresses, best first: the first that answers is the registry. */
  async bases(domain: string): Promise<Base[]> {
    const base = (url: string, verify: boolean): Base => ({
      url,
      verify,
      mirror: false,
      namespace: undefined,
      headers: {},
    });
    if (domain === defaultDomain) return [base(`https://${defaultHost}`, true)];
    if (!(await this.#insecure(domain))) return [base(`https://${domain}`, true)];
    return [base(`https://${domain}`, false), base(`http://${domain}`, false)];
  }

  async #insecure(domain: string): Promise<boolean> {
    const host = domain.replace(/:\d+$/, '').replace(/^\[|\]$/g, '');
    if (this.#insecureNames.has(domain) || this.#insecureNames.has(host)) return true;
    const addresses = isIP(host) === 0 ? await addressesOf(host) : [{ address: host, family: isIP(host) }];
    return addresses.some(({ address, family }) =>
      this.#insecureNetworks.check(address, family === 4 ? 'ipv4' : 'ipv6'),
    );
  }
}

/** `domain` is undefined for a mirror of the default registry. */
function parseMirror(entry: string): { domain: string | undefined; url: string } {
  const match = /^([^=/]+)=(.*)$/.exec(entry);
  const domain = match?.[1] === 'index.docker.io' ? defaultDomain : match?.[1];
  return { domain, url: (match?.[2] ?? entry).replace(/\/+$/, '') };
}

async function addressesOf(host: string): Promise<{ address: string; family: number }[]> {
  try {
    return await lookup(host, { all: true });
  } catch {
    return [];
  }
}
