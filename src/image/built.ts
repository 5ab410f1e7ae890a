/** The end of a build: its config and layers as an image with names. */
import { chainIds, type Descriptor, type Digest, parseImageConfig, sha256 } from '../oci/index.ts';
import { addImage } from './add.ts';
import { isPlainLayer } from './compress-layers.ts';
import type { ImageStore } from './door.ts';
import type { StoredImage } from './records.ts';
import type { ImageHold, Shelf } from './shelf.ts';
import { tagImage } from './tag.ts';

/** Nothing is named before the image is there whole. @throws Fault invalid for a config that cannot be read */
export async function addBuiltImage(
  shelf: Shelf,
  options: Parameters<ImageStore['addBuilt']>[0],
  signal?: AbortSignal,
): Promise<Digest> {
  const { config, names } = options;
  const layers = [...options.layers];
  using hold = shelf.hold();
  for (const { digest } of layers) hold.blobs.add(digest);
  const chain = chainIds(parseImageConfig(config).rootfs.diff_ids);
  for (const chainId of chain) hold.addChain(chainId);
  // The same once more, and nothing else is said of it: what is known of it stays, where it came from above all.
  const known = options.manifest === undefined ? shelf.records.get(sha256(config)) : undefined;
  const isHere = known !== undefined && chain.every((chainId) => shelf.snapshots.has(chainId));
  const image = isHere ? known : await addAnew(shelf, hold, { ...options, layers }, signal);
  shelf.event('create', image.id, image.id, image.config);
  for (const name of names) await tagImage(shelf, image, name);
  return image.id;
}

async function addAnew(
  shelf: Shelf,
  hold: ImageHold,
  options: { config: Uint8Array; layers: Descriptor[]; manifest?: Uint8Array | undefined },
  signal: AbortSignal | undefined,
): Promise<StoredImage> {
  const { config, layers } = options;
  const chain = chainIds(parseImageConfig(config).rootfs.diff_ids);
  for (const [index, layer] of layers.entries()) {
    const { digest } = layer;
    const isMadeHere = isPlainLayer(layer) && shelf.snapshots.has(chain[index] ?? '');
    if (isMadeHere && !shelf.content.has(digest) && !shelf.freed.has(digest))
      await shelf.freed.add(layer, undefined, Date.now());
  }
  const manifest = options.manifest === undefined ? undefined : await shelf.content.put(options.manifest, hold.blobs);
  return addImage(shelf, hold, { config, layers, manifest, origin: 'build' }, signal);
}
