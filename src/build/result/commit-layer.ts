/** What a step wrote, as a layer: a blob that an image can name, and a layer that the next step stands on. */
import type { Content, Hold } from '../../content/index.ts';
import { mediaTypes } from '../../oci/index.ts';
import type { LayerHold, Snapshots } from '../../snapshot/index.ts';
import { formatNanos, type Nanos } from '../../std/index.ts';
import { type BuiltRoot, rootChain } from './root.ts';

/** Keeps the blob and the layer until somebody owns them. */
export interface ResultHold {
  readonly blobs: Hold;
  readonly layers: LayerHold;
}

/**
 * The writable snapshot `id`, which stands on `base`, as one layer more; an empty one when nothing was written, as in BuildKit.
 * The snapshot stays the caller's to remove. What this writes is held as soon as it is there.
 */
export async function commitLayer(
  { content, snapshots }: { content: Content; snapshots: Snapshots },
  options: { id: string; base: BuiltRoot; hold: ResultHold; now: Nanos },
  signal: AbortSignal,
): Promise<BuiltRoot> {
  const { id, base, hold } = options;
  const blob = await content.ingest(snapshots.diff(id, signal), { hold: hold.blobs }, signal);
  const root: BuiltRoot = {
    diffIds: [...base.diffIds, blob.digest],
    layers: [...base.layers, { mediaType: mediaTypes.ociLayer, ...blob }],
    createdAt: formatNanos(options.now),
  };
  const chainId = rootChain(root)!;
  hold.layers.add(chainId);
  if (!snapshots.has(chainId)) {
    const tar = content.open(blob.digest, { signal });
    await snapshots.apply({ chainId, parent: rootChain(base), diffId: blob.digest, tar }, signal);
  }
  return root;
}

/** The layers of `above`, which stand on nothing, on `base` instead. */
export async function stackLayers(
  { content, snapshots }: { content: Content; snapshots: Snapshots },
  { base, above, hold }: { base: BuiltRoot; above: BuiltRoot; hold: ResultHold },
  signal: AbortSignal,
): Promise<BuiltRoot> {
  let root = base;
  for (const [index, diffId] of above.diffIds.entries()) {
    const layer = above.layers[index]!;
    const parent = rootChain(root);
    root = { diffIds: [...root.diffIds, diffId], layers: [...root.layers, layer], createdAt: above.createdAt };
    const chainId = rootChain(root)!;
    hold.layers.add(chainId);
    if (snapshots.has(chainId)) continue;
    await snapshots.apply({ chainId, parent, diffId, tar: content.open(layer.digest, { signal }) }, signal);
  }
  return root;
}
