/** Results of other builders, as solving asks for them: tables are here, layers and folders come when they are wanted. */
import type { Content } from '../../content/index.ts';
import { decompress } from '../../image/index.ts';
import { chainIds, type Descriptor, type Digest, mediaTypes } from '../../oci/index.ts';
import type { Snapshots } from '../../snapshot/index.ts';
import { Fault, messageOf, tapBytes } from '../../std/index.ts';
import type { ResultHold } from '../result/commit-layer.ts';
import type { Results } from '../result/results.ts';
import type { BuiltRoot } from '../result/root.ts';
import type { FillFolder } from '../solve/cache-mounts.ts';
import type { ImportedResults } from '../solve/context.ts';
import type { CacheContent, CachedFolder, CachedStep } from './cache-config.ts';
import { emptyFolder, unpackFolder } from './folder-archive.ts';
import type { CacheOrigin } from './origin.ts';

/** A cache whose table was read. */
export interface ReadCache {
  content: CacheContent;
  origin: CacheOrigin;
  /** Of the folders of cache mounts; undefined: they are not wanted. */
  mountLimit: number | undefined;
  /** A line for who follows the build. */
  tell: (text: string) => void;
}

export interface ImportContext {
  content: Content;
  snapshots: Snapshots;
  results: Results;
}

/** A blob, and where it is. */
export interface RemoteBlob {
  blob: Descriptor;
  origin: CacheOrigin;
}

interface Found {
  step: CachedStep;
  cache: ReadCache;
}

/** Downloads of one result at once. */
const atOnce = 3;

export class ImportedCaches implements ImportedResults {
  readonly #context: ImportContext;
  readonly #steps = new Map<Digest, Found>();
  readonly #folders = new Map<string, { folder: CachedFolder; cache: ReadCache }>();
  readonly #layers = new Map<Digest, RemoteBlob>();
  /** Layers that are here, and the sizes of their archives. */
  readonly #unpacked = new Map<Digest, Promise<number>>();
  /** Blobs that could not be had, or are not what was said of them: they are not asked for again. */
  readonly #failed = new Map<CacheOrigin, Set<Digest>>();
  /** Blobs that were seen to be their layers. */
  readonly #proved = new Map<Digest, Descriptor>();

  /** What the first of them has, the others need not have. */
  constructor(context: ImportContext, caches: readonly ReadCache[]) {
    this.#context = context;
    for (const cache of caches) {
      const { content, origin, mountLimit } = cache;
      for (const step of content.steps) {
        for (const key of [step.definition, step.key]) if (!this.#steps.has(key)) this.#steps.set(key, { step, cache });
      }
      for (const [diffId, blob] of content.layers)
        if (!this.#layers.has(diffId)) this.#layers.set(diffId, { blob, origin });
      if (mountLimit === undefined) continue;
      for (const folder of content.folders)
        if (!this.#folders.has(folder.id)) this.#folders.set(folder.id, { folder, cache });
    }
  }

  has(key: Digest): boolean {
    return this.#steps.has(key);
  }

  get(key: Digest): CachedStep | undefined {
    return this.#steps.get(key)?.step;
  }

  async root(
    key: Digest,
    base: BuiltRoot,
    around: { hold: ResultHold; report: (id: string, current: number, total: number) => void },
    signal: AbortSignal,
  ): Promise<BuiltRoot | undefined> {
    const { step, cache } = this.#steps.get(key)!;
    const isOnBase =
      step.baseLayers === base.diffIds.length && base.diffIds.every((diffId, index) => diffId === step.diffIds[index]);
    if (!isOnBase) return undefined;
    try {
      return await this.#root({ step, cache }, base, around, signal);
    } catch (error) {
      signal.throwIfAborted();
      cache.tell(`${step.name}: its result could not be imported, the step runs: ${messageOf(error)}`);
      return undefined;
    }
  }

  async #root(
    { step, cache }: Found,
    base: BuiltRoot,
    around: Parameters<ImportedResults['root']>[2],
    signal: AbortSignal,
  ): Promise<BuiltRoot | undefined> {
    const { content } = this.#context;
    const chains = chainIds(step.diffIds);
    using blobs = content.hold();
    await using downloads = new AsyncDisposableStack();
    const controller = new AbortController();
    downloads.defer(() => controller.abort());
    const inner = AbortSignal.any([signal, controller.signal]);
    const wanted = step.diffIds.map((diffId, index): Wanted => {
      const blob = cache.content.layers.get(diffId);
      const [chain, parent] = [chains[index]!, chains[index - 1]];
      return { chain, parent, diffId, blob, origin: cache.origin };
    });
    const own = wanted.slice(step.baseLayers);
    const missing = own.filter(({ chain }) => !this.#isHere(chain));
    const failed = this.#failedOf(cache.origin);
    if (missing.some(({ blob }) => blob !== undefined && failed.has(blob.digest))) return undefined;
    const downloaded = this.#download(missing, { blobs, report: around.report }, inner);
    downloads.defer(async () => void (await Promise.allSettled(downloaded.values())));
    const layers = [...base.layers];
    for (const layer of own) {
      try {
        const size = await this.#unpack(layer, downloaded.get(layer.chain), around.hold, inner);
        layers.push({ mediaType: mediaTypes.ociLayer, digest: layer.diffId, size });
      } catch (error) {
        if (layer.blob !== undefined) failed.add(layer.blob.digest);
        throw error;
      }
    }
    return { diffIds: step.diffIds, layers, createdAt: step.createdAt };
  }

  #failedOf(origin: CacheOrigin): Set<Digest> {
    let failed = this.#failed.get(origin);
    if (failed === undefined) this.#failed.set(origin, (failed = new Set()));
    return failed;
  }

  #isHere(chain: Digest): boolean {
    return this.#unpacked.has(chain) || this.#context.snapshots.has(chain);
  }

  /** Starts them, a few at a time. */
  #download(
    layers: readonly Wanted[],
    {
      blobs,
      report,
    }: {
      blobs: { add(digest: Digest): void } & Disposable;
      report: (id: string, current: number, total: number) => void;
    },
    signal: AbortSignal,
  ): Map<Digest, Promise<void>> {
    const { content } = this.#context;
    const started = new Map<Digest, Promise<void>>();
    const queue: Promise<void>[] = [];
    for (const [index, { chain, diffId, blob, origin }] of layers.entries()) {
      const before = queue[index - atOnce] ?? Promise.resolve();
      const download = before.then(async () => {
        if (blob === undefined) throw new Fault('not-found', `the cache has no blob of layer ${diffId}`);
        blobs.add(blob.digest);
        if (content.has(blob.digest)) return;
        let current = 0;
        const bytes = tapBytes(origin.blob(blob, signal), (chunk) =>
          report(blob.digest, (current += chunk.length), blob.size),
        );
        await content.ingest(bytes, { digest: blob.digest, size: blob.size, hold: blobs }, signal);
        report(blob.digest, blob.size, blob.size);
      });
      download.catch(() => {});
      queue.push(download.catch(() => {}));
      started.set(chain, download);
    }
    return started;
  }

