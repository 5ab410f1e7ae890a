/** What must go, stop, or start, in which order: services before what they depend on when they end, after it when they begin. */
import type { Container, Observed } from '../observe.ts';
import { label } from '../labels.ts';
import { inOrder } from '../graph.ts';
import { byName, isOneOff, nameOf, serviceOf } from '../names.ts';
import type { Project, Service } from '../project.ts';
import { dependentsOf } from '../select.ts';
import { scaleOf } from '../load/consistency.ts';
import { Fault } from '../../std/index.ts';
import { containerSubject, type Step, type Wait } from './step.ts';
import { isOrphan } from './up.ts';

export interface DownRequest {
  project: Project;
  observed: Observed;
  /** None: all. With them go those that depend on them. */
  services: readonly string[];
  removeOrphans: boolean;
  /** Named volumes of the project, and anonymous ones. */
  volumes: boolean;
  images: readonly string[];
  timeout: number | undefined;
}

export function planDown(request: DownRequest): Step[] {
  const { project, observed, removeOrphans, timeout } = request;
  const containers = observed.containers.filter((each) => removeOrphans || !isOneOff(each));
  const wanted = withDependents(project, request.services);
  const because = 'the project goes down';
  const steps: Step[] = [];
  const ended = new Map<string, Step[]>();
  for (const service of inOrder(project).toReversed()) {
    if (!wanted.has(service.name)) continue;
    const needs = dependentsOf(project, service.name).flatMap((name) => ended.get(name) ?? []);
    const own: Step[] =
      service.provider === undefined
        ? of(containers, service.name).map((container) => ({
            ...removal(container, service, { timeout, volumes: request.volumes, because, needs }),
          }))
        : [{ kind: 'provide', service, verb: 'down', subject: service.name, because, needs }];
    ended.set(service.name, own);
    steps.push(...own);
  }
  if (removeOrphans)
    for (const container of containers.filter((each) => isOrphan(project, each)))
      steps.push(
        removal(container, undefined, {
          timeout,
          volumes: false,
          because: 'no service of the project is its own',
          needs: [],
        }),
      );
  const needs = [...steps];
  for (const [key, { name, external }] of Object.entries(project.networks)) {
    if (external === true) continue;
    for (const { Id, Name, Labels } of observed.networks)
      if (Name === name && Labels[label.project] === project.name && Labels[label.network] === key)
        steps.push({ kind: 'network-remove', network: { name, id: Id }, subject: `Network ${name}`, because, needs });
  }
  for (const image of request.images)
    steps.push({ kind: 'image-remove', image, subject: `Image ${image}`, because: '--rmi was given', needs });
  if (request.volumes) {
    const there = new Set(observed.volumes.map(({ Name }) => Name));
    for (const { name, external } of Object.values(project.volumes))
      if (external !== true && there.has(name))
        steps.push({ kind: 'volume-remove', name, subject: `Volume ${name}`, because: '--volumes was given', needs });
  }
  return steps;
}

function removal(
  container: Container,
  service: Service | undefined,
  options: { timeout: number | undefined; volumes: boolean; because: string; needs: readonly Step[] },
): Step {
  return {
    kind: 'container-remove',
    container,
    service,
    stop: true,
    subject: containerSubject(nameOf(container)),
    ...options,
  };
}

/** Services, and those that cannot be without them. */
export function withDependents(project: Project, names: readonly string[]): Set<string> {
  if (names.length === 0) return new Set(Object.keys(project.services));
  const all = new Set(names);
  for (const name of all) for (const other of dependentsOf(project, name)) all.add(other);
  return all;
}

export interface StopRequest {
  project: Project;
  containers: readonly Container[];
  services: readonly string[];
  timeout: number | undefined;
}

/** Those that run, dependents first. */
export function planStop({ project, containers, services, timeout }: StopRequest): Step[] {
  const steps: Step[] = [];
  const ended = new Map<string, Step[]>();
  for (const service of inOrder(project).toReversed()) {
    const needs = dependentsOf(project, service.name).flatMap((name) => ended.get(name) ?? []);
    const isWanted = services.length === 0 || services.includes(service.name);
    const own = isWanted
      ? of(containers, service.name)
          .filter(({ State }) => State === 'running' || State === 'paused' || State === 'restarting')
          .map(
            (container): Step => ({
              kind: 'container-stop',
              container,
              service,
              timeout,
              subject: containerSubject(nameOf(container)),
              because: 'it was asked for',
              needs,
            }),
          )
      : [];
    ended.set(service.name, own.length === 0 ? needs : own);
    steps.push(...own);
  }
  return steps;
}

