/** Waiting for a service's containers to be healthy, to run, or to have done their work. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ContainerInspect } from '../../api/index.ts';
import type { Client } from '../../client/index.ts';
import { Fault } from '../../std/index.ts';
import { inProject } from '../labels.ts';
import type { WaitCondition } from '../plan/step.ts';

/** A container that will not come to what is waited for. */
export class WaitFault extends Fault {
  readonly container: string;

  constructor(container: string, message: string) {
    super('conflict', message);
    this.container = container;
  }
}

/** Looked at again this often, whatever the events say: an engine that tells none is waited for, too. */
const pollMs = 500;

/** Wakes who waits when something happens to a container of the project. */
export class Happenings implements Disposable {
  readonly #stop = new AbortController();
  #next = Promise.withResolvers<void>();
  #isOpen = false;
  readonly #client: Client;
  readonly #project: string;

  constructor(client: Client, project: string) {
    this.#client = client;
    this.#project = project;
  }

  /** @returns when something has happened since it was called, or some time is over. */
  async next(signal: AbortSignal): Promise<void> {
    if (!this.#isOpen) this.#open();
    const timer = new AbortController();
    try {
      await Promise.race([
        this.#next.promise,
        sleep(pollMs, undefined, { signal: AbortSignal.any([signal, timer.signal]) }),
      ]);
    } catch (error) {
      if (signal.aborted) throw error;
    } finally {
      timer.abort();
    }
  }

  #open(): void {
    this.#isOpen = true;
    const read = async (): Promise<void> => {
      const filters = {
        type: ['container'],
        label: inProject(this.#project),
        event: ['health_status', 'die', 'start'],
      };
      for await (const _ of this.#client.system.events({}, filters, this.#stop.signal)) {
        this.#next.resolve();
        this.#next = Promise.withResolvers();
      }
    };
    read().catch(() => {});
  }

  [Symbol.dispose](): void {
    this.#stop.abort();
  }
}

/** @throws WaitFault for a container that has failed, and the signal's reason */
export async function waitFor(
  client: Client,
  ids: readonly string[],
  condition: WaitCondition,
  happenings: Happenings,
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    const woken = happenings.next(signal);
    woken.catch(() => {});
    const containers = await Promise.all(ids.map((id) => client.containers.inspect(id)));
    signal.throwIfAborted();
    if (isReached[condition](containers)) return;
    await woken;
  }
}

/** Docker compose's rules and words (`isServiceHealthy`, `isServiceCompleted`). @throws WaitFault */
const isReached: Readonly<Record<WaitCondition, (containers: readonly ContainerInspect[]) => boolean>> = {
  service_healthy: (containers) => containers.every((container) => isHealthy(container, false)),
  running_or_healthy: (containers) => containers.every((container) => isHealthy(container, true)),
  service_completed_successfully: (containers) => containers.some(({ State }) => State.Status === 'exited'),
};

function isHealthy({ Name, State, Config }: ContainerInspect, isRunningEnough: boolean): boolean {
  const name = Name.replace(/^\//, '');
  if (State.Status === 'exited') throw new WaitFault(name, `container ${name} exited (${State.ExitCode})`);
  if ((Config.Healthcheck ?? undefined) === undefined && isRunningEnough) return State.Status === 'running';
  if (State.Health === undefined) throw new WaitFault(name, `container ${name} has no healthcheck configured`);
  if (State.Health.Status === 'unhealthy') throw new WaitFault(name, `container ${name} is unhealthy`);
  return State.Health.Status === 'healthy';
}
