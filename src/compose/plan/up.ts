/**
 * From what is asked for and what is there to what must be done: docker compose's rules of convergence (`pkg/compose/convergence.go`).
 * Pure: the same project and observation give the same plan.
 */
import { Fault } from '../../std/index.ts';
import { referredServices, resolveReferences } from '../create/references.ts';
import { inOrder } from '../graph.ts';
import { scaleOf } from '../load/consistency.ts';
import { byName, containerNameOf, isOneOff, isSuccessorName, nameOf, numberOf, serviceOf } from '../names.ts';
import type { Container, Observed } from '../observe.ts';
import type { Project, Service } from '../project.ts';
import { dependentsOf } from '../select.ts';
import { type NetworkPlace, placeNetworks, placeVolumes, type VolumePlace } from './resources.ts';
import { whyDiffers } from './why.ts';
import { containerSubject, type Step, type WaitCondition, type Which } from './step.ts';

export type Recreate = 'diverged' | 'force' | 'never';

export interface UpRequest {
  project: Project;
  observed: Observed;
  /** Image ids by name; an image that is not in it is not here yet. */
  images: ReadonlyMap<string, string>;
  /** Those that were asked for; none is all. Others are dependencies. */
  services: readonly string[];
  recreate: Recreate;
  recreateDependencies: Recreate;
  /** Whether anonymous volumes go over to a container's successor. */
  inherit: boolean;
  /** Seconds that a container has to stop; undefined: its own. */
  timeout: number | undefined;
  removeOrphans: boolean;
  ignoreOrphans: boolean;
  /** Keys of volumes with another configuration that may be made anew, with what is in them lost. */
  renewVolumes: ReadonlySet<string>;
  start: boolean;
  /** Whether providers were asked already. */
  isProvided: boolean;
  /** Whether the end is when all runs, or is healthy. */
  wait: boolean;
}

export interface Plan {
  create: readonly Step[];
  /** After all of `create`. */
  start: readonly Step[];
  warnings: readonly string[];
}

/** @throws Fault invalid, not-found, conflict for what cannot be brought about */
export function planUp(request: UpRequest): Plan {
  return new UpPlanner(request).plan();
}

/** What is known of a service once it is planned. */
interface Planned {
  service: Service;
  which: Which[];
  /** Steps after which its containers are there. */
  ready: Step[];
}

class UpPlanner {
  readonly #request: UpRequest;
  readonly #warnings: string[] = [];
  readonly #create: Step[] = [];
  readonly #start: Step[] = [];
  readonly #planned = new Map<string, Planned>();
  readonly #containers = new Map<string, Container[]>();
  readonly #networkSteps = new Map<string, Step>();
  readonly #volumeSteps = new Map<string, Step>();
  /** Why the containers of a service must be made anew. */
  readonly #forced = new Map<string, string>();
  /** Running containers that are stopped because what they depend on is made anew. */
  readonly #stopped = new Map<string, Step>();
  #networks: NetworkPlace[] = [];
  #volumes: VolumePlace[] = [];

  constructor(request: UpRequest) {
    this.#request = request;
    for (const container of request.observed.containers) {
      if (isOneOff(container)) continue;
      const name = serviceOf(container);
      this.#containers.set(name, [...(this.#containers.get(name) ?? []), container]);
    }
  }

