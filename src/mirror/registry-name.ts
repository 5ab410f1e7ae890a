/** Names of registries, as clients and operators write them, to the one name that references have. */
import { defaultDomain, parseReference } from '../oci/index.ts';
import { Fault } from '../std/index.ts';

/** What the default registry is called elsewhere. */
const defaultAliases: ReadonlySet<string> = new Set([defaultDomain, 'index.docker.io', 'registry-1.docker.io']);

/** Whether the first part of a path can only be a registry: as in references, a dot, a port, or "localhost" tell. */
export function looksLikeRegistry(part: string): boolean {
  return /[.:]/.test(part) || part === 'localhost';
}

/** @throws Fault invalid when it is no `host[:port]` */
export function registryName(text: string): string {
  const name = text.toLowerCase();
  if (defaultAliases.has(name)) return defaultDomain;
  const wrong = new Fault('invalid', `${JSON.stringify(text.slice(0, 300))} is no name of a registry`);
  if (!looksLikeRegistry(name)) throw wrong;
  try {
    if (parseReference(`${name}/any`).domain === name) return name;
  } catch {
    // It has characters that no host has.
  }
  throw wrong;
}
