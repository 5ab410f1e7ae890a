/** What several verbs of compose take, and what these flags do to a project. */
import type { Project, Recreate, Service } from '../../compose/index.ts';
import { Fault } from '../../std/index.ts';
import type { Flags } from '../flag/parse.ts';
import { Exit } from '../usage-fault.ts';
import { parseScales } from './open.ts';

const pullPolicies = new Set(['always', 'never', 'build', 'missing', 'if_not_present']);

/** `--pull`, `--build`, `--scale`, and the platform of the environment. @throws Exit, Fault */
export function applyCreateFlags(project: Project, flags: Flags): Project {
  const pull = flags.changed('pull') ? flags.string('pull') : undefined;
  if (pull !== undefined && !pullPolicies.has(pull)) throw new Exit(1, `invalid --pull option ${JSON.stringify(pull)}`);
  const builds = flags.bool('build');
  const scales = flags.knows('scale')
    ? parseScales(
        flags.list('scale'),
        (word) => `invalid --scale option ${JSON.stringify(word)}. Should be SERVICE=NUM`,
      )
    : new Map<string, number>();
  for (const name of scales.keys())
    if (!(name in project.services)) throw new Fault('not-found', `no such service: ${name}`);
  const services = Object.entries(project.services).map(([name, service]): [string, Service] => {
    const policy = builds && service.build !== undefined ? 'build' : pull;
    const changed = policy === undefined ? service : { ...service, pull_policy: policy };
    const scale = scales.get(name);
    return [name, withPlatform(project, scale === undefined ? changed : scaled(changed, scale))];
  });
  return { ...project, services: Object.fromEntries(services) };
}

export function scaled(service: Service, scale: number): Service {
  const { deploy } = service;
  return { ...service, scale, ...(deploy === undefined ? {} : { deploy: { ...deploy, replicas: scale } }) };
}

/** A service that is built runs on the platform it is built for. @throws Fault invalid */
export function withPlatform(project: Project, service: Service): Service {
  const { build } = service;
  if (build === undefined) return service;
  const platform = service.platform ?? (project.environment['DOCKER_DEFAULT_PLATFORM'] || undefined);
  if (platform === undefined) return service;
  if (build.platforms?.length && !build.platforms.includes(platform))
    throw new Fault(
      'invalid',
      `service ${JSON.stringify(service.name)} build.platforms does not support value set by ${service.platform === undefined ? 'DOCKER_DEFAULT_PLATFORM' : 'platform'}: ${platform}`,
    );
  return { ...service, platform, build: { ...build, platforms: [platform] } };
}

export function recreateOf(flags: Flags): { recreate: Recreate; recreateDependencies: Recreate } {
  const on = (name: string): boolean => flags.knows(name) && flags.bool(name);
  if (on('no-recreate')) return { recreate: 'never', recreateDependencies: 'never' };
  return {
    recreate: on('force-recreate') || on('renew-anon-volumes') ? 'force' : 'diverged',
    recreateDependencies: on('always-recreate-deps') ? 'force' : 'diverged',
  };
}
