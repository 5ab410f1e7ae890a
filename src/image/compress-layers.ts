/**
 * Layers made here or loaded plain are compressed before they leave, once: the image then has the compressed ones, and the plain
 * blobs go when no other image has them. Equal layers get equal bytes, so that registries keep them once.
 */
import {
  type Descriptor,
  type Digest,
  digestAlgorithm,
  Digester,
  layerTypeAs,
  type ManifestDetails,
  mediaTypes,
  parseManifest,
} from '../oci/index.ts';
import { Fault, parallelGzip } from '../std/index.ts';
import { putManifest } from './add.ts';
import { layerWithDiffId } from './local-layer.ts';
import type { StoredImage } from './records.ts';
import type { ImageHold, Shelf } from './shelf.ts';

/** Two per cent larger than zlib's own level 6, in two thirds of its time. */
const level = 4;
const packed: ReadonlySet<string> = new Set([mediaTypes.ociLayerGzip, mediaTypes.dockerLayerGzip]);
const isPacked = ({ mediaType }: Descriptor): boolean => packed.has(mediaType);
const plain: ReadonlySet<string> = new Set([mediaTypes.ociLayer, mediaTypes.dockerLayer]);

export function isPlainLayer({ mediaType }: Descriptor): boolean {
  return plain.has(mediaType);
}

/** Where a layer goes while it is compressed. */
export interface LayerTarget {
  /** How much of the plain layer has been read. */
  report(current: number): void;
  /** Takes the compressed bytes. Never throws. */
  write(chunk: Uint8Array): Promise<void>;
  /** These were all of them. */
  finish(layer: Descriptor): void;
  /** There will be no more of them. Never throws. */
  cancel(): Promise<void>;
}

/** @param targetOf is asked for every layer that must be compressed. Returns the image as it is stored now; its blobs are held. */
export async function compressLayers(
  shelf: Shelf,
  hold: ImageHold,
  image: StoredImage,
  targetOf: (layer: Descriptor, index: number) => LayerTarget,
  signal: AbortSignal,
): Promise<StoredImage> {
  return shelf.alone(`compress ${image.id}`, async () => {
    const known = shelf.records.get(image.id) ?? image;
    for (const { digest } of known.layers) hold.blobs.add(digest);
    if (!known.layers.some(isPlainLayer) || isPublished(shelf, known)) return known;
    const layers: Descriptor[] = [];
    // One after the other: each already uses all cores.
    for (const [index, layer] of known.layers.entries()) {
      const found = isPlainLayer(layer)
        ? layerWithDiffId(shelf, known.config.rootfs.diff_ids[index]!, isPacked)
        : layer;
      if (found !== undefined) hold.blobs.add(found.digest);
      for (const chainId of known.chain) hold.addChain(chainId);
      if (found !== undefined) {
        layers.push(found);
        continue;
      }
      const tar = shelf.content.has(layer.digest)
        ? shelf.content.open(layer.digest, { signal })
        : proved(shelf.snapshots.archive(known.chain[index]!, signal), layer.digest);
      layers.push(await compress(shelf, hold, tar, targetOf(layer, index), signal));
    }
    const forms = new Map(known.layers.map(({ digest }, index) => [digest, layers[index]!]));
    const stored = await replaceLayers(shelf, hold, known, forms);
    // Its parents and children have the same layers: they share the compressed ones, too.
    for (const other of shelf.records.all()) {
      if (
        other.layers.some(({ digest, mediaType }) => plain.has(mediaType) && forms.has(digest)) &&
        !isPublished(shelf, other)
      )
        await replaceLayers(shelf, hold, other, forms);
    }
    return stored;
  });
}

/** The image with other forms of its layers, and a manifest that says so. What only the old form needed goes. */
async function replaceLayers(
  shelf: Shelf,
  hold: ImageHold,
  image: StoredImage,
  forms: ReadonlyMap<Digest, Descriptor>,
): Promise<StoredImage> {
  const { id, parent, config } = image;
  const layers = image.layers.map((layer) => ({ ...(forms.get(layer.digest) ?? layer) }));
  const details = await detailsOf(shelf, image);
  const words = details.docker === true ? 'docker' : 'oci';
  for (const layer of layers) layer.mediaType = layerTypeAs(layer.mediaType, words);
  const manifest = await putManifest(shelf, hold, { id, size: shelf.content.size(id)! }, layers, details);
  const stored = await shelf.exclusive(async () => {
    // Removed meanwhile: what is pushed is pushed, but nothing is recorded of it.
    if (shelf.records.get(id) === undefined) return { ...image, manifest, layers };
    return shelf.records.put({ id, manifest, layers, parent }, config);
  });
  await shelf.content.collect([image.manifest, ...image.layers.map(({ digest }) => digest)]);
  return stored;
}

/** What the image's manifest says beside its parts. */
async function detailsOf(shelf: Shelf, image: StoredImage): Promise<ManifestDetails> {
  const parsed = parseManifest(await shelf.content.read(image.manifest), '');
  if (parsed.kind !== 'manifest') return {};
  const { mediaType, annotations } = parsed.manifest;
  return { docker: mediaType === mediaTypes.dockerManifest, annotations };
}

/** A registry knows the manifest with these very layers: it must stay what it is. */
function isPublished(shelf: Shelf, image: StoredImage): boolean {
  return shelf.records.references(image.id).some(({ digest }) => digest === image.manifest);
}

/** A build's layer as it is archived now. @throws Fault invalid at its end, where it is not what was built */
async function* proved(tar: AsyncIterable<Uint8Array>, digest: Digest): AsyncGenerator<Uint8Array, void, void> {
  const digester = new Digester(digestAlgorithm(digest));
  for await (const chunk of tar) {
    digester.update(chunk);
    yield chunk;
  }
  if (digester.digest() !== digest)
    throw new Fault('invalid', `the unpacked files of layer ${digest} are not what was built: wherry system verify`);
}

async function compress(
  shelf: Shelf,
  hold: ImageHold,
  tar: AsyncIterable<Uint8Array>,
  target: LayerTarget,
  signal: AbortSignal,
): Promise<Descriptor> {
  async function* read(): AsyncGenerator<Uint8Array> {
    let current = 0;
    for await (const chunk of tar) {
      current += chunk.length;
      target.report(current);
      yield chunk;
    }
  }
  async function* sent(): AsyncGenerator<Uint8Array> {
    for await (const chunk of parallelGzip(read(), { level })) {
      await target.write(chunk);
      yield chunk;
    }
  }
  try {
    const blob = await shelf.content.ingest(sent(), { hold: hold.blobs }, signal);
    const layer = { mediaType: mediaTypes.ociLayerGzip, ...blob };
    target.finish(layer);
    return layer;
  } catch (error) {
    await target.cancel();
    throw error;
  }
}
