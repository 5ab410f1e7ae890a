/** A plan, brought about. */
import type { Client } from '../../client/index.ts';
import { Fault } from '../../std/index.ts';
import { networkBody } from '../create/networks.ts';
import { composeVersion, label } from '../labels.ts';
import { imageNameOf, nameOf, serviceOf, shortName } from '../names.ts';
import type { Container } from '../observe.ts';
import { containerSubject, type Step, type Which } from '../plan/step.ts';
import { volumeHash } from '../print/hash.ts';
import type { Project, Volume } from '../project.ts';
import {
  createFromStep,
  firstByName,
  isConflict,
  isGone,
  type MadeContainer,
  removeContainer,
  stopContainer,
} from './containers.ts';
import type { Context, Progress } from './context.ts';
import { writeFiles } from './files.ts';
import { runHooks } from './hooks.ts';
import { runProvider } from './provider.ts';
import { runSteps } from './steps.ts';
import { Happenings, waitFor, WaitFault } from './wait.ts';

/** How steps come to know of each other's containers. */
export class Applier {
  readonly #context: Context;
  readonly #images: ReadonlyMap<string, string>;
  readonly #timeout: number | undefined;
  readonly #made = new Map<Step, MadeContainer>();
  readonly #byService = new Map<string, MadeContainer[]>();

  /** @param options.containers those that are there, for what refers to them */
  constructor(
    context: Context,
    options: { images: ReadonlyMap<string, string>; containers: readonly Container[]; timeout: number | undefined },
  ) {
    this.#context = context;
    this.#images = options.images;
    this.#timeout = options.timeout;
    for (const container of options.containers)
      this.#note(serviceOf(container), { id: container.Id, name: nameOf(container) });
  }

  /** @throws the first failure, after what had begun has ended */
  async run(steps: readonly Step[]): Promise<void> {
    const { limit, signal, client, project } = this.#context;
    using happenings = new Happenings(client, project.name);
    await runSteps(steps, (step, stop) => this.#act(step, happenings, stop), { limit, signal });
  }

  #note(service: string, container: MadeContainer): void {
    const others = (this.#byService.get(service) ?? []).filter(({ name }) => name !== container.name);
    this.#byService.set(service, [...others, container]);
  }

  #tell(id: string, state: Progress['state'], text: string): void {
    this.#context.progress({ id, state, text });
  }

