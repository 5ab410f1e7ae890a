/** What a service shares with another one, as the container it shares it with. */
import type { Service } from '../project.ts';

/** How a service's first container is found: undefined when there is none. */
export type ContainerOf = (service: string) => string | undefined;

const namespaces = [
  ['network_mode', 'network namespace'],
  ['ipc', 'IPC namespace'],
  ['pid', 'PID namespace'],
] as const;

/** The services whose containers one needs by id: when one of these is made anew, so must it be. */
export function referredServices(service: Service): { name: string; what: string }[] {
  const shared = namespaces.flatMap(([attribute, what]) => {
    const name = serviceIn(service[attribute]);
    return name === undefined ? [] : [{ name, what: `the ${what}` }];
  });
  const volumes = (service.volumes_from ?? [])
    .filter((each) => !each.startsWith('container:'))
    .map((each) => ({ name: each.split(':')[0]!, what: 'volumes' }));
  return [...shared, ...volumes];
}

/** `service:x` becomes `container:<id>`; part of the configuration hash, as docker compose has it. */
export function resolveReferences(service: Service, containerOf: ContainerOf): Service {
  const resolved = { ...service };
  for (const [attribute] of namespaces) {
    const name = serviceIn(service[attribute]);
    if (name !== undefined) resolved[attribute] = `container:${containerOf(name) ?? ''}`;
  }
  if (service.volumes_from !== undefined)
    resolved.volumes_from = service.volumes_from.map((each) => {
      const [first = '', second = ''] = each.split(':');
      return first === 'container' ? second : (containerOf(first) ?? '');
    });
  return resolved;
}

function serviceIn(mode: string | undefined): string | undefined {
  return mode?.startsWith('service:') === true ? mode.slice('service:'.length) : undefined;
}
