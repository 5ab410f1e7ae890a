/** `docker tag`: one more name for an image. */
import { familiarReference, parseReference, type Reference, withDefaultTag, withTag } from '../oci/index.ts';
import { Fault } from '../std/index.ts';
import type { StoredImage } from './records.ts';
import type { Shelf } from './shelf.ts';

/** @throws Fault invalid in the words of Docker */
export function parseTagTarget(repo: string, tag: string | undefined): Reference {
  const reference = parseReference(repo);
  if (reference.digest !== undefined) throw new Fault('invalid', 'refusing to create a tag with a digest reference');
  const tagged = tag === undefined || tag === '' ? withDefaultTag(reference) : withTag(reference, tag);
  if (familiarReference(tagged).startsWith('sha256:')) {
    throw new Fault('invalid', 'refusing to create an ambiguous tag using digest algorithm as name');
  }
  return tagged;
}

/** Names the image and tells of it. Returns the id that had the name before, if another. */
export async function tagImage(shelf: Shelf, image: StoredImage, reference: Reference): Promise<string | undefined> {
  const before = await shelf.exclusive(() => {
    // It may have been removed while the caller waited.
    if (shelf.records.get(image.id) === undefined) throw new Fault('not-found', `No such image: ${image.id}`);
    return shelf.records.point(reference, image.id);
  });
  shelf.event('tag', image.id, familiarReference(reference), image.config);
  return before === image.id ? undefined : before;
}
