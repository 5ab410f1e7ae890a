/** How a project's things are called in the engine. */
import type { ContainerSummary } from '../api/index.ts';
import { label } from './labels.ts';
import type { Project, Service } from './project.ts';

/** `_` where a project asks for the names of docker-compose 1. */
export function separatorOf(project: Pick<Project, 'compatibility'>): string {
  return project.compatibility === true ? '_' : '-';
}

export function imageNameOf(project: Project, service: Service): string {
  return service.image ?? `${project.name}${separatorOf(project)}${service.name}`;
}

export function containerNameOf(project: Project, service: Service, number: number): string {
  return service.container_name ?? [project.name, service.name, number].join(separatorOf(project));
}

/** What a container is called until the one that it replaces is gone. */
export function successorName(replaced: Pick<ContainerSummary, 'Id'>, name: string): string {
  return `${replaced.Id.slice(0, 12)}_${name}`;
}

/** Whether a container was left with a successor's name: an `up` ended before it could give it its own. */
export function isSuccessorName(current: string, name: string): boolean {
  return current.slice(12) === `_${name}` && /^[\da-f]{12}/.test(current);
}

/** A container's own name: its others are those that links gave it. */
export function nameOf({ Names, Id }: Pick<ContainerSummary, 'Names' | 'Id'>): string {
  const own = Names.find((name) => name.lastIndexOf('/') === 0) ?? Names[0];
  return own === undefined ? Id.slice(0, 12) : own.replace(/^\//, '');
}

/** As logs show it: without the project, unless the file names it. */
export function shortNameOf(container: Pick<ContainerSummary, 'Names' | 'Id' | 'Labels'>): string {
  return shortName(nameOf(container), container.Labels);
}

export function shortName(name: string, labels: Readonly<Record<string, string>>): string {
  const project = labels[label.project] ?? '';
  const usual = [project, labels[label.service], labels[label.number]];
  return name === usual.join('-') || name === usual.join('_') ? name.slice(project.length + 1) : name;
}

export function numberOf({ Labels }: Pick<ContainerSummary, 'Labels'>): number {
  return Number.parseInt(Labels[label.number] ?? '', 10) || 0;
}

export function serviceOf({ Labels }: Pick<ContainerSummary, 'Labels'>): string {
  return Labels[label.service] ?? '';
}

export function isOneOff({ Labels }: Pick<ContainerSummary, 'Labels'>): boolean {
  return Labels[label.oneOff] === 'True';
}

/** By name, as Go sorts strings. */
export function byName(a: Pick<ContainerSummary, 'Names' | 'Id'>, b: Pick<ContainerSummary, 'Names' | 'Id'>): number {
  const [first, second] = [nameOf(a), nameOf(b)];
  return first < second ? -1 : first > second ? 1 : 0;
}
