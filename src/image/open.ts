/** The image store over records, blobs, layers and registries: each verb is a file of this room. */
import { join } from 'node:path';
import type { ImageSummary } from '../api/index.ts';
import { initChainId } from '../oci/index.ts';
import { addBuiltImage } from './built.ts';
import { commitImage } from './commit.ts';
import { describeImage, imageDigests, imageHistory, imageTags, inspectImage, summarizeImage } from './describe.ts';
import type { ImageStore, ImageStoreOptions } from './door.ts';
import { diffImages } from './diff.ts';
import { Downloads } from './downloads.ts';
import { findImage } from './find.ts';
import { FreedBlobs } from './freed.ts';
import { freeSpaceOnDisk } from './gc.ts';
import { importImage } from './import.ts';
import { imageLayers } from './layers.ts';
import { listImages } from './list.ts';
import { loadImages } from './load.ts';
import { imagePlatforms } from './platforms.ts';
import { pruneImages } from './prune.ts';
import { pullImage } from './pull.ts';
import { ensureAnyLayer, pushBuilt, pushImage } from './push.ts';
import { ImageRecords } from './records.ts';
import { inspectDistribution, searchImages } from './remote.ts';
import { removeImage } from './remove.ts';
import { saveImages } from './save.ts';
import { Shelf } from './shelf.ts';
import { parseTagTarget, tagImage } from './tag.ts';
import { verifyImages } from './verify.ts';

const remoteTimeoutMs = 60_000;

/** Opens the store. Blobs and layers that no image names stay until `collect`, for other owners may need them. */
export async function openImages(options: ImageStoreOptions): Promise<ImageStore> {
  const { content, snapshots, registry, uses, emit, parallelDownloads, parallelUploads } = options;
  const records = await ImageRecords.open(options.root, content, options.log);
  const needed = new Set(records.blobs());
  const freed = await FreedBlobs.open(
    join(options.root, 'freed'),
    (digest) => needed.has(digest) && !content.has(digest),
    (path) => options.log.error('the record of a freed blob cannot be read and was set aside', { path }),
  );
  const shelf = new Shelf({ records, freed, content, snapshots, uses, emit, version: options.version });
  const puller = { shelf, registry, downloads: new Downloads(content, registry, parallelDownloads), parallelDownloads };
  const pusher = { ...puller, parallelUploads };

  return {
    collect: () => shelf.collect(),
    resolve: async (ref, { platform } = {}) => describeImage(shelf, findImage(records, ref, platform)),
    get: async (id) => {
      const image = records.get(id);
      return image === undefined ? undefined : describeImage(shelf, image);
    },
    list: async ({ all, filters, sharedSize, manifests }) => {
      const rows = listImages(shelf, { all, filters });
      for (const row of rows) {
        if (sharedSize) row.SharedSize = sharedSizeOf(shelf, row.Id);
        const image = records.get(row.Id);
        if (manifests && image !== undefined) row.Manifests = await imagePlatforms(shelf, image);
      }
      return rows;
    },
    inspect: async (ref, { platform }) => inspectImage(shelf, findImage(records, ref, platform)),
    history: async (ref, { platform }) => imageHistory(shelf, findImage(records, ref, platform)),
    layers: async (ref, { platform }) => imageLayers(shelf, findImage(records, ref, platform)),
    diff: async (from, to, { platform }, signal) => diffImages(shelf, { from, to }, platform, signal),
    pull: (request, signal) => pullImage(puller, request, signal),
    push: async (request, signal) => pushImage(pusher, request, signal),
    import: (request, signal) => importImage(shelf, registry, request, signal),
    load: async (body, request, signal) => loadImages(shelf, body, request, signal),
    save: (refs, request, signal) => saveImages(puller, refs, request, signal),
    tag: async (ref, { repo, tag }) => {
      await tagImage(shelf, findImage(records, ref), parseTagTarget(repo, tag));
    },
    remove: (ref, request) => removeImage(shelf, ref, request),
    prune: (filters) => pruneImages(shelf, filters),
    search: (request) => searchImages(registry, request, AbortSignal.timeout(remoteTimeoutMs)),
    distribution: (ref, auth, signal) => inspectDistribution(registry, ref, auth, signal),
    commit: (request, signal) => commitImage(shelf, request, signal),
    base: (id) => {
      const image = records.get(id);
      return image === undefined ? undefined : { config: image.config, layers: image.layers };
    },
    addBuilt: (request, signal) => addBuiltImage(shelf, request, signal),
    pushBuilt: (request, signal) => pushBuilt(pusher, request, signal),
    ensureLayer: async (layer, { hold: blobs, credentials }, signal) => {
      using hold = shelf.hold();
      blobs.add(layer.digest);
      await ensureAnyLayer(puller, layer, { hold, ...(credentials === undefined ? {} : { credentials }) }, signal);
    },
    layersSize: async () => {
      const chains = new Set(records.all().flatMap((image) => image.chain));
      return [...chains].reduce((sum, id) => sum + (snapshots.has(id) ? snapshots.layerSize(id) : 0), 0);
    },
    summaries: async () =>
      records.all().map(
        (image): ImageSummary => ({
          ...summarizeImage(shelf, image),
          SharedSize: sharedSizeOf(shelf, image.id),
        }),
      ),
    login: (auth) => registry.login(auth, AbortSignal.timeout(remoteTimeoutMs)),
    count: () => records.all().length,
    freeSpace: (need) => freeSpaceOnDisk(shelf, need, options.log),
    holdings: () =>
      records.all().map((image) => ({
        id: image.id,
        name: imageTags(shelf, image)[0] ?? imageDigests(shelf, image)[0] ?? '<none>',
        containers: uses(image.id).length,
        chain: [...image.chain, initChainId(image.chain.at(-1))],
        blobs: [
          image.id,
          image.manifest,
          ...image.layers.map((layer) => layer.digest),
          ...records.references(image.id).flatMap(({ digest }) => (digest === undefined ? [] : [digest])),
        ],
      })),
    verify: (request, signal) => verifyImages(puller, options.root, request, signal),
    used: (id, how) => {
      const image = records.get(id);
      if (image === undefined) return;
      if (how === 'started') records.usage.markRan(image.id);
      else records.usage.markUsed(image.id);
    },
    [Symbol.asyncDispose]: () => records.usage[Symbol.asyncDispose](),
  };
}

/** Bytes of the image's layers that other images stand on, too. */
function sharedSizeOf(shelf: Shelf, id: string): number {
  const image = shelf.records.get(id);
  if (image === undefined) return 0;
  const others = new Set(shelf.records.all().flatMap((other) => (other.id === id ? [] : other.chain)));
  return image.chain
    .filter((chainId) => others.has(chainId) && shelf.snapshots.has(chainId))
    .reduce((sum, chainId) => sum + shelf.snapshots.layerSize(chainId), 0);
}
