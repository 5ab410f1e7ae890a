/** What an engine has of a project, by labels: what other tools made of it counts as much as what we made. */
import type { ContainerSummary, NetworkInspect, Volume } from '../api/index.ts';
import { ApiFault, type Client } from '../client/index.ts';
import { inProject, label } from './labels.ts';
import { isOneOff, nameOf, serviceOf } from './names.ts';
import type { Dependency, Project, Service } from './project.ts';

export type Container = ContainerSummary;

/** A snapshot; of networks and volumes all there are, since a name can be taken by what is not ours. */
export interface Observed {
  containers: readonly Container[];
  networks: readonly NetworkInspect[];
  volumes: readonly Volume[];
}

/** With one-off containers, and those that do not run. Docker compose counts only containers with a configuration hash. */
export function listContainers(
  client: Client,
  project: string,
  services: readonly string[] = [],
): Promise<Container[]> {
  const labels = [...inProject(project), label.hash, ...services.slice(0, services.length === 1 ? 1 : 0).map(named)];
  const list = client.containers.list({ all: true, filters: { label: labels } });
  return services.length < 2 ? list : list.then((all) => all.filter((each) => services.includes(serviceOf(each))));
}

function named(service: string): string {
  return `${label.service}=${service}`;
}

export async function observe(client: Client, project: string): Promise<Observed> {
  const [containers, networks, { Volumes: volumes }] = await Promise.all([
    listContainers(client, project),
    client.networks.list(),
    client.volumes.list(),
  ]);
  return { containers, networks, volumes: volumes ?? [] };
}

/** Undefined where the engine knows no such thing. */
export async function orUndefined<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof ApiFault && error.status === 404) return undefined;
    throw error;
  }
}

/** A project as its containers tell of it: what it consists of, not how it is made. */
export function projectOfLabels(name: string, observed: Partial<Observed>): Project {
  const services: Record<string, Service> = {};
  for (const container of observed.containers ?? []) {
    if (isOneOff(container)) continue;
    const service = serviceOf(container) || nameOf(container);
    const before = services[service];
    services[service] = before ?? {
      name: service,
      image: container.Image,
      command: null,
      entrypoint: null,
      scale: 0,
      depends_on: dependenciesOf(container),
    };
    services[service].scale = (services[service].scale ?? 0) + 1;
  }
  const ours = ({ Labels }: { Labels: Record<string, string> | null }): boolean => Labels?.[label.project] === name;
  return {
    name,
    workingDir: '',
    composeFiles: [],
    envFiles: [],
    askedEnvFiles: [],
    environment: {},
    profiles: [],
    services,
    disabledServices: {},
    networks: Object.fromEntries(
      (observed.networks ?? [])
        .filter(ours)
        .map((network) => [network.Labels[label.network] ?? network.Name, { name: network.Name, ipam: {} }]),
    ),
    volumes: Object.fromEntries(
      (observed.volumes ?? [])
        .filter(ours)
        .map((volume) => [volume.Labels?.[label.volume] ?? volume.Name, { name: volume.Name }]),
    ),
    secrets: {},
    configs: {},
    models: {},
  };
}

/** `db:service_healthy:true,cache:service_started:false`. What the label says little of is a dependency like any other. */
function dependenciesOf({ Labels }: Container): Record<string, Dependency> {
  const text = Labels[label.dependencies] ?? '';
  if (text === '') return {};
  return Object.fromEntries(
    text.split(',').map((entry) => {
      const [name = '', condition = 'service_started', restart = 'true'] = entry.split(':');
      const how: Dependency = {
        condition: condition as Dependency['condition'],
        restart: /^(?:1|t|true)$/i.test(restart),
        // Its containers can be gone: a project that is only known by what is left of it is stopped all the same.
        required: false,
      };
      return [name, how];
    }),
  );
}
