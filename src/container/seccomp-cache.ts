/** Compiled filters by profile: one for each set of capabilities that is in use. */
import { createHash } from 'node:crypto';
import { compileSeccomp } from '../linux/index.ts';
import type { Seccomp } from './seccomp-profile.ts';

const KEPT = 32;
const compiled = new WeakMap<object, Map<string, string | undefined>>();

/** The filter as crun's annotation wants it (base64), or undefined when the runtime had better compile it itself. `owner` scopes the cache. */
export function compiledSeccomp(owner: object, profile: Seccomp): string | undefined {
  if (profile.listenerPath !== undefined || (profile.flags ?? []).length > 0) return undefined;
  let cache = compiled.get(owner);
  if (cache === undefined) {
    cache = new Map();
    compiled.set(owner, cache);
  }
  const key = createHash('sha256').update(JSON.stringify(profile)).digest('base64');
  if (!cache.has(key)) {
    if (cache.size >= KEPT) cache.delete(cache.keys().next().value!);
    cache.set(key, compileSeccomp(profile)?.toString('base64'));
  }
  return cache.get(key);
}
