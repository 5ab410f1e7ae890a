/** What a step wrote, as a layer that an image can name and the next step stands on. */
import type { Hold } from '../../content/index.ts';
import { chainIds, Digester, mediaTypes } from '../../oci/index.ts';
import type { LayerHold, Snapshots } from '../../snapshot/index.ts';
import { formatNanos, type Nanos } from '../../std/index.ts';
import { type BuiltRoot, rootChain } from './root.ts';

/** Keeps the blob and the layer until somebody owns them. */
export interface ResultHold {
  readonly blobs: Hold;
  readonly layers: LayerHold;
}

/**
 * The writable snapshot `id`, which stands on `base`, as one layer more; an empty one when nothing was written, as in BuildKit. It is gone
 * as a snapshot. There is no blob of it: `archive` of the layer gives its bytes to whoever wants them. What this makes is held at once.
 */
export async function commitLayer(
  { snapshots }: { snapshots: Snapshots },
  options: { id: string; base: BuiltRoot; hold: ResultHold; now: Nanos },
  signal: AbortSignal,
): Promise<BuiltRoot> {
  const { id, base, hold } = options;
  const digester = new Digester('sha256');
  let size = 0;
  for await (const chunk of snapshots.diff(id, signal)) {
    digester.update(chunk);
    size += chunk.length;
  }
  signal.throwIfAborted();
  const digest = digester.digest();
  const root: BuiltRoot = {
    diffIds: [...base.diffIds, digest],
    layers: [...base.layers, { mediaType: mediaTypes.ociLayer, digest, size }],
    createdAt: formatNanos(options.now),
  };
  const chainId = rootChain(root)!;
  hold.layers.add(chainId);
  await snapshots.adopt(id, { chainId, diffId: digest });
  return root;
}

/** The layers of `above`, which stand on nothing, on `base` instead. */
export async function stackLayers(
  { snapshots }: { snapshots: Snapshots },
  { base, above, hold }: { base: BuiltRoot; above: BuiltRoot; hold: ResultHold },
  signal: AbortSignal,
): Promise<BuiltRoot> {
  let root = base;
  const chains = chainIds(above.diffIds);
  for (const [index, diffId] of above.diffIds.entries()) {
    const layer = above.layers[index]!;
    const parent = rootChain(root);
    root = { diffIds: [...root.diffIds, diffId], layers: [...root.layers, layer], createdAt: above.createdAt };
    const chainId = rootChain(root)!;
    hold.layers.add(chainId);
    if (snapshots.has(chainId)) continue;
    const tar = snapshots.archive(chains[index]!, signal);
    await snapshots.apply({ chainId, parent, diffId, tar }, signal);
  }
  return root;
}