/** Stopped containers of a project, dependencies first and as far as asked. @throws Fault conflict for a service without any */
export function planStart(project: Project, containers: readonly Container[]): Step[] {
  const steps: Step[] = [];
  const begun = new Map<string, Step[]>();
  for (const service of inOrder(project)) {
    if (service.provider !== undefined) continue;
    const own = of(containers, service.name);
    if (own.length === 0 && scaleOf(service) > 0)
      throw new Fault(
        'conflict',
        `service "${service.name}" has no container to start\nMake one with 'wherry compose up ${service.name}'.`,
      );
    const needs: Step[] = [];
    for (const [name, { condition, required }] of Object.entries(service.depends_on ?? {})) {
      const other = project.services[name];
      if (other === undefined) continue;
      needs.push(...(begun.get(name) ?? []));
      if (condition === 'service_started' || scaleOf(other) === 0 || of(containers, name).length === 0) continue;
      const wait: Wait = {
        service: name,
        condition,
        required,
        which: of(containers, name).map((container) => ({ container })),
      };
      const step: Step = {
        kind: 'wait',
        wait,
        subject: `Service ${name}`,
        because: `${service.name} depends on it`,
        needs: begun.get(name) ?? [],
      };
      steps.push(step);
      needs.push(step);
    }
    const starts = own
      .filter(({ State }) => State !== 'running')
      .map(
        (container): Step => ({
          kind: 'container-start',
          service,
          which: { container },
          isRestart: false,
          subject: containerSubject(nameOf(container)),
          because: `it is ${container.State}`,
          needs,
        }),
      );
    begun.set(service.name, starts);
    steps.push(...starts);
  }
  return steps;
}

/** Of some services (none: all) with those that are restarted along with them. */
export function planRestart(request: StopRequest & { dependents: boolean }): Step[] {
  const { containers, timeout } = request;
  const restarted = onlyRestarting(request.project);
  const chosen = request.dependents
    ? withDependents(restarted, request.services)
    : new Set(request.services.length === 0 ? Object.keys(restarted.services) : request.services);
  const steps: Step[] = [];
  const begun = new Map<string, Step[]>();
  for (const service of inOrder(restarted)) {
    if (!chosen.has(service.name)) continue;
    const needs = Object.keys(service.depends_on ?? {}).flatMap((name) => begun.get(name) ?? []);
    const waits = Object.entries(service.depends_on ?? {}).flatMap(([name, { condition, required }]): Step[] => {
      const others = of(containers, name);
      if (condition === 'service_started' || others.length === 0 || !chosen.has(name)) return [];
      const wait: Wait = { service: name, condition, required, which: others.map((container) => ({ container })) };
      return [
        {
          kind: 'wait',
          wait,
          subject: `Service ${name}`,
          because: `${service.name} depends on it`,
          needs: begun.get(name) ?? [],
        },
      ];
    });
    const own = of(containers, service.name).map(
      (container): Step => ({
        kind: 'container-restart',
        container,
        service,
        timeout,
        subject: containerSubject(nameOf(container)),
        because:
          request.services.includes(service.name) || request.services.length === 0
            ? 'it was asked for'
            : 'what it depends on is restarted',
        needs: [...needs, ...waits],
      }),
    );
    begun.set(service.name, own);
    steps.push(...waits, ...own);
  }
  return steps;
}

/** A dependency that is not restarted with its service is none here. */
function onlyRestarting(project: Project): Project {
  const services = Object.fromEntries(
    Object.entries(project.services).map(([name, service]) => {
      const kept = Object.entries(service.depends_on ?? {}).filter(([, { restart }]) => restart === true);
      return [name, { ...service, depends_on: Object.fromEntries(kept) }];
    }),
  );
  return { ...project, services };
}

function of(containers: readonly Container[], service: string): Container[] {
  return containers.filter((each) => !isOneOff(each) && serviceOf(each) === service).toSorted(byName);
}
