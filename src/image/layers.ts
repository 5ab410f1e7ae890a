/** Where each layer of an image came from, what it takes, and who else stands on it. Told from what is recorded of all images. */
import type { ImageLayer } from '../api/index.ts';
import { type Digest, referenceName } from '../oci/index.ts';
import { shortId } from '../std/index.ts';
import { imageTags } from './describe.ts';
import type { StoredImage } from './records.ts';
import type { Shelf } from './shelf.ts';

/** Bottom first. */
export function imageLayers(shelf: Shelf, image: StoredImage): ImageLayer[] {
  const standing = imagesByChain(shelf);
  const steps = (image.config.history ?? []).filter((step) => step.empty_layer !== true);
  return image.layers.map((layer, index): ImageLayer => {
    const chainId = image.chain[index];
    const others = (chainId === undefined ? undefined : standing.get(chainId)) ?? [image];
    const from = others.reduce((least, each) => (each.chain.length < least.chain.length ? each : least), image);
    const repositories = shelf.records.references(from.id).filter((reference) => reference.digest !== undefined);
    const unpacked = chainId !== undefined && shelf.snapshots.has(chainId);
    return {
      Digest: layer.digest,
      DiffId: image.config.rootfs.diff_ids[index] ?? '',
      MediaType: layer.mediaType,
      Size: unpacked ? shelf.snapshots.layerSize(chainId) : 0,
      StoredSize: shelf.content.size(layer.digest) ?? 0,
      Created: steps[index]?.created ?? '',
      CreatedBy: steps[index]?.created_by ?? '',
      From: { Id: from.id, Name: nameOf(shelf, from) },
      Repositories: [...new Set(repositories.map(referenceName))],
      Origin: from.origin ?? (repositories.length > 0 ? 'registry' : 'unknown'),
      SharedWith: others.filter((each) => each.id !== image.id).map((each) => nameOf(shelf, each)),
    };
  });
}

/** Which images have a stack of layers, those with the fewest layers first. */
function imagesByChain(shelf: Shelf): Map<Digest, StoredImage[]> {
  const found = new Map<Digest, StoredImage[]>();
  for (const image of shelf.records.all().sort((a, b) => a.chain.length - b.chain.length || (a.id < b.id ? -1 : 1))) {
    for (const chainId of image.chain) {
      const list = found.get(chainId);
      if (list === undefined) found.set(chainId, [image]);
      else list.push(image);
    }
  }
  return found;
}

function nameOf(shelf: Shelf, image: StoredImage): string {
  return imageTags(shelf, image)[0] ?? shortId(image.id);
}