  plan(): Plan {
    const { project } = this.#request;
    this.#planNetworks();
    this.#planVolumes();
    this.#planOrphans();
    const services = inOrder(project);
    for (const service of services) this.#planService(service);
    if (this.#request.start) {
      for (const service of services) this.#planStart(service);
      if (this.#request.wait) this.#planWaits(services);
    }
    return { create: this.#create, start: this.#start, warnings: this.#warnings };
  }

  #planNetworks(): void {
    const { project, observed } = this.#request;
    this.#networks = placeNetworks(project, observed, (text) => this.#warnings.push(text));
    for (const { key, network, presence } of this.#networks) {
      if (presence.state === 'here') continue;
      const subject = `Network ${network.name}`;
      if (presence.state === 'missing') {
        this.#networkSteps.set(
          key,
          this.#add({ kind: 'network-create', key, network, subject, because: 'it is not there', needs: [] }),
        );
        continue;
      }
      const users = this.#releaseUsers(
        ({ networks = {} }) => key in networks,
        `network ${network.name} is made anew with another configuration`,
      );
      const because = 'its configuration changed';
      const removed = this.#add({
        kind: 'network-remove',
        network: { name: network.name, id: presence.id },
        subject,
        because,
        needs: users,
      });
      this.#networkSteps.set(
        key,
        this.#add({ kind: 'network-create', key, network, subject, because, needs: [removed] }),
      );
    }
  }

  #planVolumes(): void {
    const { project, observed, renewVolumes } = this.#request;
    this.#volumes = placeVolumes(project, observed, (text) => this.#warnings.push(text));
    for (const { key, volume, presence } of this.#volumes) {
      const subject = `Volume ${volume.name}`;
      const create = (because: string, needs: Step[]): void =>
        void this.#volumeSteps.set(key, this.#add({ kind: 'volume-create', key, volume, subject, because, needs }));
      if (presence.state === 'missing') create('it is not there', []);
      if (presence.state !== 'differs' || !renewVolumes.has(key)) continue;
      const because = 'its configuration changed';
      const users = this.#releaseUsers(
        ({ volumes = [] }) => volumes.some(({ type, source }) => type === 'volume' && source === key),
        `volume ${volume.name} is made anew with another configuration`,
      );
      create(because, [this.#add({ kind: 'volume-remove', name: volume.name, subject, because, needs: users })]);
    }
  }

  /** Who uses what is made anew lets go of it first, dependents before what they depend on, and is made anew itself. */
  #releaseUsers(uses: (service: Service) => boolean, why: string): Step[] {
    const { project, timeout } = this.#request;
    const steps: Step[] = [];
    const released = new Map<string, Step[]>();
    for (const service of inOrder(project).toReversed().filter(uses)) {
      const needs = dependentsOf(project, service.name).flatMap((name) => released.get(name) ?? []);
      const own = (this.#containers.get(service.name) ?? []).map((container) =>
        this.#add({
          kind: 'container-remove',
          container,
          service,
          stop: true,
          timeout,
          volumes: false,
          subject: containerSubject(nameOf(container)),
          because: why,
          needs,
        }),
      );
      released.set(service.name, own);
      steps.push(...own);
      this.#containers.delete(service.name);
      this.#forced.set(service.name, why);
    }
    return steps;
  }

  #planOrphans(): void {
    const { project, observed, removeOrphans, ignoreOrphans, timeout } = this.#request;
    const orphans = observed.containers.filter((container) => isOrphan(project, container));
    if (orphans.length === 0) return;
    if (!removeOrphans) {
      if (!ignoreOrphans) this.#warnings.push(orphanWarning(orphans));
      return;
    }
    for (const container of orphans)
      this.#add({
        kind: 'container-remove',
        container,
        service: undefined,
        stop: true,
        timeout,
        volumes: false,
        subject: containerSubject(nameOf(container)),
        because: isOneOff(container) ? 'its command has ended' : `the project has no service ${serviceOf(container)}`,
        needs: [],
      });
  }

  #planService(service: Service): void {
    if (service.provider !== undefined) {
      if (this.#request.isProvided) {
        this.#planned.set(service.name, { service, which: [], ready: [] });
        return;
      }
      const needs = this.#readyOf(Object.keys(service.depends_on ?? {}));
      const step = this.#add({
        kind: 'provide',
        service,
        verb: 'up',
        subject: service.name,
        because: `${service.provider.type} provides it`,
        needs,
      });
      this.#planned.set(service.name, { service, which: [], ready: [step] });
      return;
    }
    const expected = scaleOf(service);
    if (expected > 1 && service.container_name !== undefined)
      throw new Fault(
        'invalid',
        `WARNING: The "${service.name}" service is using the custom container name "${service.container_name}". Docker requires each container to have a unique name. Remove the custom name to scale the service`,
      );
    const planned: Planned = { service, which: [], ready: [] };
    this.#planned.set(service.name, planned);
    const there = this.#sorted(service);
    const kept = there.slice(0, expected);
    const inTheWay: Step[] = [];
    for (const { container } of there.slice(expected)) {
      const gone = this.#planScaleDown(service, container, expected);
      planned.ready.push(gone);
      if (kept.some((other) => numberOf(other.container) === numberOf(container))) inTheWay.push(gone);
    }
    const needs = this.#needsOf(service);
    if (kept.some(({ why }) => why !== undefined)) this.#stopDependents(service);
    for (const { container, why } of kept) {
      if (why === undefined) this.#planKeep(planned, container, inTheWay);
      else this.#planReplace(planned, container, why, [...needs, ...inTheWay]);
    }
    const highest = Math.max(0, ...there.map(({ container }) => numberOf(container)));
    for (let more = there.length; more < expected; more++) {
      const number = highest + 1 + more - there.length;
      const step = this.#add({
        kind: 'container-create',
        service,
        number,
        inherit: false,
        subject: containerSubject(containerNameOf(this.#request.project, service, number)),
        because:
          this.#forced.get(service.name) ??
          (there.length === 0 ? 'it is not there' : `the service is scaled to ${expected}`),
        needs,
      });
      planned.which.push({ made: step });
      planned.ready.push(step);
    }
  }

  /** Those to keep first: of this configuration, by number, those with a name of their own. */
  #sorted(service: Service): { container: Container; why: string | undefined }[] {
    return (this.#containers.get(service.name) ?? [])
      .map((container) => ({ container, why: this.#whyRecreate(service, container) }))
      .toSorted(
        (a, b) =>
          Number(a.why !== undefined) - Number(b.why !== undefined) ||
          numberOf(a.container) - numberOf(b.container) ||
          Number(this.#nameLeft(service, a.container) !== undefined) -
            Number(this.#nameLeft(service, b.container) !== undefined),
      );
  }

  #whyRecreate(service: Service, container: Container): string | undefined {
    const policy = this.#policyFor(service);
    if (policy === 'never') return undefined;
    if (policy === 'force') return 'all are made anew (--force-recreate, --always-recreate-deps)';
    const shared = this.#sharedAnew(service);
    if (shared !== undefined) return shared;
    const resolved = resolveReferences(service, (name) => this.#firstId(name));
    return whyDiffers({ ...this.#request, networks: this.#networks }, { service, resolved, container });
  }

  #policyFor({ name }: Service): Recreate {
    const { services, recreate, recreateDependencies } = this.#request;
    return services.length === 0 || services.includes(name) ? recreate : recreateDependencies;
  }

  /** What it shares with another container is gone with that container. */
  #sharedAnew(service: Service): string | undefined {
    for (const { name, what } of referredServices(service))
      if (this.#firstOf(name) !== undefined && this.#firstId(name) === undefined)
        return `it shares ${what} of ${name}, which is made anew`;
    return undefined;
  }

  #planScaleDown(service: Service, container: Container, expected: number): Step {
    return this.#add({
      kind: 'container-remove',
      container,
      service,
      stop: true,
      timeout: this.#request.timeout,
      volumes: false,
      subject: containerSubject(nameOf(container)),
      because: `the service is scaled to ${expected}`,
      needs: [],
    });
  }

  #planReplace({ service, which, ready }: Planned, replaced: Container, because: string, needs: readonly Step[]): void {
    const step = this.#add({
      kind: 'container-create',
      service,
      number: numberOf(replaced),
      replaced,
      inherit: this.#request.inherit,
      subject: containerSubject(containerNameOf(this.#request.project, service, numberOf(replaced))),
      because,
      needs,
    });
    which.push({ made: step });
    ready.push(step);
  }

  /** The name that a container should have got when the one before it went. */
  #nameLeft(service: Service, container: Container): string | undefined {
    const name = containerNameOf(this.#request.project, service, numberOf(container));
    return isSuccessorName(nameOf(container), name) ? name : undefined;
  }

  #planKeep({ service, which, ready }: Planned, container: Container, inTheWay: readonly Step[]): void {
    which.push({ container });
    const name = this.#nameLeft(service, container);
    if (name !== undefined) {
      const because = 'it took the place of another that is gone';
      const subject = containerSubject(nameOf(container));
      ready.push(this.#add({ kind: 'container-rename', container, name, subject, because, needs: inTheWay }));
    }
    const isStopped = this.#stopped.has(container.Id);
    if (container.State !== 'running' || isStopped) return;
    this.#add({
      kind: 'keep',
      container,
      subject: containerSubject(nameOf(container)),
      because: 'nothing of it changed',
      needs: [],
    });
  }

  /** Dependents that are to be restarted are stopped first; their start follows from their being stopped. */
  #stopDependents(service: Service): void {
    for (const name of dependentsOf(this.#request.project, service.name, { restarted: true })) {
      for (const container of this.#containers.get(name) ?? []) {
        if (container.State !== 'running' || this.#stopped.has(container.Id)) continue;
        const step = this.#add({
          kind: 'container-stop',
          container,
          service: this.#request.project.services[name],
          timeout: this.#request.timeout,
          subject: containerSubject(nameOf(container)),
          because: `${service.name}, which it depends on, is made anew`,
          needs: [],
        });
        this.#stopped.set(container.Id, step);
      }
    }
  }

  /** What must be there before a container of the service can be made. */
  #needsOf(service: Service): Step[] {
    const networks = Object.keys(service.networks ?? {}).flatMap((key) => this.#networkSteps.get(key) ?? []);
    const volumes = (service.volumes ?? []).flatMap(({ source }) => this.#volumeSteps.get(source ?? '') ?? []);
    const referred = [
      ...referredServices(service).map(({ name }) => name),
      ...(service.links ?? []).map((link) => link.split(':')[0]!),
    ];
    const dependents = [...this.#stopped.values()].filter(
      (step) => step.kind === 'container-stop' && service.name in (step.service?.depends_on ?? {}),
    );
    return [...networks, ...volumes, ...this.#readyOf(referred), ...dependents];
  }

  #readyOf(names: readonly string[]): Step[] {
    return names.flatMap((name) => this.#planned.get(name)?.ready ?? []);
  }

  #firstOf(name: string): Which | undefined {
    const nameOfWhich = (which: Which): string =>
      'container' in which ? nameOf(which.container) : which.made.subject.slice(containerSubject('').length);
    return (this.#planned.get(name)?.which ?? []).toSorted((a, b) => (nameOfWhich(a) < nameOfWhich(b) ? -1 : 1))[0];
  }

  /** Undefined for a container that is to be made. */
  #firstId(name: string): string | undefined {
    const planned = this.#planned.get(name);
    if (planned === undefined) return (this.#containers.get(name) ?? []).toSorted(byName)[0]?.Id;
    const first = this.#firstOf(name);
    return first !== undefined && 'container' in first ? first.container.Id : undefined;
  }

  #planStart(service: Service): void {
    const planned = this.#planned.get(service.name);
    if (planned === undefined || service.provider !== undefined) return;
    const starts: Step[] = [];
    const waits = this.#planDependencyWaits(service);
    if (planned.which.length === 0 && scaleOf(service) > 0)
      throw new Fault('conflict', `service "${service.name}" has no container to start`);
    for (const which of planned.which) {
      if ('container' in which && which.container.State === 'running' && !this.#stopped.has(which.container.Id))
        continue;
      // One after the other: ports of a range are taken in the order of numbers.
      const before = hasPortRange(service) ? starts.slice(-1) : [];
      starts.push(
        this.#addStart({
          kind: 'container-start',
          service,
          which,
          isRestart: false,
          subject: 'container' in which ? containerSubject(nameOf(which.container)) : which.made.subject,
          because: 'made' in which ? 'it is new' : this.#whyNotRunning(which.container),
          needs: [...waits, ...before],
        }),
      );
    }
    planned.ready = starts;
  }

  #whyNotRunning(container: Container): string {
    return this.#stopped.has(container.Id) ? 'what it depends on was made anew' : `it is ${container.State}`;
  }

  /** Started dependencies are what `ready` is by now; others are waited for. */
  #planDependencyWaits(service: Service): Step[] {
    const steps: Step[] = [];
    for (const [name, { condition, required }] of Object.entries(service.depends_on ?? {})) {
      const other = this.#planned.get(name);
      if (other === undefined) continue;
      steps.push(...other.ready.filter(({ kind }) => kind === 'container-start'));
      if (condition === 'service_started' || scaleOf(other.service) === 0 || other.service.provider !== undefined)
        continue;
      steps.push(this.#addWait(other, condition, required, `${service.name} depends on it`));
    }
    return steps;
  }

  /** The same condition of the same service is waited for once. */
  #addWait(other: Planned, condition: WaitCondition, required: boolean, because: string): Step {
    const same = this.#start.find(
      (step) =>
        step.kind === 'wait' &&
        step.wait.service === other.service.name &&
        step.wait.condition === condition &&
        step.wait.required === required,
    );
    if (same !== undefined) return same;
    return this.#addStart({
      kind: 'wait',
      wait: { service: other.service.name, condition, required, which: other.which },
      subject: `Service ${other.service.name}`,
      because,
      needs: other.ready.filter(({ kind }) => kind === 'container-start'),
    });
  }

  #planWaits(services: readonly Service[]): void {
    for (const service of services) {
      const planned = this.#planned.get(service.name);
      if (planned === undefined || service.provider !== undefined || scaleOf(service) === 0) continue;
      this.#addWait(planned, this.#endConditionOf(service), true, '--wait was given');
    }
  }

  /** One that others wait for the end of would never be running for long. */
  #endConditionOf({ name }: Service): WaitCondition {
    const isOneShot = Object.values(this.#request.project.services).some(
      ({ depends_on: dependencies }) => dependencies?.[name]?.condition === 'service_completed_successfully',
    );
    return isOneShot ? 'service_completed_successfully' : 'running_or_healthy';
  }

  #add(step: Step): Step {
    this.#create.push(step);
    return step;
  }

  #addStart(step: Step): Step {
    this.#start.push(step);
    return step;
  }
}

/** A container of a service that the project has not, or of a command that has ended. */
export function isOrphan({ services, disabledServices }: Project, container: Container): boolean {
  if (isOneOff(container)) return container.State === 'exited' || container.State === 'dead';
  const name = serviceOf(container);
  return !(name in services) && !(name in disabledServices);
}

function orphanWarning(orphans: readonly Container[]): string {
  return `Found orphan containers ([${orphans.map(nameOf).join(' ')}]) for this project. If you removed or renamed this service in your compose file, you can run this command with the --remove-orphans flag to clean it up.`;
}

function hasPortRange({ ports = [] }: Service): boolean {
  return ports.some(({ published = '' }) => published.includes('-'));
}
