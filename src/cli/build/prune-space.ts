/** How much of the build cache a prune leaves. */
import type { Flags } from '../flag/parse.ts';

export const pruneSpaceFlags = `      --max-used-space bytes   Maximum amount of disk space allowed to keep for cache
      --min-free-space bytes   Target amount of free disk space after pruning
      --reserved-space bytes   Amount of disk space always allowed to keep for cache
`;

/** As the API has it. */
export function pruneSpaceQuery(flags: Flags): Record<string, number> {
  const names = ['max-used-space', 'min-free-space', 'reserved-space'];
  const query = Object.fromEntries(names.map((name) => [name, flags.bytes(name)]).filter(([, bytes]) => bytes !== 0));
  const reserved = query['reserved-space'];
  // By the name that daemons before API 1.48 know.
  return reserved === undefined ? query : { ...query, 'keep-storage': reserved };
}
