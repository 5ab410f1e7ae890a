/** Whether a project's parts fit each other: what services refer to is there, nothing is said twice, nobody waits for each other. */
import type { Path } from '../tree.ts';
import type { Project, Service } from '../project.ts';

/** Something of the project contradicts something else of it. */
export class Inconsistent extends Error {
  readonly path: Path;

  constructor(path: Path, message: string) {
    super(message);
    this.path = path;
  }
}

/** @throws Inconsistent */
export function checkConsistency(project: Project): void {
  for (const service of Object.values(project.services)) {
    checkImage(service, project);
    checkReferences(service, project);
    checkScale(service);
    checkMounts(service);
  }
  for (const [name, secret] of Object.entries(project.secrets)) {
    if (secret.external === true || secret.file !== undefined || secret.environment !== undefined) continue;
    throw new Inconsistent(['secrets', name], `secret "${name}" must declare either \`file\` or \`environment\``);
  }
  checkCycles(project);
  checkContainerNames(project);
}

function checkImage(service: Service, { services, disabledServices }: Project): void {
  const { name, build, image, provider, platform } = service;
  const at = (...path: string[]): Path => ['services', name, ...path];
  if (build === undefined && image === undefined && provider === undefined)
    throw new Inconsistent(at(), `service "${name}" has neither an image nor a build context specified`);
  if (build === undefined) return;
  if (build.dockerfile !== undefined && build.dockerfile_inline !== undefined)
    throw new Inconsistent(
      at('build'),
      `service "${name}" declares mutualy exclusive dockerfile and dockerfile_inline`,
    );
  for (const [context, value] of Object.entries(build.additional_contexts ?? {})) {
    if (!value.startsWith('service:')) continue;
    const other = services[value.slice('service:'.length)] ?? disabledServices[value.slice('service:'.length)];
    const what = other === undefined ? 'unknown' : other.build === undefined ? 'non-buildable' : undefined;
    if (what !== undefined)
      throw new Inconsistent(
        at('build', 'additional_contexts'),
        `service "${name}" declares ${what} service "${value.slice('service:'.length)}" as additional contexts ${context}`,
      );
  }
  if (build.platforms !== undefined && platform !== undefined && !build.platforms.includes(platform))
    throw new Inconsistent(at('platform'), `service.build.platforms MUST include service.platform "${platform}"`);
}

function checkReferences(service: Service, project: Project): void {
  const { name } = service;
  const fail = (path: readonly (string | number)[], message: string): never => {
    throw new Inconsistent(['services', name, ...path], message);
  };
  if (service.network_mode !== undefined && service.networks !== undefined)
    fail(['network_mode'], `service ${name} declares mutually exclusive \`network_mode\` and \`networks\``);
  for (const network of Object.keys(service.networks ?? {}))
    if (!(network in project.networks)) fail(['networks'], `service "${name}" refers to undefined network ${network}`);
  const test = service.healthcheck?.test;
  if (test !== undefined && !['CMD', 'CMD-SHELL', 'NONE'].includes(test[0]!))
    fail(['healthcheck', 'test'], 'healthcheck.test must start either by "CMD", "CMD-SHELL" or "NONE"');
  for (const [other, { required }] of Object.entries(service.depends_on ?? {})) {
    if (other in project.services || (other in project.disabledServices && !required)) continue;
    fail(['depends_on'], `service "${name}" depends on undefined service "${other}"`);
  }
  const shared = /^service:(.*)$/.exec(service.network_mode ?? '')?.[1];
  if (shared !== undefined && !(shared in project.services))
    fail(['network_mode'], `service "${shared}" not found for network_mode 'service:${shared}'`);
  for (const [index, { type, source }] of (service.volumes ?? []).entries())
    if (type === 'volume' && source !== undefined && !(source in project.volumes))
      fail(['volumes', index], `service "${name}" refers to undefined volume ${source}`);
  const refer = (what: string, known: object, sources: readonly string[], path: string[]): void => {
    for (const source of sources)
      if (!(source in known)) fail(path, `service "${name}" refers to undefined ${what} ${source}`);
  };
  const sources = (list: readonly { source: string }[] | undefined): string[] =>
    (list ?? []).map(({ source }) => source);
  refer('build secret', project.secrets, sources(service.build?.secrets), ['build', 'secrets']);
  refer('config', project.configs, sources(service.configs), ['configs']);
  refer('model', project.models, Object.keys(service.models ?? {}), ['models']);
  refer('secret', project.secrets, sources(service.secrets), ['secrets']);
}

