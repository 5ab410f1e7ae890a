/** `docker rmi`: untag or delete, with the refusals, order and words of Docker's ImageDelete. */
import type { ImageDeleteEntry } from '../api/index.ts';
import {
  type Digest,
  familiarReference,
  parseReference,
  type Reference,
  referenceName,
  withDefaultTag,
} from '../oci/index.ts';
import { Fault, shortId } from '../std/index.ts';
import { findImage, isIdPrefix } from './find.ts';
import type { StoredImage } from './records.ts';
import type { Shelf } from './shelf.ts';

export function removeImage(
  shelf: Shelf,
  ref: string,
  options: { force: boolean; noPrune: boolean; platforms?: readonly string[] },
): Promise<ImageDeleteEntry[]> {
  return shelf.exclusive(async () => {
    try {
      return await removeLocked(shelf, ref, options);
    } finally {
      await shelf.records.flush();
    }
  });
}

async function removeLocked(
  shelf: Shelf,
  ref: string,
  { force, noPrune, platforms = [] }: { force: boolean; noPrune: boolean; platforms?: readonly string[] },
): Promise<ImageDeleteEntry[]> {
  const { records } = shelf;
  const image = findImage(records, ref);
  // An image here is for one platform: any of those named must be its own.
  for (const platform of platforms) findImage(records, ref, platform);
  const entries: ImageDeleteEntry[] = [];
  let references = records.references(image.id);
  let removedReference = false;
  if (isIdPrefix(image.id, ref)) {
    if (isSingleReference(references)) {
      const conflict = findConflict(shelf, image, { soft: !force, references: false });
      if (conflict !== undefined) throw conflict.fault;
      await untag(shelf, image, references, entries);
    }
  } else {
    const [user] = shelf.uses(image.id);
    if (!force && user !== undefined && isSingleReference(references)) {
      throw new Fault(
        'conflict',
        `conflict: unable to remove repository reference ${JSON.stringify(ref)} (must force) - container ${shortId(user.containerId)} is using its referenced image ${shortId(image.id)}`,
      );
    }
    const named = withDefaultTag(parseReference(ref));
    await untag(shelf, image, [named], entries);
    references = records.references(image.id);
    const sameRepository = (other: Reference): boolean => referenceName(other) === referenceName(named);
    if (
      named.digest === undefined &&
      !references.some((other) => other.digest === undefined && sameRepository(other))
    ) {
      await untag(shelf, image, references.filter(sameRepository), entries);
      references = records.references(image.id);
    }
    if (references.length > 0) return entries;
    removedReference = true;
  }
  await deleteImage(shelf, image, entries, { force, prune: !noPrune, quiet: removedReference });
  return entries;
}

async function deleteImage(
  shelf: Shelf,
  image: StoredImage,
  entries: ImageDeleteEntry[],
  options: { force: boolean; prune: boolean; quiet: boolean },
): Promise<void> {
  const conflict = findConflict(shelf, image, { soft: !options.force, references: true });
  if (conflict !== undefined) {
    // A name was removed already; that the image stays for its other users is no error.
    if (options.quiet && (!isDangling(shelf, image) || conflict.used)) return;
    throw conflict.fault;
  }
  await untag(shelf, image, shelf.records.references(image.id), entries);
  const removedLayers = await shelf.discard(image);
  shelf.event('delete', image.id, image.id, image.config);
  entries.push({ Deleted: image.id }, ...removedLayers.map((Deleted) => ({ Deleted })));
  const parent = image.parent === undefined ? undefined : shelf.records.get(image.parent);
  if (options.prune && parent !== undefined && shelf.records.references(parent.id).length === 0) {
    await deleteImage(shelf, parent, entries, { force: false, prune: true, quiet: true });
  }
}

async function untag(
  shelf: Shelf,
  image: StoredImage,
  references: readonly Reference[],
  entries: ImageDeleteEntry[],
): Promise<void> {
  if (references.length === 0) return;
  await shelf.records.unpoint(references);
  // The index by which the image came is nobody's now.
  await shelf.content.collect(references.flatMap(({ digest }) => (digest === undefined ? [] : [digest])));
  for (const reference of references) {
    shelf.event('untag', image.id, image.id, image.config);
    entries.push({ Untagged: familiarReference(reference) });
  }
}

/** One tag at most, with digests of the same repository only. */
function isSingleReference(references: readonly Reference[]): boolean {
  if (references.length <= 1) return true;
  const tags = references.filter((reference) => reference.digest === undefined);
  if (tags.length > 1) return false;
  const repositories = new Set(references.map(referenceName));
  return repositories.size === 1 && references.length - tags.length > 0;
}

interface Conflict {
  fault: Fault;
  used: boolean;
}

function findConflict(
  shelf: Shelf,
  image: StoredImage,
  check: { soft: boolean; references: boolean },
): Conflict | undefined {
  const conflict = (hard: boolean, used: boolean, reason: string): Conflict => ({
    used,
    fault: new Fault(
      'conflict',
      `conflict: unable to delete ${shortId(image.id)} (${hard ? 'cannot be' : 'must be'} forced) - ${reason}`,
    ),
  });
  if (shelf.records.children(image.id).length > 0) return conflict(true, false, 'image has dependent child images');
  const uses = shelf.uses(image.id);
  const running = uses.find((use) => use.running);
  if (running !== undefined) {
    return conflict(true, true, `image is being used by running container ${shortId(running.containerId)}`);
  }
  if (!check.soft) return undefined;
  if (check.references && shelf.records.references(image.id).length > 0) {
    return conflict(false, false, 'image is referenced in multiple repositories');
  }
  const [stopped] = uses;
  return stopped === undefined
    ? undefined
    : conflict(false, true, `image is being used by stopped container ${shortId(stopped.containerId)}`);
}

function isDangling(shelf: Shelf, image: { id: Digest }): boolean {
  return shelf.records.references(image.id).length === 0 && shelf.records.children(image.id).length === 0;
}
