/** Services in the order of their dependencies. */
import { Fault } from '../std/index.ts';
import type { Project, Service } from './project.ts';

/** Dependencies first. Dependencies that are not among the services are passed over. @throws Fault invalid for a cycle */
export function inOrder({ services }: Pick<Project, 'services'>): Service[] {
  const ordered: Service[] = [];
  const done = new Set<string>();
  const visit = (name: string, chain: readonly string[]): void => {
    const service = services[name];
    if (service === undefined || done.has(name)) return;
    if (chain.includes(name))
      throw new Fault(
        'invalid',
        `dependency cycle detected: ${[...chain.slice(chain.indexOf(name)), name].join(' -> ')}`,
      );
    for (const other of Object.keys(service.depends_on ?? {}).toSorted()) visit(other, [...chain, name]);
    done.add(name);
    ordered.push(service);
  };
  for (const name of Object.keys(services).toSorted()) visit(name, []);
  return ordered;
}
