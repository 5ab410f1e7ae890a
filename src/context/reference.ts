/** Image names as people write them. The daemon judges them; here is only what the command line must know. */
import { Fault } from '../std/index.ts';

export interface ImageName {
  /** Without tag and digest, as written. */
  repository: string;
  tag: string | undefined;
  digest: string | undefined;
}

/** @throws Fault invalid in Docker's words. */
export function parseImageName(text: string): ImageName {
  const at = text.indexOf('@');
  const named = at < 0 ? text : text.slice(0, at);
  const digest = at < 0 ? undefined : text.slice(at + 1);
  const colon = named.lastIndexOf(':');
  const hasTag = colon > named.lastIndexOf('/');
  const repository = hasTag ? named.slice(0, colon) : named;
  const tag = hasTag ? named.slice(colon + 1) : undefined;
  const bad = (): Fault => new Fault('invalid', 'invalid reference format');
  if (digest !== undefined && !/^[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[0-9a-fA-F]{32,}$/.test(digest)) throw bad();
  if (tag !== undefined && !/^\w[\w.-]{0,127}$/.test(tag)) throw bad();
  const path = hostOf(repository) === undefined ? repository : repository.slice(repository.indexOf('/') + 1);
  if (path !== path.toLowerCase()) {
    throw new Fault('invalid', `invalid reference format: repository name (${normal(repository)}) must be lowercase`);
  }
  if (!/^[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*)*$/.test(path))
    throw bad();
  return { repository, tag, digest };
}

/** The registry a name speaks of, if it names one. */
function hostOf(repository: string): string | undefined {
  const slash = repository.indexOf('/');
  const first = slash < 0 ? '' : repository.slice(0, slash);
  return first.includes('.') || first.includes(':') || first === 'localhost' || first !== first.toLowerCase()
    ? first
    : undefined;
}

function normal(repository: string): string {
  return repository.includes('/') ? repository : `library/${repository}`;
}

/** "docker.io" for names without a registry. */
export function registryOf(name: ImageName): string {
  const host = hostOf(name.repository) ?? 'docker.io';
  return host === 'index.docker.io' ? 'docker.io' : host;
}

/** "docker.io/library/busybox". */
export function canonicalRepository(name: ImageName): string {
  const host = hostOf(name.repository);
  if (host !== undefined && registryOf(name) !== 'docker.io') return name.repository;
  const path = host === undefined ? name.repository : name.repository.slice(host.length + 1);
  return `docker.io/${path.includes('/') ? path : `library/${path}`}`;
}

/** As Docker says it: without "docker.io/library/". */
export function familiarRepository(name: ImageName): string {
  return canonicalRepository(name).replace(/^docker\.io\/(library\/(?=[^/]+$))?/, '');
}

/** The name with `:latest` where it has neither tag nor digest. */
export function withTag(text: string): string {
  const name = parseImageName(text);
  const repository = familiarRepository(name);
  if (name.digest !== undefined) return `${repository}@${name.digest}`;
  return `${repository}:${name.tag ?? 'latest'}`;
}
