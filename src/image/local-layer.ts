/** Layers that are here already, found by what they hold: the same files may be stored under another compression. */
import type { Descriptor, Digest } from '../oci/index.ts';
import type { Shelf } from './shelf.ts';

/** A blob of the store that unpacks to `diffId`, as an image here has it, in a form that will do; undefined when there is none. */
export function layerWithDiffId(
  shelf: Shelf,
  diffId: Digest,
  willDo: (layer: Descriptor) => boolean = () => true,
): Descriptor | undefined {
  for (const image of shelf.records.all()) {
    const layer = image.layers[image.config.rootfs.diff_ids.indexOf(diffId)];
    if (layer !== undefined && willDo(layer) && shelf.content.has(layer.digest)) return layer;
  }
  return undefined;
}
