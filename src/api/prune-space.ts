/** How much of a cache a prune leaves (buildkit, cache/manager.go calculateKeepBytes). Pure. */
export interface PruneSpace {
  /** Bytes that are kept whatever happens; 0: none. */
  readonly reserved: number;
  /** Bytes that the cache may have; 0: no matter. */
  readonly maxUsed: number;
  /** Bytes of the disk that are to be free; 0: no matter. */
  readonly minFree: number;
}

/** undefined: nothing is kept for its size. `used` is what the cache has, `free` what the disk has. */
export function keptBytes(space: PruneSpace, { used, free }: { used: number; free: number }): number | undefined {
  const { reserved, maxUsed, minFree } = space;
  if (reserved === 0 && maxUsed === 0 && minFree === 0) return undefined;
  const missing = minFree - free;
  const bounds = [...(maxUsed === 0 ? [] : [maxUsed]), ...(missing > 0 ? [used - missing] : [])];
  return Math.max(bounds.length === 0 ? 0 : Math.min(...bounds), reserved, 0);
}
