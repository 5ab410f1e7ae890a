/** Which entries of the cache have to go: what was of no use for too long, then the least recently used until the rest fits. */

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

/** @param entries in any order @param beside bytes that count but are no entry's @returns those to evict, oldest first */
export function planEviction<T extends Entry>(
  entries: readonly T[],
  { maxBytes, maxWeight, maxAgeMs }: Bounds,
  { now, beside }: { now: number; beside: number },
): T[] {
  const oldestFirst = entries.toSorted((a, b) => a.usedAt - b.usedAt);
  let bytes = entries.reduce((sum, { size }) => sum + size, beside);
  let total = entries.reduce((sum, { weight }) => sum + weight, 0);
  const evicted: T[] = [];
  for (const entry of oldestFirst) {
    const old = now - entry.usedAt > maxAgeMs;
    if (!old && bytes <= maxBytes && total <= maxWeight) break;
    evicted.push(entry);
    bytes -= entry.size;
    total -= entry.weight;
  }
  return evicted;
}
