/** A service's `build` as the words of a build's command line: the builder has one door for both. */
import type { Build, Project, Service } from '../../compose/index.ts';
import { imageNameOf, composeVersion, label } from '../../compose/index.ts';
import { Fault } from '../../std/index.ts';

export interface BuildExtras {
  /** `--build-arg` of the command line: over the file's. */
  args: readonly string[];
  noCache: boolean;
  pull: boolean;
  ssh: readonly string[];
  memory: string | undefined;
  push: boolean;
}

/** @param dockerfile where `dockerfile_inline` was written. @throws Fault invalid for secrets that cannot be lent */
export function buildWords(
  project: Project,
  service: Service,
  extras: BuildExtras,
  dockerfile: string | undefined,
): string[] {
  const build = service.build!;
  const image = imageNameOf(project, service);
  const words: string[] = [];
  const flag = (name: string, value: string | undefined): void => {
    if (value !== undefined && value !== '') words.push(`--${name}=${value}`);
  };
  const flags = (name: string, values: readonly string[] | undefined): void =>
    values?.forEach((value) => flag(name, value));
  flag('file', dockerfile ?? dockerfileOf(build));
  flags('tag', [image, ...(build.tags ?? [])]);
  flag('target', build.target);
  flags('build-arg', argsOf(project, build, extras.args));
  flags('label', labelsOf(project, service));
  flags('cache-from', build.cache_from);
  flags('cache-to', build.cache_to);
  if (build.no_cache === true || extras.noCache) words.push('--no-cache');
  if (build.pull === true || extras.pull) words.push('--pull');
  if (extras.push && service.image !== undefined) words.push('--push');
  flag('network', build.network);
  flags('platform', build.platforms?.length ? build.platforms : service.platform ? [service.platform] : []);
  if (build.shm_size !== undefined) flag('shm-size', String(build.shm_size));
  flags(
    'add-host',
    Object.entries(build.extra_hosts ?? {}).flatMap(([name, addresses]) => addresses.map((each) => `${name}:${each}`)),
  );
  flags('allow', [...(build.entitlements ?? []), ...(build.privileged === true ? ['security.insecure'] : [])]);
  for (const [name, { single = 0, soft, hard }] of Object.entries(build.ulimits ?? {}))
    flag('ulimit', `${name}=${soft || single}:${hard || single}`);
  flags('build-context', contextsOf(project, build));
  flags('secret', secretsOf(project, build));
  flags('ssh', [
    ...Object.entries(build.ssh ?? {}).map(([id, path]) => (path === '' ? id : `${id}=${path}`)),
    ...extras.ssh,
  ]);
  flag('memory', extras.memory);
  words.push(build.context ?? '.');
  return words;
}

function dockerfileOf({ context = '.', dockerfile }: Build): string | undefined {
  if (dockerfile === undefined || dockerfile === 'Dockerfile') return undefined;
  const isLocal = context.startsWith('/') || context.startsWith('.');
  return isLocal && !dockerfile.startsWith('/') ? `${context.replace(/\/$/, '')}/${dockerfile}` : dockerfile;
}

/** Those without a value, anywhere, are not given. */
function argsOf(project: Project, build: Build, given: readonly string[]): string[] {
  const args = new Map<string, string>();
  for (const [key, value] of Object.entries(build.args ?? {})) {
    const found = value ?? project.environment[key];
    if (found !== undefined) args.set(key, found);
  }
  for (const word of given) {
    const equals = word.indexOf('=');
    const key = equals < 0 ? word : word.slice(0, equals);
    const value = equals < 0 ? project.environment[key] : word.slice(equals + 1);
    if (value !== undefined) args.set(key, value);
  }
  return [...args].map(([key, value]) => `${key}=${value}`);
}

function labelsOf(project: Project, service: Service): string[] {
  const all = {
    ...service.build?.labels,
    [label.version]: composeVersion,
    [label.project]: project.name,
    [label.service]: service.name,
  };
  return Object.entries(all).map(([key, value]) => `${key}=${value}`);
}

/** Another service's image is there by then: those are built first. */
function contextsOf(project: Project, { additional_contexts: contexts = {} }: Build): string[] {
  const services = { ...project.services, ...project.disabledServices };
  return Object.entries(contexts).map(([name, place]) => {
    const service = place.startsWith('service:') ? services[place.slice('service:'.length)] : undefined;
    return `${name}=${service === undefined ? place : `docker-image://${imageNameOf(project, service)}`}`;
  });
}

function secretsOf(project: Project, { secrets = [] }: Build): string[] {
  return secrets.map(({ source, target }) => {
    const object = project.secrets[source];
    const id = target ?? source;
    if (object?.file !== undefined) return `id=${id},src=${object.file}`;
    if (object?.environment !== undefined) return `id=${id},env=${object.environment}`;
    throw new Fault('invalid', `build.secrets only supports environment or file-based secrets: "${source}"`);
  });
}
