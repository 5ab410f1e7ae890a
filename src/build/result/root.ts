/** A root filesystem as steps make it: layers, the bottom one first. Pure data. */
import { chainId, type Descriptor, type Digest } from '../../oci/index.ts';

export interface BuiltRoot {
  /** Of each layer's uncompressed tar. */
  readonly diffIds: readonly Digest[];
  /** The blob of each, as a manifest names it. */
  readonly layers: readonly Descriptor[];
  /** When the step that made it ended, RFC 3339; undefined of an image, and of nothing. */
  readonly createdAt: string | undefined;
}

export const scratch: BuiltRoot = { diffIds: [], layers: [], createdAt: undefined };

/** The stack's name in the snapshots; undefined for no layers. */
export function rootChain(root: BuiltRoot): Digest | undefined {
  return chainId(root.diffIds);
}
