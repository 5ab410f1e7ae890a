/** The containers of a daemon. */
import type { ContainerSummary } from '../api/index.ts';
import type { FilterValues } from '../client/index.ts';
import { Container } from './container.ts';
import type { Daemon } from './daemon.ts';
import type { Images } from './images.ts';
import { createContainer } from './run.ts';
import type { RunOptions } from './run-options.ts';

export class Containers {
  readonly #daemon: Daemon;
  readonly #images: Images;

  constructor(daemon: Daemon, images: Images) {
    this.#daemon = daemon;
    this.#images = images;
  }

  /** As `run`, without starting it. */
  create(options: Omit<RunOptions, 'until'>): Promise<Container> {
    return createContainer(this.#daemon, this.#images, options);
  }

  /** @param name a name, an id or the beginning of one. @throws ApiFault 404 */
  async get(name: string): Promise<Container> {
    return new Container(this.#daemon, await this.#daemon.client.containers.inspect(name));
  }

  /** Those that run; with `all` the others, too. */
  list(options: { all?: boolean; filters?: FilterValues } = {}): Promise<ContainerSummary[]> {
    return this.#daemon.client.containers.list(options);
  }
}
