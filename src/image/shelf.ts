/**
 * Records, blobs and unpacked layers together: what every image verb works on. Work in progress holds its blobs and chains,
 * so that removing another image meanwhile takes nothing away from it.
 */
import type { Content, Hold } from '../content/index.ts';
import { type Digest, type ImageConfig, initChainId } from '../oci/index.ts';
import { Fault, isDiskFull, KeyedMutex } from '../std/index.ts';
import type { Snapshots } from '../snapshot/index.ts';
import { decompress } from './decompress.ts';
import type { ImageEvent, ImageUse } from './door.ts';
import type { FreedBlobs } from './freed.ts';
import type { ImageRecord, ImageRecords, StoredImage } from './records.ts';

/** Keeps blobs and layer chains until disposed. */
export interface ImageHold extends Disposable {
  readonly blobs: Hold;
  addChain(chainId: string): void;
}

export interface ShelfParts {
  records: ImageRecords;
  freed: FreedBlobs;
  content: Content;
  snapshots: Snapshots;
  uses: (imageId: string) => ImageUse[];
  emit: (event: ImageEvent) => void;
  /** What goes into `docker_version` of images made here. */
  version: string;
}

export class Shelf {
  readonly records: ImageRecords;
  readonly freed: FreedBlobs;
  readonly content: Content;
  readonly snapshots: Snapshots;
  readonly uses: (imageId: string) => ImageUse[];
  readonly version: string;
  readonly #emit: (event: ImageEvent) => void;
  readonly #mutex = new KeyedMutex();

  constructor(parts: ShelfParts) {
    this.records = parts.records;
    this.freed = parts.freed;
    this.content = parts.content;
    this.snapshots = { ...parts.snapshots, apply: (request, signal) => this.#apply(parts.snapshots, request, signal) };
    this.uses = parts.uses;
    this.version = parts.version;
    this.#emit = parts.emit;
    this.content.addOwner(() => this.records.blobs());
    this.snapshots.addOwner(() => this.#liveChains());
  }

  /** Records change one at a time. */
  exclusive<T>(task: () => Promise<T>): Promise<T> {
    return this.#mutex.run('records', task);
  }

  /** Work under one name is done one at a time. */
  alone<T>(name: string, task: () => Promise<T>): Promise<T> {
    return this.#mutex.run(name, task);
  }

  /** Disposing deletes what of it no image has got: what is left of work that failed. */
  hold(): ImageHold {
    const blobs = this.content.hold();
    const layers = this.snapshots.hold();
    return {
      blobs,
      addChain: (chainId) => layers.add(chainId),
      [Symbol.dispose]: () => {
        layers[Symbol.dispose]();
        blobs[Symbol.dispose]();
      },
    };
  }

  /** A disk that is too full to unpack gets back what was fetched for it. */
  async #apply(
    snapshots: Snapshots,
    request: Parameters<Snapshots['apply']>[0],
    signal: AbortSignal | undefined,
  ): Promise<void> {
    try {
      await snapshots.apply(request, signal);
    } catch (error) {
      if (isDiskFull(error)) this.content.outOfSpace();
      throw error;
    }
  }

  /** Tells of what happened to an image, with its labels, as Docker's image events carry them. */
  event(action: ImageEvent['action'], id: string, name: string, config?: ImageConfig): void {
    const labels = (config?.config?.['Labels'] ?? {}) as Record<string, string>;
    this.#emit({ action, id, attributes: { ...labels, name } });
  }

  /** Unpacks what of the image's layers is not unpacked yet, bottom up. Its chains must be held. */
  async unpack(
    image: { chain: readonly Digest[]; config: ImageConfig; layers: ImageRecord['layers'] },
    options: {
      /** Sees the stored (compressed) bytes of layer `index` pass. */
      watch?: ((index: number, bytes: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array>) | undefined;
      /** The bytes of a layer that is still on its way; undefined when its blob is here, or has to be waited for by `ready`. */
      coming?: ((index: number) => AsyncIterable<Uint8Array> | undefined) | undefined;
      /** Waits for the blob of a layer. */
      ready?: ((index: number) => Promise<void>) | undefined;
      done?: ((index: number) => void) | undefined;
    } = {},
    signal?: AbortSignal,
  ): Promise<void> {
    const diffIds = image.config.rootfs.diff_ids;
    if (diffIds.length !== image.layers.length) {
      throw new Fault(
        'invalid',
        `Cannot unpack image: its config has ${diffIds.length} layers, its manifest ${image.layers.length}`,
      );
    }
    for (const [index, chainId] of image.chain.entries()) {
      if (this.snapshots.has(chainId)) continue;
      const apply = (bytes: AsyncIterable<Uint8Array>): Promise<void> => {
        const tar = decompress(options.watch?.(index, bytes) ?? bytes);
        return this.snapshots.apply({ chainId, parent: image.chain[index - 1], diffId: diffIds[index]!, tar }, signal);
      };
      const coming = options.coming?.(index);
      const done = coming !== undefined && (await succeeds(apply(coming)));
      signal?.throwIfAborted();
      // That a blob is wrong comes before what is wrong with it; and another transfer may have brought the right one.
      await options.ready?.(index);
      if (!done) await apply(this.content.open(image.layers[index]!.digest, { signal }));
      options.done?.(index);
    }
    // A build's layers are not made to last before something that does names them.
    await this.snapshots.settle();
  }

  /** Tells what a pruning gave back, as Docker does, and why where nobody asked for it. */
  pruned(reclaimed: number, attributes: Record<string, string>): void {
    this.#emit({ action: 'prune', id: '', attributes: { reclaimed: String(reclaimed), ...attributes } });
  }

  /** Forgets an image that is lost for good, its names too, and deletes what only it needed. */
  async discardLost(record: ImageRecord): Promise<void> {
    const references = this.records.namesOf(record.id);
    await this.records.delete(record.id);
    await this.records.unpoint(references);
    await this.records.flush();
    await this.content.collect([record.id, record.manifest, ...record.layers.map((layer) => layer.digest)]);
  }

  /** Forgets the image and deletes what only it needed. Returns the chain ids of layers that went, topmost first. */
  async discard(image: StoredImage): Promise<string[]> {
    await this.records.delete(image.id);
    const init = initChainId(image.chain.at(-1));
    const removed = await this.snapshots.collect([init, ...image.chain.toReversed()]);
    const blobs = [image.id, image.manifest, ...image.layers.map((layer) => layer.digest)];
    await this.content.collect(blobs);
    const needed = new Set(this.records.blobs());
    for (const digest of blobs) if (!needed.has(digest)) await this.freed.forget(digest);
    return removed.filter((chainId) => chainId !== init);
  }

  /** Deletes what no owner needs: blobs and unpacked layers that a crash or a forced removal left. */
  async collect(): Promise<void> {
    await this.snapshots.collect();
    await this.content.collect();
  }

  *#liveChains(): Generator<string> {
    for (const image of this.records.all()) {
      yield* image.chain;
      yield initChainId(image.chain.at(-1));
    }
  }
}

async function succeeds(task: Promise<void>): Promise<boolean> {
  try {
    await task;
    return true;
  } catch {
    return false;
  }
}
