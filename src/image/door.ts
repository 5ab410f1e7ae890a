/** What the engine and the container room may ask of images, beyond the API's own verbs. */
import type {
  ContainerConfig,
  ImageDeleteEntry,
  ImageSummary,
  Images,
  Problem,
  ProgressMessage,
  RegistryAuth,
} from '../api/index.ts';
import type { Content, Hold } from '../content/index.ts';
import type { Descriptor, Digest, ImageConfig, Reference } from '../oci/index.ts';
import type { Registry } from '../registry/index.ts';
import type { Snapshots } from '../snapshot/index.ts';
import type { Logger } from '../std/index.ts';
import type { ImageVerification } from './verify.ts';

export interface Image {
  /** sha256:… of the config. */
  id: string;
  config: ContainerConfig;
  architecture: string;
  variant: string | undefined;
  os: string;
  /** The top of its layer stack, unpacked; undefined for an image without layers. */
  chainId: string | undefined;
  /** Familiar references, tags first ("busybox:latest"). */
  tags: string[];
  digests: string[];
  created: string;
}

export interface BuildBase {
  config: ImageConfig;
  /** The bottom layer's first. */
  layers: readonly Descriptor[];
}

export interface ImageUse {
  containerId: string;
  running: boolean;
}

/** What an image has of the disk: shared things are named by each that has them. */
export interface ImageHolding {
  id: string;
  name: string;
  /** How many containers use it. */
  containers: number;
  /** Chain ids of its layers, and of the layer of mount points above, unpacked or not. */
  chain: string[];
  blobs: string[];
}

export interface ImageEvent {
  action: 'pull' | 'push' | 'tag' | 'untag' | 'delete' | 'load' | 'import' | 'save' | 'create' | 'prune';
  /** As Docker's Actor.ID: the reference or the id. */
  id: string;
  attributes: Record<string, string>;
}

/** The API's image verbs and a few inner ones. Rules that need containers come in as `uses`. */
export interface ImageStore extends Images, AsyncDisposable {
  /** Finds by reference, id, id prefix or digest. @throws Fault not-found "No such image: x:latest" */
  resolve(ref: string, options?: { platform?: string | undefined }): Promise<Image>;
  /** By exact image id; undefined when it is gone. */
  get(id: string): Promise<Image | undefined>;
  /** A new image: `parent`'s layers plus one made from the bytes of `layer` (an uncompressed tar), with `config`. */
  commit(
    options: {
      parent: string | undefined;
      layer: AsyncIterable<Uint8Array>;
      config: ContainerConfig;
      createdBy: string;
      comment: string;
      author: string;
      /** Normalised by the store; undefined leaves the image untagged. */
      reference: { repo: string; tag: string | undefined } | undefined;
      containerId: string;
    },
    signal?: AbortSignal,
  ): Promise<string>;
  /** What a build stands on: the image's config and the blobs of its layers. By exact image id; undefined when it is gone. */
  base(id: string): BuildBase | undefined;
  /**
   * A built image. The blobs of its layers must be there, and held by the caller until this returns, or fetched again as a pulled
   * image's are. Names it gets move from other images at once when it is there whole. `manifest` names config and layers; one is made
   * where it is absent. Returns its id.
   */
  addBuilt(
    options: {
      config: Uint8Array;
      layers: readonly Descriptor[];
      names: readonly Reference[];
      manifest?: Uint8Array | undefined;
    },
    signal?: AbortSignal,
  ): Promise<Digest>;
  /**
   * Sends a manifest with what it names to its repository, under the reference's tag, or by its digest alone. All of it must be in the store,
   * held by the caller. An image here that has that manifest is known by the digest from then on.
   */
  pushBuilt(
    options: { manifest: Digest; reference: Reference; auth: RegistryAuth | undefined },
    signal: AbortSignal,
  ): AsyncIterable<ProgressMessage>;
  /** A layer that an image here has is in the store and held, fetched again where it was deleted to make room. @throws Fault not-found */
  ensureLayer(
    layer: Descriptor,
    options: { hold: Hold; credentials?: (domain: string) => RegistryAuth | undefined },
    signal: AbortSignal,
  ): Promise<void>;
  /** Bytes of all unpacked layers of images, each counted once (system df LayersSize). */
  layersSize(): Promise<number>;
  /** Images for `system df`: SharedSize and Containers filled in. */
  summaries(): Promise<ImageSummary[]>;
  /** Checks credentials against their registry. @throws Fault unauthorized, unavailable */
  login(auth: RegistryAuth): Promise<{ Status: string; IdentityToken: string }>;
  count(): number;
  /**
   * Frees `need` bytes of the disk where that is possible without touching what a container, a name or the last good
   * deployment needs; returns how many it freed.
   */
  freeSpace(need: number): Promise<number>;
  /** What each image has of the disk. */
  holdings(): ImageHolding[];
  /** What is wrong with images, their blobs and their layers. */
  verify(options: ImageVerification, signal: AbortSignal): AsyncIterable<Problem>;
  /** A container was made from the image, or started. */
  used(id: string, how: 'created' | 'started'): void;
  /** Deletes blobs and layers that no owner needs; call it when every owner has registered. */
  collect(): Promise<void>;
}

export interface ImageStoreOptions {
  root: string;
  content: Content;
  snapshots: Snapshots;
  registry: Registry;
  /** Layers fetched at once, over all pulls. */
  parallelDownloads: number;
  /** Layers sent at once per push. */
  parallelUploads: number;
  /** Goes into `docker_version` of images made here. */
  version: string;
  /** Containers that use this image id, running ones first. */
  uses: (imageId: string) => ImageUse[];
  emit: (event: ImageEvent) => void;
  log: Logger;
}

export type { ImageDeleteEntry };