  /** Once per layer, whoever wants it. */
  #unpack(
    layer: Wanted,
    downloaded: Promise<void> | undefined,
    hold: ResultHold,
    signal: AbortSignal,
  ): Promise<number> {
    let size = this.#unpacked.get(layer.chain);
    if (size === undefined) {
      size = this.#unpackOne(layer, downloaded, hold, signal);
      this.#unpacked.set(layer.chain, size);
      // Another try may go better, of another cache above all.
      size.catch(() => this.#unpacked.delete(layer.chain));
    }
    return size;
  }

  async #unpackOne(
    layer: Wanted,
    downloaded: Promise<void> | undefined,
    hold: ResultHold,
    signal: AbortSignal,
  ): Promise<number> {
    const { content, snapshots } = this.#context;
    const { chain: chainId, parent, diffId, blob } = layer;
    if (downloaded === undefined || blob === undefined) {
      hold.layers.add(chainId);
      return this.#sizeOf(chainId, signal);
    }
    await downloaded;
    let size = 0;
    let isDone = false;
    async function* plain(): AsyncGenerator<Uint8Array, void, void> {
      for await (const chunk of decompress(content.open(blob!.digest, { signal }))) {
        size += chunk.length;
        yield chunk;
      }
      isDone = true;
    }
    using trial = snapshots.hold();
    trial.add(chainId);
    await snapshots.apply({ chainId, parent, diffId, tar: plain() }, signal);
    // Another build was at it.
    if (!isDone) {
      hold.layers.add(chainId);
      return await this.#sizeOf(chainId, signal);
    }
    // There will be no blob of it here: it must be one that can be made again from its files.
    if (!(await snapshots.isWhole(chainId, signal)))
      throw new Fault('invalid', `layer ${diffId} is not as this builder would have made it`);
    hold.layers.add(chainId);
    this.#proved.set(diffId, blob);
    return size;
  }

  /** Of the archive of a layer that is here. */
  async #sizeOf(chain: Digest, signal: AbortSignal): Promise<number> {
    const { results, snapshots } = this.#context;
    for (const { diffIds, layers } of results.list()) {
      const at = chainIds(diffIds).indexOf(chain);
      const layer = layers[at];
      if (layer !== undefined && layer.digest === diffIds[at]) return layer.size;
    }
    let size = 0;
    for await (const chunk of snapshots.archive(chain, signal)) size += chunk.length;
    return size;
  }

  cacheMount(id: string): FillFolder | undefined {
    const found = this.#folders.get(id);
    if (found === undefined) return undefined;
    const { folder, cache } = found;
    return async (path, signal) => {
      try {
        await unpackFolder(path, folder, cache.origin.blob(folder.blob, signal), cache.mountLimit ?? 0, signal);
        cache.tell(`cache mount ${JSON.stringify(id)} begins with what was imported`);
      } catch (error) {
        signal.throwIfAborted();
        await emptyFolder(path);
        cache.tell(`cache mount ${JSON.stringify(id)} could not be imported, it begins empty: ${messageOf(error)}`);
      }
    };
  }

  /** As its cache has it. */
  step(key: Digest): { step: CachedStep; layers: ReadonlyMap<Digest, RemoteBlob> } | undefined {
    const found = this.#steps.get(key);
    if (found === undefined) return undefined;
    const { content, origin } = found.cache;
    return {
      step: found.step,
      layers: new Map([...content.layers].map(([diffId, blob]) => [diffId, { blob, origin }])),
    };
  }

  folder(id: string): { folder: CachedFolder; origin: CacheOrigin } | undefined {
    const found = this.#folders.get(id);
    return found === undefined ? undefined : { folder: found.folder, origin: found.cache.origin };
  }

  /** A blob of the layer in some cache, which it was seen to be. */
  blobOf(diffId: Digest): Descriptor | undefined {
    return this.#proved.get(diffId);
  }
}

interface Wanted {
  chain: Digest;
  parent: Digest | undefined;
  diffId: Digest;
  blob: Descriptor | undefined;
  origin: CacheOrigin;
}