function checkScale(service: Service): void {
  const { name, scale, deploy, container_name } = service;
  const fail = (path: readonly string[], message: string): never => {
    throw new Inconsistent(['services', name, ...path], message);
  };
  const twice = (first: string, second: string): string =>
    `services.${name}: can't set distinct values on '${first}' and '${second}'`;
  if (scale !== undefined && deploy !== undefined) {
    if (deploy.replicas !== undefined && deploy.replicas !== scale) fail(['scale'], twice('scale', 'deploy.replicas'));
    deploy.replicas = scale;
  }
  if ((scale ?? 0) < 0) fail(['scale'], `services.${name}.scale: must be greater than or equal to 0`);
  if ((deploy?.replicas ?? 0) < 0)
    fail(['deploy', 'replicas'], `services.${name}.deploy.replicas: must be greater than or equal to 0`);
  const { limits, reservations } = deploy?.resources ?? {};
  const pairs = [
    ['cpus', service.cpus, limits, limits?.cpus, 'limits.cpus'],
    ['mem_limit', service.mem_limit, limits, limits?.memory, 'limits.memory'],
    ['mem_reservation', service.mem_reservation, reservations, reservations?.memory, 'reservations.memory'],
    ['pids_limit', service.pids_limit, limits, limits?.pids, 'limits.pids'],
  ] as const;
  for (const [attribute, own, section, value, other] of pairs)
    if (own !== undefined && section !== undefined && own !== value)
      fail([attribute], twice(attribute, `deploy.resources.${other}`));
  if (container_name !== undefined && scaleOf(service) > 1)
    fail(
      ['container_name'],
      `services.${scale === undefined ? 'deploy.replicas' : 'scale'}: can't set container_name and ${name} as container name must be unique`,
    );
  for (const { target, action } of service.develop?.watch ?? [])
    if (target === undefined && action !== 'rebuild' && action !== 'restart')
      fail(['develop', 'watch'], `services.${name}.develop.watch: target is required for non-rebuild actions`);
}

/** How many containers a service is to have. */
export function scaleOf({ scale, deploy }: Service): number {
  return scale ?? deploy?.replicas ?? 1;
}

function checkMounts({ name, tmpfs, volumes }: Service): void {
  const mounts = new Map<string, string>();
  const add = (target: string, attribute: string, index: number): void => {
    const place = `services.${name}.${attribute}[${index}]`;
    const before = mounts.get(target);
    if (before !== undefined)
      throw new Inconsistent(
        ['services', name, attribute, index],
        `${place}: target ${target} already mounted as ${before}`,
      );
    mounts.set(target, place);
  };
  for (const [index, each] of (tmpfs ?? []).entries()) add(each.split(':')[0]!, 'tmpfs', index);
  for (const [index, each] of (volumes ?? []).entries()) add(each.target, 'volumes', index);
}

function checkCycles({ services }: Project): void {
  const done = new Set<string>();
  const visit = (name: string, chain: readonly string[]): void => {
    if (done.has(name)) return;
    if (chain.includes(name)) {
      const cycle = [...chain.slice(chain.indexOf(name)), name].join(' -> ');
      throw new Inconsistent(['services', name, 'depends_on'], `dependency cycle detected: ${cycle}`);
    }
    for (const other of Object.keys(services[name]?.depends_on ?? {})) visit(other, [...chain, name]);
    done.add(name);
  };
  for (const name of Object.keys(services)) visit(name, []);
}

function checkContainerNames({ services }: Project): void {
  const names = new Map<string, string>();
  for (const { name, container_name } of Object.values(services)) {
    if (container_name === undefined) continue;
    const other = names.get(container_name);
    if (other !== undefined)
      throw new Inconsistent(
        ['services', name, 'container_name'],
        `services.${name}: container name "${container_name}" is already in use by service ${other}`,
      );
    names.set(container_name, name);
  }
}
