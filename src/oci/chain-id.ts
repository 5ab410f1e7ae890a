/** ChainID (OCI image-spec "Layer ChainID"): names a stack of layers by the DiffIDs from the bottom up. */
import { type Digest, sha256 } from './digest.ts';

/** The chain id of every prefix of `diffIds`, the bottom layer's first. */
export function chainIds(diffIds: readonly Digest[]): Digest[] {
  const chain: Digest[] = [];
  for (const diffId of diffIds) {
    const parent = chain.at(-1);
    chain.push(parent === undefined ? diffId : sha256(`${parent} ${diffId}`));
  }
  return chain;
}

/** The chain id of the whole stack; undefined for no layers. */
export function chainId(diffIds: readonly Digest[]): Digest | undefined {
  return chainIds(diffIds).at(-1);
}

/** The id of the layer of mount points that containers have above an image's top layer: a chain id of no image. */
export function initChainId(parent: string | undefined): string {
  return sha256(Buffer.from(`wherry init layer 1\n${parent ?? ''}`));
}
