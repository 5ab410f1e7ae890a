/** `docker images`: which images, and which of their names, a set of filters leaves. */
import { acceptFilters, booleanFilter, type Filters, type ImageSummary, matchesLabels } from '../api/index.ts';
import { familiarName, familiarReference, type Reference } from '../oci/index.ts';
import { Fault, parseApiTime, parseGoDuration, parseRfc3339 } from '../std/index.ts';
import { containerConfig, summarizeImage } from './describe.ts';
import { findImage } from './find.ts';
import { type Glob, globPattern } from './glob.ts';
import type { StoredImage } from './records.ts';
import type { Shelf } from './shelf.ts';

const accepted = ['dangling', 'label', 'label!', 'before', 'since', 'reference', 'until'];

export function listImages(shelf: Shelf, options: { all: boolean; filters: Filters }): ImageSummary[] {
  const { all, filters } = options;
  acceptFilters(filters, accepted);
  const dangling = booleanFilter(filters, 'dangling');
  const patterns = [...(filters.get('reference') ?? [])].map(globPattern);
  const keep = timeFilter(shelf, filters);
  const rows: ImageSummary[] = [];
  for (const image of shelf.records.all()) {
    if (!keep(image) || !matchesLabels(filters, containerConfig(image).Labels)) continue;
    const references = shelf.records.references(image.id);
    const hasChildren = shelf.records.children(image.id).length > 0;
    if (references.length === 0) {
      if (patterns.length > 0 || dangling === false) continue;
      if (hasChildren && (dangling === true || !all)) continue;
      rows.push(summarizeImage(shelf, image));
      continue;
    }
    if (dangling === true) continue;
    const shown = references.filter(
      (reference) => patterns.length === 0 || patterns.some((pattern) => matches(pattern, reference)),
    );
    if (shown.length === 0) continue;
    rows.push({
      ...summarizeImage(shelf, image),
      RepoTags: shown.filter((reference) => reference.digest === undefined).map(familiarReference),
      RepoDigests: shown.filter((reference) => reference.digest !== undefined).map(familiarReference),
    });
  }
  return rows.sort((a, b) => b.Created - a.Created || (a.Id < b.Id ? -1 : 1));
}

/** `before`, `since` and `until` as one test. */
function timeFilter(shelf: Shelf, filters: Filters): (image: StoredImage) => boolean {
  const createdOf = (image: StoredImage): bigint => parseRfc3339(image.config.created ?? '') ?? 0n;
  const before = [...(filters.get('before') ?? [])].map((text) => createdOf(findImage(shelf.records, text)));
  const since = [...(filters.get('since') ?? [])].map((text) => createdOf(findImage(shelf.records, text)));
  const until = untilFilter(filters);
  return (image) => {
    const created = createdOf(image);
    return (
      before.every((limit) => created < limit) &&
      since.every((limit) => created > limit) &&
      (until === undefined || created <= until)
    );
  };
}

/** The `until` filter: a timestamp, or a duration back from now. @throws Fault invalid */
export function untilFilter(filters: Filters, nowMs = Date.now()): bigint | undefined {
  const values = [...(filters.get('until') ?? [])];
  if (values.length === 0) return undefined;
  if (values.length > 1) throw new Fault('invalid', 'more than one until filter specified');
  const duration = parseGoDuration(values[0]!);
  if (duration !== undefined) return BigInt(nowMs) * 1_000_000n - BigInt(duration);
  const time = parseApiTime(values[0]!);
  if (time === undefined)
    throw new Fault('invalid', `failed to parse value as time or duration: ${JSON.stringify(values[0])}`);
  return time;
}

/** FamiliarMatch: against the name with its tag, or the bare name. */
function matches(pattern: Glob, reference: Reference): boolean {
  return pattern.test(familiarReference(reference)) || pattern.test(familiarName(reference));
}
