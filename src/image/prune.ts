/** `docker image prune`: what is dangling, or with `dangling=false` whatever no container uses. */
import { acceptFilters, booleanFilter, type Filters, type ImageDeleteEntry, matchesLabels } from '../api/index.ts';
import { digestHex, familiarReference } from '../oci/index.ts';
import { faultKind, parseRfc3339 } from '../std/index.ts';
import { containerConfig } from './describe.ts';
import { untilFilter } from './list.ts';
import type { StoredImage } from './records.ts';
import { removeImage } from './remove.ts';
import type { Shelf } from './shelf.ts';
import { weigh } from './weigh.ts';

/** `reclaimed` is what the disk got back: unpacked layers, stored blobs, and the leftovers of downloads. */
export async function pruneImages(
  shelf: Shelf,
  filters: Filters,
): Promise<{ deleted: ImageDeleteEntry[]; reclaimed: number }> {
  acceptFilters(filters, ['dangling', 'label', 'label!', 'until']);
  const danglingOnly = booleanFilter(filters, 'dangling') ?? true;
  const until = untilFilter(filters);
  const chosen = candidates(shelf, danglingOnly, filters, until);
  const weighed = await weigh(
    shelf,
    chosen.map(({ image }) => image),
  );
  const deleted: ImageDeleteEntry[] = [];
  for (const ref of chosen.flatMap(({ refs }) => refs)) {
    try {
      deleted.push(...(await removeImage(shelf, ref, { force: false, noPrune: false })));
    } catch (error) {
      // In use, or gone meanwhile: pruning is for the rest.
      if (faultKind(error) !== 'conflict' && faultKind(error) !== 'not-found') throw error;
    }
  }
  let reclaimed = weighed.lost();
  // Who asks for certain images only does not mean what is none.
  const everything = until === undefined && !filters.has('label') && !filters.has('label!');
  if (everything) reclaimed += await shelf.content.discardUnfinished();
  shelf.pruned(reclaimed, {});
  return { deleted, reclaimed };
}

/** Images, with what to ask removal of: names where there are, else the id. */
function candidates(
  shelf: Shelf,
  danglingOnly: boolean,
  filters: Filters,
  until: bigint | undefined,
): { image: StoredImage; refs: string[] }[] {
  const refsOf = (image: StoredImage): string[] => {
    const references = shelf.records.references(image.id);
    const hasChildren = shelf.records.children(image.id).length > 0;
    if (hasChildren && (danglingOnly || references.length === 0)) return [];
    if (until !== undefined && (parseRfc3339(image.config.created ?? '') ?? 0n) > until) return [];
    if (!matchesLabels(filters, containerConfig(image).Labels)) return [];
    if (references.length === 0) return [digestHex(image.id)];
    const tagged = references.some((reference) => reference.digest === undefined);
    return danglingOnly && tagged ? [] : references.map(familiarReference);
  };
  return shelf.records.all().flatMap((image) => {
    const refs = refsOf(image);
    return refs.length === 0 ? [] : [{ image, refs }];
  });
}
