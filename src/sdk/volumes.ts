/** The volumes of a daemon. One that was created here is removed when it is disposed of. */
import type { Volume as VolumeInspect } from '../api/index.ts';
import type { FilterValues } from '../client/index.ts';
import { randomId } from '../std/index.ts';
import type { Daemon } from './daemon.ts';
import { ifThere } from './if-there.ts';

export interface VolumeOptions {
  /** A free one if not given. */
  name?: string;
  driver?: string;
  driverOptions?: Readonly<Record<string, string>>;
  labels?: Readonly<Record<string, string>>;
}

export class Volume implements AsyncDisposable {
  readonly name: string;
  readonly #daemon: Daemon;

  constructor(daemon: Daemon, name: string) {
    this.#daemon = daemon;
    this.name = name;
  }

  inspect(): Promise<VolumeInspect> {
    return this.#daemon.client.volumes.inspect(this.name);
  }

  /** With `force`, one that is not there is no error. */
  remove(options: { force?: boolean } = {}): Promise<void> {
    return this.#daemon.client.volumes.remove(this.name, options.force ?? false);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await ifThere(this.remove({ force: true }));
  }
}

export class Volumes {
  readonly #daemon: Daemon;

  constructor(daemon: Daemon) {
    this.#daemon = daemon;
  }

  async create(options: VolumeOptions = {}): Promise<Volume> {
    // Names that daemons make up are those of anonymous volumes, which go with their container.
    const { name = `wherry-${randomId().slice(0, 12)}`, driver, driverOptions, labels } = options;
    const { Name } = await this.#daemon.client.volumes.create({
      Name: name,
      ...(driver === undefined ? {} : { Driver: driver }),
      ...(driverOptions === undefined ? {} : { DriverOpts: driverOptions }),
      ...(labels === undefined ? {} : { Labels: labels }),
    });
    return new Volume(this.#daemon, Name);
  }

  /** @throws ApiFault 404 */
  async get(name: string): Promise<Volume> {
    const { Name } = await this.#daemon.client.volumes.inspect(name);
    return new Volume(this.#daemon, Name);
  }

  async list(filters?: FilterValues): Promise<VolumeInspect[]> {
    return (await this.#daemon.client.volumes.list(filters)).Volumes ?? [];
  }
}
