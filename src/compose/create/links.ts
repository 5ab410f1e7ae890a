/** `links` as an engine has them: `container:alias`, by every name docker-compose 1 gave. */
import { type Container } from '../observe.ts';
import { isOneOff, nameOf, separatorOf, serviceOf } from '../names.ts';
import type { Project, Service } from '../project.ts';

/** @param containers of the project, as they are now */
export function linksOf(
  project: Project,
  service: Service,
  options: { number: number; containers: readonly Container[]; isOneOff: boolean },
): string[] {
  const separator = separatorOf(project);
  const of = (name: string): string[] =>
    options.containers.filter((each) => !isOneOff(each) && serviceOf(each) === name).map(nameOf);
  const links: string[] = [];
  for (const link of service.links ?? []) {
    const [target = '', alias = target] = link.split(':');
    for (const name of of(target))
      links.push(
        `${name}:${alias}`,
        `${name}:${target}${separator}${options.number}`,
        `${name}:${[project.name, target, options.number].join(separator)}`,
      );
  }
  if (options.isOneOff)
    for (const name of of(service.name))
      links.push(
        `${name}:${service.name}`,
        `${name}:${name.replace(`${project.name}${separator}`, '')}`,
        `${name}:${name}`,
      );
  for (const link of service.external_links ?? []) {
    const [target = '', alias = target] = link.split(':');
    links.push(`${target}:${alias}`);
  }
  return links;
}
