/**
 * In which order containers come back after a restart of the daemon or the machine: what compose says that one depends on, and what one
 * shares with another, comes first. Pure. (Docker starts all of them at once; issue 5, "boot = up".)
 */
import type { ContainerRecord } from './record.ts';

/** What a container waits for before it starts. */
export interface BootDependency {
  id: string;
  until: 'started' | 'healthy' | 'completed';
}

type Known = Pick<ContainerRecord, 'id' | 'name' | 'config' | 'hostConfig'>;

const label = {
  project: 'com.docker.compose.project',
  service: 'com.docker.compose.service',
  oneOff: 'com.docker.compose.oneoff',
  dependencies: 'com.docker.compose.depends_on',
} as const;

const conditions: Readonly<Record<string, BootDependency['until']>> = {
  service_healthy: 'healthy',
  service_completed_successfully: 'completed',
};

/** By id: for each container, what it waits for. Those that would wait for themselves, by whatever way round, wait for nothing. */
export function bootDependencies(containers: readonly Known[]): Map<string, BootDependency[]> {
  const byService = new Map<string, string[]>();
  const byName = new Map<string, string>();
  for (const container of containers) {
    byName.set(container.id, container.id);
    byName.set(container.name, container.id);
    const key = serviceKey(container, container.config.Labels?.[label.service]);
    if (key !== undefined && container.config.Labels?.[label.oneOff] !== 'True')
      byService.set(key, [...(byService.get(key) ?? []), container.id]);
  }
  const all = new Map(
    containers.map((container) => [
      container.id,
      [...ofServices(container, byService), ...ofNamespaces(container, byName)].filter(({ id }) => id !== container.id),
    ]),
  );
  for (const id of all.keys()) if (reaches(all, id, id)) all.set(id, []);
  return all;
}

function serviceKey({ config }: Known, service: string | undefined): string | undefined {
  const project = config.Labels?.[label.project];
  return project === undefined || service === undefined ? undefined : `${project}/${service}`;
}

/** `db:service_healthy:true,cache:service_started:false`. */
function ofServices(container: Known, byService: ReadonlyMap<string, readonly string[]>): BootDependency[] {
  const text = container.config.Labels?.[label.dependencies] ?? '';
  return text.split(',').flatMap((entry) => {
    const [service = '', condition = ''] = entry.split(':');
    const key = serviceKey(container, service);
    const ids = key === undefined ? [] : (byService.get(key) ?? []);
    return ids.map((id) => ({ id, until: conditions[condition] ?? 'started' }));
  });
}

/** A namespace is there once its owner runs. */
function ofNamespaces({ hostConfig }: Known, byName: ReadonlyMap<string, string>): BootDependency[] {
  return [hostConfig.NetworkMode, hostConfig.IpcMode, hostConfig.PidMode].flatMap((mode): BootDependency[] => {
    const owner = mode?.startsWith('container:') === true ? byName.get(mode.slice('container:'.length)) : undefined;
    return owner === undefined ? [] : [{ id: owner, until: 'started' }];
  });
}

function reaches(all: ReadonlyMap<string, readonly BootDependency[]>, from: string, goal: string): boolean {
  const seen = new Set<string>();
  const left = [from];
  for (let id = left.pop(); id !== undefined; id = left.pop())
    for (const dependency of all.get(id) ?? []) {
      if (dependency.id === goal) return true;
      if (!seen.has(dependency.id)) left.push(dependency.id);
      seen.add(dependency.id);
    }
  return false;
}
