/** The end of a build: its config and layers as an image with names. */
import { chainIds, type Digest, parseImageConfig } from '../oci/index.ts';
import { addImage } from './add.ts';
import { isPlainLayer } from './compress-layers.ts';
import type { ImageStore } from './door.ts';
import type { Shelf } from './shelf.ts';
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
  for (const [index, layer] of layers.entries()) {
    const { digest } = layer;
    const isMadeHere = isPlainLayer(layer) && shelf.snapshots.has(chain[index] ?? '');
    if (isMadeHere && !shelf.content.has(digest) && !shelf.freed.has(digest))
      await shelf.freed.add(layer, undefined, Date.now());
  }
  const manifest = options.manifest === undefined ? undefined : await shelf.content.put(options.manifest, hold.blobs);
  const image = await addImage(shelf, hold, { config, layers, manifest, origin: 'build' }, signal);
  shelf.event('create', image.id, image.id, image.config);
  for (const name of names) await tagImage(shelf, image, name);
  return image.id;
}
