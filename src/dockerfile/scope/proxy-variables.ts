/** Proxy settings: they reach RUN without being declared, and neither its cache key nor the image's history. */

const names = new Set(['HTTP_PROXY', 'HTTPS_PROXY', 'FTP_PROXY', 'NO_PROXY', 'ALL_PROXY']);

export function isProxyVariable(name: string): boolean {
  return names.has(name.toUpperCase());
}

/** Both spellings of each proxy setting among the build arguments, as programs look for either. */
export function proxyEnvironment(buildArgs: ReadonlyMap<string, string>): Map<string, string> {
  const found = new Map<string, string>();
  for (const name of [...buildArgs.keys()].filter(isProxyVariable).sort()) {
    found.set(name.toUpperCase(), buildArgs.get(name)!);
    found.set(name.toLowerCase(), buildArgs.get(name)!);
  }
  return found;
}
