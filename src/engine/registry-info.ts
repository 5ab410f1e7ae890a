/** What `info` tells of registries, mirrors and proxies. Passwords in it are masked, as dockerd masks them. */
import type { SystemInfo } from '../api/index.ts';
import type { Config } from './config.ts';

type RegistryInfo = Pick<SystemInfo, 'RegistryConfig' | 'HttpProxy' | 'HttpsProxy' | 'NoProxy'>;

const hub = 'docker.io';

export function registryInfo(config: Config): RegistryInfo {
  const mirrors = mirrorsByRegistry(config.registryMirrors);
  const insecureNames = config.insecureRegistries.filter((entry) => !entry.includes('/'));
  const named = [...new Set([...insecureNames, ...mirrors.keys()])].filter((name) => name !== hub);
  const index = (Name: string, Official: boolean) => ({
    Name,
    Mirrors: mirrors.get(Name) ?? [],
    Secure: !insecureNames.includes(Name),
    Official,
  });
  return {
    RegistryConfig: {
      InsecureRegistryCIDRs: [
        ...config.insecureRegistries.filter((entry) => /^[\d.:a-f]+\/\d+$/.test(entry)),
        '::1/128',
        '127.0.0.0/8',
      ],
      IndexConfigs: Object.fromEntries([[hub, index(hub, true)], ...named.map((name) => [name, index(name, false)])]),
      Mirrors: mirrors.get(hub) ?? [],
    },
    HttpProxy: masked(config.proxies.httpProxy),
    HttpsProxy: masked(config.proxies.httpsProxy),
    NoProxy: config.proxies.noProxy,
  };
}

/** As Docker writes them: with one slash at the end. */
function mirrorsByRegistry(entries: readonly string[]): Map<string, string[]> {
  const mirrors = new Map<string, string[]>();
  for (const entry of entries) {
    const [, registry = hub, url = ''] = /^(?:([^=/]+)=)?(.*)$/s.exec(entry) ?? [];
    mirrors.set(registry, [...(mirrors.get(registry) ?? []), `${url.replace(/\/+$/, '')}/`]);
  }
  return mirrors;
}

function masked(proxy: string): string {
  return proxy.replace(/(\/\/|^)[^@/]*@/, '$1xxxxx:xxxxx@');
}
