/** One daemon, for programs. What it gives out is disposable; closing it closes the connections that are kept for the next call. */
import type { SystemVersion } from '../api/index.ts';
import type { Call, Client } from '../client/index.ts';
import type { Configured } from '../context/index.ts';
import type { Container } from './container.ts';
import { Containers } from './containers.ts';
import { type Daemon, daemonOf } from './daemon.ts';
import { type EngineEvent, type EventOptions, events } from './events.ts';
import { Images } from './images.ts';
import { Networks } from './networks.ts';
import { runToEnd, type Outcome } from './outcome.ts';
import { runContainer } from './run.ts';
import type { RunOptions } from './run-options.ts';
import { Volumes } from './volumes.ts';

export class Engine implements AsyncDisposable {
  readonly containers: Containers;
  readonly images: Images;
  readonly networks: Networks;
  readonly volumes: Volumes;
  /** The Engine API itself, by nouns, in its own words. */
  readonly api: Client;
  /** Any call of the Engine API by its key, in its own words: `call('containerList', { query: { all: true } })`. */
  readonly call: Call;
  readonly #daemon: Daemon;

  constructor(client: Client, user: Configured) {
    this.#daemon = daemonOf(client, user);
    this.api = client;
    this.call = client.call;
    this.images = new Images(this.#daemon);
    this.containers = new Containers(this.#daemon, this.images);
    this.networks = new Networks(this.#daemon);
    this.volumes = new Volumes(this.#daemon);
  }

  /** Where it is: "unix:///run/wherry/wherry.sock". */
  get endpoint(): string {
    return this.api.endpoint.url;
  }

  /**
   * Creates a container and starts it; its image is pulled if it is not here. Resolves once it runs, or once `until` holds. When anything
   * fails, nothing of it stays.
   */
  run(options: RunOptions): Promise<Container> {
    return runContainer(this.#daemon, this.images, options);
  }

  /** Runs a container to its end, and takes its output. Nothing of it stays. */
  output(options: Omit<RunOptions, 'until' | 'remove'>): Promise<Outcome> {
    return runToEnd(this.#daemon, this.images, options);
  }

  /** What happens, as it happens, until the loop is left or the signal is aborted. */
  events(options: EventOptions = {}): AsyncGenerator<EngineEvent, void> {
    return events(this.api, options);
  }

  version(): Promise<SystemVersion> {
    return this.api.system.version();
  }

  close(): void {
    this.api.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.close();
    return Promise.resolve();
  }
}
