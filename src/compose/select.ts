/** Parts of a project: the services that are asked for, what these need, and what services use. Projects are not changed. */
import { Fault } from '../std/index.ts';
import type { Dependency, Project, Service } from './project.ts';

/** Services named by a person are on, whatever their profiles, and so are others of the same profiles. @throws Fault not-found */
export function enableServices(project: Project, names: readonly string[]): Project {
  const missing = names.filter((name) => !(name in project.services));
  if (missing.length === 0) return project;
  const all = { ...project.services, ...project.disabledServices };
  const unknown = missing.find((name) => !(name in all));
  if (unknown !== undefined) throw noSuchService(unknown, Object.keys(all));
  const profiles = [...project.profiles, ...missing.flatMap((name) => all[name]!.profiles ?? [])];
  const isOn = ([, service]: [string, Service]): boolean => hasProfile(service, profiles);
  const entries = Object.entries(all);
  return {
    ...project,
    profiles,
    services: Object.fromEntries(entries.filter(isOn)),
    disabledServices: Object.fromEntries(entries.filter((entry) => !isOn(entry))),
  };
}

/** Whether a service is on: it has no profile, or one of these. */
export function hasProfile({ profiles = [] }: Service, active: readonly string[]): boolean {
  return profiles.length === 0 || active.includes('*') || profiles.some((profile) => active.includes(profile));
}

/** Only these, with what they depend on unless that is left out. No names: all. @throws Fault not-found */
export function selectServices(
  project: Project,
  names: readonly string[],
  options: { dependencies?: boolean } = {},
): Project {
  if (names.length === 0) return project;
  const chosen = reach(project, names, options.dependencies ?? true);
  const services: Record<string, Service> = {};
  const disabledServices = { ...project.disabledServices };
  for (const [name, service] of Object.entries(project.services)) {
    if (!chosen.has(name)) {
      disabledServices[name] = service;
      continue;
    }
    services[name] = withDependencies(service, (other) => chosen.has(other));
  }
  return { ...project, services, disabledServices };
}

/** Without a service; others no longer depend on it. */
export function withoutService(project: Project, name: string): Project {
  const { [name]: gone, ...rest } = project.services;
  if (gone === undefined) return project;
  const services = Object.fromEntries(
    Object.entries(rest).map(([key, service]) => [key, withDependencies(service, (other) => other !== name)]),
  );
  return { ...project, services, disabledServices: { ...project.disabledServices, [name]: gone } };
}

/** These services, and what they need, and what that needs. @throws Fault not-found */
export function reach(project: Project, names: readonly string[], dependencies: boolean): Set<string> {
  const seen = new Set<string>();
  const visit = (name: string, by: Dependency | undefined): void => {
    const service = project.services[name];
    if (service === undefined) {
      if (by?.required === false) return;
      throw noSuchService(name, Object.keys(project.services));
    }
    if (seen.has(name)) return;
    seen.add(name);
    if (dependencies) for (const [other, how] of Object.entries(service.depends_on ?? {})) visit(other, how);
  };
  for (const name of names) visit(name, undefined);
  return seen;
}

/** Who cannot be without a service; those who are restarted with it, if asked. */
export function dependentsOf(project: Project, name: string, options: { restarted?: boolean } = {}): string[] {
  return Object.values(project.services)
    .filter(({ depends_on: dependencies }) => {
      const how = dependencies?.[name];
      return how !== undefined && (options.restarted !== true || how.restart === true);
    })
    .map((service) => service.name);
}

function withDependencies(service: Service, keep: (name: string) => boolean): Service {
  if (service.depends_on === undefined) return service;
  const kept = Object.entries(service.depends_on).filter(([name]) => keep(name));
  return { ...service, depends_on: Object.fromEntries(kept) };
}

export function noSuchService(name: string, known: readonly string[]): Fault {
  const list = known.length === 0 ? '' : `\nServices of this project: ${known.toSorted().join(', ')}`;
  return new Fault('not-found', `no such service: ${name}${list}`);
}

/** Without networks, volumes, secrets, configs and models that no active service uses. */
export function withoutUnused(project: Project): Project {
  const services = Object.values(project.services);
  const used = (names: (service: Service) => readonly string[]): ReadonlySet<string> =>
    new Set(services.flatMap(names));
  const sources = (list: readonly { source: string }[] | undefined): string[] =>
    (list ?? []).map(({ source }) => source);
  return {
    ...project,
    networks: only(
      project.networks,
      used(({ networks }) => Object.keys(networks ?? {})),
    ),
    volumes: only(
      project.volumes,
      used(({ volumes }) => (volumes ?? []).flatMap(({ type, source }) => (type === 'volume' ? (source ?? []) : []))),
    ),
    secrets: only(
      project.secrets,
      used(({ secrets, build }) => [...sources(secrets), ...sources(build?.secrets)]),
    ),
    configs: only(
      project.configs,
      used(({ configs }) => sources(configs)),
    ),
    models: only(
      project.models,
      used(({ models }) => Object.keys(models ?? {})),
    ),
  };
}

function only<T>(all: Readonly<Record<string, T>>, names: ReadonlySet<string>): Record<string, T> {
  return Object.fromEntries(Object.entries(all).filter(([name]) => names.has(name)));
}
