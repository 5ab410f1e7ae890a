/** What images take of the disk, weighed before a removal and after. */
import { initChainId } from '../oci/index.ts';
import type { StoredImage } from './records.ts';
import type { Shelf } from './shelf.ts';

export interface Weighed {
  /** Bytes on disk of what was there when it was weighed and is no more. */
  lost(): number;
}

/** Weighs the images and the parents that may go with them. */
export async function weigh(shelf: Shelf, images: readonly StoredImage[]): Promise<Weighed> {
  const { content, snapshots, records } = shelf;
  const family = new Map(images.map((image) => [image.id, image]));
  for (const image of family.values()) {
    const parent = image.parent === undefined ? undefined : records.get(image.parent);
    if (parent !== undefined) family.set(parent.id, parent);
  }
  const layers = new Map<string, number>();
  const blobs = new Set<string>();
  for (const image of family.values()) {
    for (const chainId of [...image.chain, initChainId(image.chain.at(-1))])
      if (snapshots.has(chainId) && !layers.has(chainId)) layers.set(chainId, await snapshots.layerUsage(chainId));
    for (const digest of [image.id, image.manifest, ...image.layers.map((layer) => layer.digest)]) blobs.add(digest);
    for (const { digest } of records.references(image.id)) if (digest !== undefined) blobs.add(digest);
  }
  const files = (await content.files()).filter(
    ({ digest, unfinished }) => blobs.has(digest) && unfinished?.whole !== false,
  );
  return {
    lost: () => {
      let sum = 0;
      for (const [chainId, size] of layers) if (!snapshots.has(chainId)) sum += size;
      for (const { digest, usage } of files) if (!content.has(digest)) sum += usage;
      return sum;
    },
  };
}
