/** What the rest of the house may ask of filesystems made of layers. `openSnapshots` makes the overlayfs one. */
import type { FilesystemChange, Problem } from '../api/index.ts';
import type { TreeDifference } from './compare.ts';
import type { Difference } from './compare-layer.ts';
import type { StackFiles } from './stack-files.ts';
import type { LayerHold } from './owners.ts';

export interface Through {
  namespace: string;
  /** Its root's group, outside. */
  group: number;
}

export interface Snapshots {
  /** Whether the layer stack ending in `chainId` is unpacked (OCI image-spec "ChainID"). */
  has(chainId: string): boolean;
  /**
   * Unpacks one uncompressed layer tar on top of `parent`. The same chain asked twice at once is done once. The bytes must
   * hash to `diffId`, else nothing stays. @throws Fault invalid
   */
  apply(
    options: { chainId: string; parent: string | undefined; diffId: string; tar: AsyncIterable<Uint8Array> },
    signal?: AbortSignal,
  ): Promise<void>;
  /** Bytes that the layer itself added on disk. */
  layerSize(chainId: string): number;
  /** What image inspect shows as GraphDriver.Data of the layer. */
  describeLayer(chainId: string): Record<string, string>;
  /** Every unpacked chain id. */
  layers(): string[];
  /** @throws Fault conflict while somebody holds it, or another layer or a writable snapshot stands on it */
  removeLayer(chainId: string): Promise<void>;
  /** Registers an owner of layers: what `live` names when a collection runs stays. All owners must be known before the first. */
  addOwner(live: () => Iterable<string>): void;
  /** Keeps layers from removal and collections while work on them goes on. Disposing deletes what of them nobody needs then. */
  hold(): LayerHold;
  /**
   * Removes every layer that no owner names and nothing stands on, or those among `chainIds`. What goes is decided at once.
   * Returns the chain ids of what went, children before parents.
   */
  collect(chainIds?: Iterable<string>): Promise<string[]>;

  /** Bytes of the disk that the layer takes; counted once, when first asked. */
  layerUsage(chainId: string): Promise<number>;
  /** What is wrong with the folders and records of this store; the contents of layers are not read. */
  check(): AsyncIterable<Problem>;
  /** Whether the layer is what its tar (uncompressed) makes: the first differences. @throws Fault invalid for a broken tar */
  checkLayer(chainId: string, tar: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<Difference[]>;
  /** Unpacks a layer that is there once more and puts the result in its place, in one step. No process may use it. */
  rebuild(chainId: string, tar: AsyncIterable<Uint8Array>, signal?: AbortSignal): Promise<void>;
  /** Whether `archive` gives the bytes of the layer's diff id: of a layer that was made here it must. */
  isWhole(chainId: string, signal: AbortSignal): Promise<boolean>;
  /** The layer as the tar that a commit would have made of it. */
  archive(chainId: string, signal?: AbortSignal): AsyncIterable<Uint8Array>;

  /** Makes the writable snapshot `id` (a container's id, or another safe file name) on `parent` (undefined: empty). */
  prepare(id: string, parent: string | undefined): Promise<void>;
  /**
   * The writable snapshot becomes the layer `chainId` on what it stands on, without a copy of its files, and is gone as a snapshot;
   * `diffId` is the digest of its `diff`. Where the layer is there already the snapshot is deleted. Power failure undoes it until `settle`.
   * @throws Fault invalid (too many layers)
   */
  adopt(id: string, options: { chainId: string; diffId: string }): Promise<void>;
  /** What was adopted before the call is on disk when it returns: for what lasts and is about to name such layers. */
  settle(): Promise<void>;
  /**
   * Mounts it (idempotent, synchronous kernel call) and returns the path of the merged root. With `namespace`, the path of a user
   * namespace, its files have the owners that they have there; on disk they stay what they are. Members of `group` may come to it.
   */
  mount(id: string, options?: Through): string;
  unmount(id: string): void;
  /** The merged path whether mounted or not, and what `inspect` shows as GraphDriver.Data (LowerDir, MergedDir, UpperDir, WorkDir). */
  describe(id: string): { merged: string; data: Record<string, string> };
  exists(id: string): boolean;
  /** Unmounts and deletes; removing what is not there is no error. */
  remove(id: string): Promise<void>;
  /** Every writable snapshot's id. */
  writables(): string[];
  /** Bytes written above the parent, as Docker counts them. */
  usage(id: string): Promise<number>;
  /** Bytes of the disk that the snapshot takes. */
  diskUsage(id: string): Promise<number>;
  /** Whether the layer is one of those under the snapshot. */
  standsOn(id: string, chainId: string): boolean;
  /** Whether the layer it stands on is missing. */
  isDamaged(id: string): boolean;
  /** Stands the snapshot on a layer that holds what the missing one held. */
  reparent(id: string, chainId: string | undefined): void;
  /** What differs from the parent, as `docker diff` lists it, sorted by path. */
  changes(id: string): Promise<FilesystemChange[]>;
  /** The difference from the parent as an uncompressed OCI layer tar with whiteouts, deterministic for equal content. */
  diff(id: string, signal?: AbortSignal): AsyncIterable<Uint8Array>;
  /** What differs between two stacks (undefined: no layers), told from the layers; keep them from removal meanwhile. */
  compare(from: string | undefined, to: string | undefined, signal?: AbortSignal): AsyncIterable<TreeDifference>;
  /** Single files of a stack, without a mount. */
  files(chainId: string | undefined): StackFiles;
  /** Mounts the stack read-only under a temporary name (image volumes, copy-up); dispose to unmount. */
  view(chainId: string): { path: string } & Disposable;
}
