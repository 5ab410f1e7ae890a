/** The images of a daemon. What takes long is `Work`: iterate it for its progress, or await it. */
import { createReadStream } from 'node:fs';
import type { ImageDeleteEntry, ImageInspect, ImageSummary } from '../api/index.ts';
import { ApiFault, type FilterValues } from '../client/index.ts';
import { parseImageName } from '../context/index.ts';
import { type BuildOptions, type BuildStep, type Built, buildImage } from './build.ts';
import type { Daemon } from './daemon.ts';
import { type TransferStep, transferSteps } from './progress.ts';
import { pull, type PullOptions, type PullStep, push } from './pull.ts';
import { Work } from './work.ts';

export class Images {
  readonly #daemon: Daemon;

  constructor(daemon: Daemon) {
    this.#daemon = daemon;
  }

  list(options: { all?: boolean; filters?: FilterValues } = {}): Promise<ImageSummary[]> {
    return this.#daemon.client.images.list(options);
  }

  /** @throws ApiFault 404 when it is not here */
  inspect(image: string): Promise<ImageInspect> {
    return this.#daemon.client.images.inspect(image);
  }

  async has(image: string): Promise<boolean> {
    try {
      await this.inspect(image);
      return true;
    } catch (error) {
      if (error instanceof ApiFault && error.status === 404) return false;
      throw error;
    }
  }

  /** Its outcome is the image's id. */
  pull(image: string, options: PullOptions = {}): Work<PullStep, string> {
    return new Work(`the pull of ${image}`, () => pull(this.#daemon, image, options));
  }

  push(image: string, options: PullOptions = {}): Work<TransferStep, void> {
    return new Work(`the push of ${image}`, () => push(this.#daemon, image, options));
  }

  /** Builds what a Dockerfile says, over BuildKit's wire. @param context a folder, whose `.dockerignore` holds, or a tar archive as it comes */
  build(context: string | AsyncIterable<Uint8Array>, options: BuildOptions = {}): Work<BuildStep, Built> {
    return new Work('the build', () => buildImage(this.#daemon, context, options));
  }

  tag(image: string, name: string): Promise<void> {
    const { repository, tag } = parseImageName(name);
    return this.#daemon.client.images.tag(image, repository, tag ?? 'latest');
  }

  remove(image: string, options: { force?: boolean } = {}): Promise<ImageDeleteEntry[]> {
    return this.#daemon.client.images.remove(image, options);
  }

  /** An archive that `load` and `docker load` read, as it comes. */
  async *save(...images: readonly string[]): AsyncGenerator<Uint8Array, void> {
    yield* (await this.#daemon.client.images.save(images)).tar;
  }

  /** @param archive the path of a file, or its bytes as they come. Its outcome is the names and ids that came. */
  load(archive: string | AsyncIterable<Uint8Array>): Work<TransferStep, string[]> {
    return new Work('the load of images', () => this.#load(archive));
  }

  async *#load(archive: string | AsyncIterable<Uint8Array>): AsyncGenerator<TransferStep, string[], void> {
    const bytes = typeof archive === 'string' ? (createReadStream(archive) as AsyncIterable<Uint8Array>) : archive;
    const loaded: string[] = [];
    for await (const step of transferSteps(this.#daemon.client.images.load(bytes, { quiet: false }))) {
      const name = /^Loaded image(?: ID)?: (\S+)$/.exec(step.status)?.[1];
      if (name !== undefined) loaded.push(name);
      yield step;
    }
    return loaded;
  }
}
