/**
 * Which entries of the cache have to go: what was of no use for too long, then the least recently used until the rest fits. For the
 * sake of space large ones go first: what little there is of manifests and configs makes the rest usable.
 */

export interface Entry {
  size: number;
  /** What it takes of memory, in units of the caller's. */
  weight: number;
  /** Milliseconds since the epoch. */
  usedAt: number;
}

export interface Bounds {
  maxBytes: number;
  maxWeight: number;
  /** Infinity: no bound. */
  maxAgeMs: number;
}

const largeBytes = 16 << 10;

/** @param entries in any order @param beside bytes that count but are no entry's @returns those to evict */
export function planEviction<T extends Entry>(
  entries: readonly T[],
  { maxBytes, maxWeight, maxAgeMs }: Bounds,
  { now, beside }: { now: number; beside: number },
): T[] {
  const evicted = new Set<T>();
  let bytes = entries.reduce((sum, { size }) => sum + size, beside);
  let weight = entries.reduce((sum, entry) => sum + entry.weight, 0);
  const evictWhile = (candidates: readonly T[], wanted: (entry: T) => boolean): void => {
    for (const entry of candidates) {
      if (!wanted(entry)) return;
      if (evicted.has(entry)) continue;
      evicted.add(entry);
      bytes -= entry.size;
      weight -= entry.weight;
    }
  };
  const oldestFirst = entries.toSorted((a, b) => a.usedAt - b.usedAt);
  evictWhile(oldestFirst, ({ usedAt }) => now - usedAt > maxAgeMs);
  evictWhile(oldestFirst, () => weight > maxWeight);
  const largeFirst = [true, false].flatMap((large) => oldestFirst.filter(({ size }) => size >= largeBytes === large));
  evictWhile(largeFirst, () => bytes > maxBytes);
  return [...evicted];
}
