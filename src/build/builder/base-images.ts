/** What a build stands on: images of the store, pulled where they are not there. */
import type { BuildSecrets } from '../../api/index.ts';
import { type BuildPlatform, formatBuildPlatform } from '../../dockerfile/index.ts';
import type { BuildBase, ImageStore } from '../../image/index.ts';
import {
  chainId,
  chainIds,
  hostPlatform,
  type ImageConfig,
  parseReference,
  type Reference,
  referenceName,
} from '../../oci/index.ts';
import { Fault, faultKind, messageOf } from '../../std/index.ts';
import { buildScheme } from '../plan/named-context.ts';
import type { ResolvedImage } from '../plan/options.ts';
import type { ImageStep } from '../plan/step.ts';
import type { ResultHold } from '../result/commit-layer.ts';
import type { BuiltRoot } from '../result/root.ts';
import type { HeldBuilds } from './held-builds.ts';
import type { Progress, Task } from './progress.ts';

export interface BaseImagesOptions {
  images: ImageStore;
  held: HeldBuilds;
  /** Keeps the images until the build ends, whoever removes them meanwhile. */
  hold: ResultHold;
  secrets: Pick<BuildSecrets, 'credentials'>;
  progress: Progress;
  /** Asks the registry even where the store has an image of that name. */
  pull: boolean;
  bootstrap: boolean | undefined;
}

export class BaseImages {
  readonly #options: BaseImagesOptions;
  readonly #found = new Map<string, BuildBase>();

  constructor(options: BaseImagesOptions) {
    this.#options = options;
  }

  /** For the plan. @throws Fault in the registry's words */
  async resolve(name: string, platform: BuildPlatform, signal: AbortSignal): Promise<ResolvedImage> {
    const wanted = formatBuildPlatform(platform);
    if (name.startsWith(buildScheme)) {
      const { config, root } = this.#options.held.get(name.slice(buildScheme.length));
      return { reference: name, config: this.#use(`${name} ${wanted}`, { config, layers: root.layers }) };
    }
    return this.#options.progress.task(`[internal] load metadata for ${name}`, async (task) => {
      const id = await this.#find(name, wanted, task, signal);
      const base = this.#options.images.base(id);
      if (base === undefined) throw new Fault('not-found', `${name}: the image was removed meanwhile`);
      const reference = await this.#withDigest(name, id);
      return { reference, config: this.#use(`${reference} ${wanted}`, base) };
    });
  }

  /** For the solver. Its key is its files': another configuration of the same layers is in the keys of the steps themselves. */
  root(step: ImageStep): { resolved: string; root: BuiltRoot } {
    const base = this.#found.get(`${step.reference} ${step.platform}`);
    if (base === undefined) throw new Fault('internal', `${step.reference} was not resolved for ${step.platform}`);
    const diffIds = base.config.rootfs.diff_ids;
    return {
      resolved: chainId(diffIds) ?? 'scratch',
      root: { diffIds, layers: base.layers, createdAt: undefined },
    };
  }

  #use(key: string, base: BuildBase): ImageConfig {
    this.#keep(base);
    this.#found.set(key, base);
    return base.config;
  }

  #keep({ config, layers }: BuildBase): void {
    const { hold } = this.#options;
    for (const chain of chainIds(config.rootfs.diff_ids)) hold.layers.add(chain);
    for (const { digest } of layers) hold.blobs.add(digest);
  }

  async #find(name: string, platform: string, task: Task, signal: AbortSignal): Promise<string> {
    const { images, pull } = this.#options;
    if (!pull) {
      const here = await this.#local(name, platform);
      if (here !== undefined) return here;
    }
    try {
      await this.#pull(name, platform, task, signal);
    } catch (error) {
      signal.throwIfAborted();
      throw new Fault(faultKind(error), `failed to resolve source metadata for ${name}: ${messageOf(error)}`, {
        cause: error,
      });
    }
    return (await images.resolve(name, { platform })).id;
  }

  async #local(name: string, platform: string): Promise<string | undefined> {
    try {
      return (await this.#options.images.resolve(name, { platform })).id;
    } catch (error) {
      if (faultKind(error) === 'not-found') return undefined;
      throw error;
    }
  }

  async #pull(name: string, platform: string, task: Task, signal: AbortSignal): Promise<void> {
    const auth = await this.#options.secrets.credentials(parseReference(name).domain, signal);
    const { images, bootstrap } = this.#options;
    // The host's own kind of image is not named: that is what can be made here.
    const wanted = platform === formatBuildPlatform(hostPlatform()) ? undefined : platform;
    const messages = await images.pull({ image: name, tag: undefined, platform: wanted, auth, bootstrap }, signal);
    for await (const { id, status, progressDetail } of messages) {
      if (id === undefined || status === undefined) continue;
      const { current = 0, total = 0 } = progressDetail ?? {};
      const done = status === 'Pull complete' || status === 'Already exists';
      task.status(`${status.toLowerCase()} ${id}`, current, total, done);
    }
  }

  /** Named with its digest where a registry gave it one. */
  async #withDigest(name: string, id: string): Promise<string> {
    const reference = parseReference(name);
    if (reference.digest !== undefined) return name;
    const image = await this.#options.images.get(id);
    const digest = image?.digests.map(digestIn(reference)).find((each) => each !== undefined);
    return digest === undefined ? name : `${name}@${digest}`;
  }
}

/** Of a familiar `name@digest` of the same repository. */
function digestIn(reference: Reference): (text: string) => string | undefined {
  return (text) => {
    const other = parseReference(text);
    return referenceName(other) === referenceName(reference) ? other.digest : undefined;
  };
}
