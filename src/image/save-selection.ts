/** What `docker save` is asked for: each image once, under the names that were meant. */
import { type Digest, formatReference, parseAnyReference, type Reference, referenceName } from '../oci/index.ts';
import { Fault, faultKind } from '../std/index.ts';
import { findImage, isIdPrefix } from './find.ts';
import type { StoredImage } from './records.ts';
import type { Shelf } from './shelf.ts';

export interface Selected {
  image: StoredImage;
  references: Reference[];
}

/** In the order asked for. @throws Fault not-found */
export function selectImages(shelf: Shelf, refs: readonly string[], platform: string | undefined): Selected[] {
  const selected = new Map<Digest, Selected>();
  for (const ref of refs) {
    for (const { image, reference } of namedBy(shelf, ref, platform)) {
      const entry = selected.get(image.id) ?? { image, references: [] };
      selected.set(image.id, entry);
      if (reference === undefined) continue;
      const known = entry.references.some((each) => formatReference(each) === formatReference(reference));
      if (!known) entry.references.push(reference);
    }
  }
  return [...selected.values()];
}

/** A tag means itself, a bare repository all its tags, an id or a digest an image without a name. */
function namedBy(
  shelf: Shelf,
  ref: string,
  platform: string | undefined,
): { image: StoredImage; reference: Reference | undefined }[] {
  const any = parseAnyReference(ref);
  if (typeof any !== 'string' && any.tag === undefined && any.digest === undefined) {
    const tagged = shelf.records
      .allReferences()
      .filter((each) => each.tag !== undefined && referenceName(each) === referenceName(any))
      .sort((a, b) => (a.tag! < b.tag! ? -1 : 1));
    if (tagged.length > 0) {
      return tagged.map((reference) => ({ image: findSaved(shelf, formatReference(reference), platform), reference }));
    }
  }
  const image = findSaved(shelf, ref, platform);
  const named =
    typeof any !== 'string' && any.digest === undefined && any.tag !== undefined && !isIdPrefix(image.id, ref);
  return [{ image, reference: named ? any : undefined }];
}

/** In the words that `docker save` has for what is not there. */
function findSaved(shelf: Shelf, ref: string, platform: string | undefined): StoredImage {
  const image = findOrRefuse(shelf, ref);
  if (platform === undefined) return image;
  try {
    return findImage(shelf.records, ref, platform);
  } catch (error) {
    if (faultKind(error) !== 'not-found') throw error;
    throw new Fault('not-found', `no suitable export target found for platform ${platform}`, { cause: error });
  }
}

function findOrRefuse(shelf: Shelf, ref: string): StoredImage {
  try {
    return findImage(shelf.records, ref);
  } catch (error) {
    if (faultKind(error) !== 'not-found') throw error;
    throw new Fault('not-found', `No such image: ${ref}`, { cause: error });
  }
}
