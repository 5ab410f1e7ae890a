/**
 * Records, blobs and unpacked layers together: what every image verb works on. Work in progress holds its blobs and chains,
 * so that removing another image meanwhile takes nothing away from it.
 */
import type { Content, Hold } from '../content/index.ts';
import { type Digest, type ImageConfig, initChainId } from '../oci/index.ts';
import { Fault, faultKind, KeyedMutex } from '../std/index.ts';
import type { Snapshots } from '../snapshot/index.ts';
import { decompress } from './decompress.ts';
import type { ImageEvent, ImageUse } from './door.ts';
import type { ImageRecord, ImageRecords, StoredImage } from './records.ts';

/** Keeps blobs and layer chains until disposed. */
export interface ImageHold extends Disposable {
  readonly blobs: Hold;
  addChain(chainId: string): void;
}

export interface ShelfParts {
  records: ImageRecords;
  content: Content;
  snapshots: Snapshots;
  uses: (imageId: string) => ImageUse[];
  emit: (event: ImageEvent) => void;
  /** What goes into `docker_version` of images made here. */
  version: string;
}

export class Shelf {
  readonly records: ImageRecords;
  readonly content: Content;
  readonly snapshots: Snapshots;
  readonly uses: (imageId: string) => ImageUse[];
  readonly version: string;
  readonly #emit: (event: ImageEvent) => void;
  readonly #mutex = new KeyedMutex();
  readonly #heldChains = new Map<string, number>();

  constructor(parts: ShelfParts) {
    this.records = parts.records;
    this.content = parts.content;
    this.snapshots = parts.snapshots;
    this.uses = parts.uses;
    this.version = parts.version;
    this.#emit = parts.emit;
    this.content.addOwner(() => this.#liveBlobs());
    this.snapshots.addOwner(() => this.#liveChains());
  }

  /** Records change one at a time. */
  exclusive<T>(task: () => Promise<T>): Promise<T> {
    return this.#mutex.run('records', task);
  }

  hold(): ImageHold {
    const blobs = this.content.hold();
    const chains = new Set<string>();
    return {
      blobs,
      addChain: (chainId) => {
        if (chains.has(chainId)) return;
        chains.add(chainId);
        this.#heldChains.set(chainId, (this.#heldChains.get(chainId) ?? 0) + 1);
      },
      [Symbol.dispose]: () => {
        blobs[Symbol.dispose]();
        for (const chainId of chains) {
          const count = this.#heldChains.get(chainId)! - 1;
          if (count === 0) this.#heldChains.delete(chainId);
          else this.#heldChains.set(chainId, count);
        }
        chains.clear();
      },
    };
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
      /** Called before a layer is unpacked: waits for its blob. */
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
      await options.ready?.(index);
      const stored = this.content.open(image.layers[index]!.digest, { signal });
      const watched = options.watch?.(index, stored) ?? stored;
      await this.snapshots.apply(
        { chainId, parent: image.chain[index - 1], diffId: diffIds[index]!, tar: decompress(watched) },
        signal,
      );
      options.done?.(index);
    }
  }

  /** Forgets the image and deletes what only it needed. Returns the chain ids of layers that went, topmost first. */
  async discard(image: StoredImage): Promise<string[]> {
    await this.records.delete(image.id);
    const removed: string[] = [];
    const needed = new Set(this.records.all().flatMap((other) => other.chain));
    const init = initChainId(image.chain.at(-1));
    if (this.snapshots.has(init)) await this.#removeLayer(init);
    for (const chainId of image.chain.toReversed()) {
      if (needed.has(chainId) || !(await this.#removeLayer(chainId))) break;
      removed.push(chainId);
    }
    await this.content.collect();
    return removed;
  }

  async #removeLayer(chainId: string): Promise<boolean> {
    if (this.#heldChains.has(chainId)) return false;
    try {
      await this.snapshots.removeLayer(chainId);
      return true;
    } catch (error) {
      if (faultKind(error) === 'conflict') return false;
      throw error;
    }
  }

  /** Deletes what no owner needs: blobs and unpacked layers that a crash or a forced removal left. */
  async collect(): Promise<void> {
    await this.snapshots.collect();
    await this.content.collect();
  }

  *#liveBlobs(): Generator<string> {
    for (const image of this.records.all()) {
      yield image.id;
      yield image.manifest;
      for (const layer of image.layers) yield layer.digest;
    }
    for (const reference of this.records.allReferences()) if (reference.digest !== undefined) yield reference.digest;
  }

  *#liveChains(): Generator<string> {
    yield* this.#heldChains.keys();
    for (const image of this.records.all()) yield* image.chain;
  }
}
