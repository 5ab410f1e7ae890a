/** Proxy settings of the user's configuration, as environment for containers. */
import type { ConfigData } from '../../context/index.ts';

const names: Readonly<Record<string, string>> = {
  httpProxy: 'HTTP_PROXY',
  httpsProxy: 'HTTPS_PROXY',
  noProxy: 'NO_PROXY',
  ftpProxy: 'FTP_PROXY',
  allProxy: 'ALL_PROXY',
};

/** Both spellings of each, but none that the user sets. */
export function proxyEnvironment(config: ConfigData, host: string, given: readonly string[]): string[] {
  const settings = config.proxies?.[host] ?? config.proxies?.['default'] ?? {};
  const taken = new Set(given.map((line) => line.split('=', 1)[0]));
  return Object.entries(settings).flatMap(([key, value]) => {
    const name = names[key];
    if (name === undefined || value === '') return [];
    return [name, name.toLowerCase()].filter((each) => !taken.has(each)).map((each) => `${each}=${value}`);
  });
}