  async #act(step: Step, happenings: Happenings, signal: AbortSignal): Promise<void> {
    const { client } = this.#context;
    switch (step.kind) {
      case 'network-create':
        return this.#around(step.subject, ['Creating', 'Created'], async () => {
          await client.networks
            .create(networkBody(this.#context.project, step.key, step.network))
            .catch((error: unknown) => {
              throw new Fault(
                'conflict',
                `failed to create network ${step.network.name}: ${(error as Error).message}`,
                { cause: error },
              );
            });
        });
      case 'network-remove':
        return this.#removeNetwork(step.subject, step.network);
      case 'volume-create':
        return this.#around(step.subject, ['Creating', 'Created'], () =>
          createVolume(client, this.#context.project, step.key, step.volume),
        );
      case 'volume-remove':
        return this.#removing(step.subject, () => client.volumes.remove(step.name, true));
      case 'image-remove':
        return this.#removing(step.subject, () => client.images.remove(step.image));
      case 'container-create':
        return this.#create(step);
      case 'container-rename':
        return this.#around(step.subject, ['Renaming', `Renamed ${step.name}`], () =>
          client.containers.rename(step.container.Id, step.name),
        );
      case 'container-start':
        return this.#startContainer(step);
      case 'container-stop':
        return stopContainer(this.#context, step.container, step.service, step.timeout);
      case 'container-remove':
        return removeContainer(this.#context, step.container, step);
      case 'container-kill':
        return this.#around(step.subject, ['Killing', 'Killed'], () =>
          client.containers.kill(step.container.Id, step.signal),
        );
      case 'container-pause':
        return this.#around(step.subject, ['Pausing', 'Paused'], () => client.containers.pause(step.container.Id));
      case 'container-unpause':
        return this.#around(step.subject, ['Unpausing', 'Unpaused'], () =>
          client.containers.unpause(step.container.Id),
        );
      case 'container-restart':
        return this.#restart(step);
      case 'provide':
        await runProvider(this.#context, step.service, step.verb);
        return;
      case 'wait':
        return this.#wait(step, happenings, signal);
      case 'keep':
        return this.#tell(step.subject, 'done', 'Running');
    }
  }

  async #around(id: string, [doing, done]: readonly [string, string], act: () => Promise<unknown>): Promise<void> {
    this.#tell(id, 'working', doing);
    try {
      await act();
    } catch (error) {
      this.#tell(id, 'error', 'Error');
      throw error;
    }
    this.#tell(id, 'done', done);
  }

  async #create(step: Extract<Step, { kind: 'container-create' }>): Promise<void> {
    const { project } = this.#context;
    try {
      const made = await createFromStep(this.#context, step, {
        containerOf: (service) => firstByName(this.#byService.get(service) ?? [])?.id,
        imageId: this.#images.get(imageNameOf(project, step.service)),
        timeout: this.#timeout,
      });
      this.#made.set(step, made);
      this.#note(step.service.name, made);
    } catch (error) {
      this.#tell(step.subject, 'error', 'Error');
      throw error;
    }
  }

  #resolve(which: Which): MadeContainer {
    if ('container' in which) return { id: which.container.Id, name: nameOf(which.container) };
    const made = this.#made.get(which.made);
    if (made === undefined) throw new Fault('internal', `${which.made.subject} was not made`);
    return made;
  }

  async #startContainer({ service, which, subject }: Extract<Step, { kind: 'container-start' }>): Promise<void> {
    const container = this.#resolve(which);
    await writeFiles(this.#context, service, container.id);
    await this.#around(subject, ['Starting', 'Started'], async () => {
      await this.#context.client.containers.start(container.id);
      const name = shortNameIn(this.#context.project, service.name, container.name);
      await runHooks(this.#context, service, service.post_start ?? [], { id: container.id, name });
    });
  }

  async #restart({
    container,
    service,
    timeout,
    subject,
  }: Extract<Step, { kind: 'container-restart' }>): Promise<void> {
    const name = shortName(nameOf(container), container.Labels);
    await this.#around(subject, ['Restarting', 'Started'], async () => {
      if (service?.pre_stop !== undefined && container.State === 'running')
        await runHooks(this.#context, service, service.pre_stop, { id: container.Id, name });
      await this.#context.client.containers.restart(container.Id, { t: timeout });
      await runHooks(this.#context, service ?? noService, service?.post_start ?? [], { id: container.Id, name });
    });
  }

  async #removeNetwork(subject: string, { id, name }: { id: string; name: string }): Promise<void> {
    const { client } = this.#context;
    this.#tell(subject, 'working', 'Removing');
    try {
      await client.networks.remove(id);
      this.#tell(subject, 'done', 'Removed');
    } catch (error) {
      if (isGone(error)) return this.#tell(subject, 'warning', 'No resource found to remove');
      if (/has active endpoints/.test(String(error))) return this.#tell(subject, 'warning', 'Resource is still in use');
      this.#tell(subject, 'error', 'Error');
      throw new Fault('conflict', `failed to remove network ${name}: ${(error as Error).message}`, { cause: error });
    }
  }

  /** What somebody still uses stays, and that is no failure. */
  async #removing(subject: string, remove: () => Promise<unknown>): Promise<void> {
    this.#tell(subject, 'working', 'Removing');
    try {
      await remove();
      this.#tell(subject, 'done', 'Removed');
    } catch (error) {
      if (isConflict(error)) this.#tell(subject, 'warning', 'Resource is still in use');
      else if (isGone(error)) this.#tell(subject, 'done', 'Warning: No resource found to remove');
      else {
        this.#tell(subject, 'error', 'Error');
        throw error;
      }
    }
  }

  async #wait({ wait }: Extract<Step, { kind: 'wait' }>, happenings: Happenings, signal: AbortSignal): Promise<void> {
    const { client, warn } = this.#context;
    const containers = wait.which.map((which) => this.#resolve(which));
    const tell = (state: Progress['state'], text: string): void => {
      for (const { name } of containers) this.#tell(containerSubject(name), state, text);
    };
    tell('working', 'Waiting');
    const ids = containers.map(({ id }) => id);
    try {
      await waitFor(client, ids, wait.condition, happenings, signal);
      if (wait.condition === 'service_completed_successfully') await this.#checkCompleted(wait.service, ids);
    } catch (error) {
      if (!(error instanceof WaitFault)) throw error;
      if (!wait.required) {
        const what = wait.condition === 'service_healthy' ? `"${wait.service}" failed to start` : error.message;
        tell('warning', `Skipped: optional dependency ${what}`);
        warn(`optional dependency ${what}: ${error.message}`);
        return;
      }
      tell('error', 'Error');
      if (wait.condition !== 'service_healthy') throw error;
      throw new WaitFault(error.container, `dependency failed to start: ${error.message}`);
    }
    tell('done', wait.condition === 'service_completed_successfully' ? 'Exited' : 'Healthy');
  }

  async #checkCompleted(service: string, ids: readonly string[]): Promise<void> {
    for (const id of ids) {
      const { State, Name } = await this.#context.client.containers.inspect(id);
      if (State.Status !== 'exited' || State.ExitCode === 0) continue;
      throw new WaitFault(
        Name.replace(/^\//, ''),
        `service "${service}" didn't complete successfully: exit ${State.ExitCode}`,
      );
    }
  }
}

const noService = { name: '', command: null, entrypoint: null };

function shortNameIn(project: Project, service: string, name: string): string {
  return name.startsWith(`${project.name}-${service}-`) ? name.slice(project.name.length + 1) : name;
}

async function createVolume(client: Client, project: Project, key: string, volume: Volume): Promise<void> {
  await client.volumes.create({
    Name: volume.name,
    ...(volume.driver === undefined ? {} : { Driver: volume.driver }),
    ...(volume.driver_opts === undefined ? {} : { DriverOpts: volume.driver_opts }),
    Labels: {
      ...volume.labels,
      [label.volume]: key,
      [label.project]: project.name,
      [label.version]: composeVersion,
      [label.hash]: volumeHash(volume),
    },
  });
}
