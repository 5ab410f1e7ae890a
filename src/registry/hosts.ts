/** Which base addresses serve a registry's name, best first: mirrors, TLS, and plain HTTP where the operator allows it. */
import { lookup } from 'node:dns/promises';
import { BlockList, isIP } from 'node:net';
import { defaultDomain } from '../oci/index.ts';

export interface RegistrySettings {
  /** "host", "host:port" or CIDR: TLS is not verified there and plain HTTP will do. Loopback always is one. */
  insecureRegistries: readonly string[];
  /** Base addresses asked before the default registry when pulling from it. */
  mirrors: readonly string[];
}

export interface Base {
  /** `https://host:port`, without a trailing slash. */
  url: string;
  verify: boolean;
  mirror: boolean;
}

/** The host that serves the default domain. */
const defaultHost = 'registry-1.docker.io';

export class Hosts {
  readonly #insecureNames: ReadonlySet<string>;
  readonly #insecureNetworks = new BlockList();
  readonly #mirrors: readonly string[];

  constructor(settings: RegistrySettings) {
    const names = new Set<string>();
    for (const entry of ['127.0.0.0/8', '::1/128', ...settings.insecureRegistries]) {
      const [network, bits] = entry.split('/') as [string, string | undefined];
      const family = isIP(network);
      if (bits !== undefined && family !== 0) {
        this.#insecureNetworks.addSubnet(network, Number(bits), family === 4 ? 'ipv4' : 'ipv6');
      } else names.add(entry.replace(/^https?:\/\//, '').replace(/\/$/, ''));
    }
    this.#insecureNames = names;
    this.#mirrors = settings.mirrors.map((mirror) => mirror.replace(/\/+$/, ''));
  }

  /** `pull` includes mirrors; pushes and logins go to the registry itself. */
  async bases(domain: string, pull: boolean): Promise<Base[]> {
    if (domain === defaultDomain) {
      const mirrors = await Promise.all(
        (pull ? this.#mirrors : []).map(async (url): Promise<Base> => {
          const insecure = await this.#insecure(url.replace(/^https?:\/\//, '').split('/')[0]!);
          return { url: /^https?:\/\//.test(url) ? url : `https://${url}`, verify: !insecure, mirror: true };
        }),
      );
      return [...mirrors, { url: `https://${defaultHost}`, verify: true, mirror: false }];
    }
    if (!(await this.#insecure(domain))) return [{ url: `https://${domain}`, verify: true, mirror: false }];
    return [
      { url: `https://${domain}`, verify: false, mirror: false },
      { url: `http://${domain}`, verify: false, mirror: false },
    ];
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

async function addressesOf(host: string): Promise<{ address: string; family: number }[]> {
  try {
    return await lookup(host, { all: true });
  } catch {
    return [];
  }
}
