/** From what people type to an image: by reference, id, id prefix or digest, in Docker's order and words. */
import {
  type Digest,
  familiarReference,
  formatPlatform,
  parseAnyReference,
  parsePlatform,
  platformDistance,
  type Reference,
  withDefaultTag,
} from '../oci/index.ts';
import { Fault } from '../std/index.ts';
import type { ImageRecords, StoredImage } from './records.ts';

/** @throws Fault not-found `No such image: x:latest`; invalid for what is no reference */
export function findImage(records: ImageRecords, text: string, platform?: string): StoredImage {
  const any = parseAnyReference(text);
  const image = typeof any === 'string' ? records.get(any) : findNamed(records, text, any);
  if (image === undefined) throw noSuchImage(any);
  if (platform !== undefined && platform !== '') checkPlatform(image, text, platform);
  return image;
}

function findNamed(records: ImageRecords, text: string, reference: Reference): StoredImage | undefined {
  const id = lookupReference(records, reference);
  return id === undefined ? findByPrefix(records, text) : records.get(id);
}

/** The image id a reference stands for; name:tag@digest is found by its digest. */
export function lookupReference(records: ImageRecords, reference: Reference): Digest | undefined {
  const exact = records.lookup(withDefaultTag(reference));
  if (exact !== undefined || reference.digest === undefined) return exact;
  const { domain, path, digest } = reference;
  const found = records
    .allReferences()
    .find((each) => each.domain === domain && each.path === path && each.digest === digest);
  return found === undefined ? undefined : records.lookup(found);
}

/** `sha256:` may lead; undefined when no image, or more than one, starts so. */
function findByPrefix(records: ImageRecords, text: string): StoredImage | undefined {
  const prefix = text.startsWith('sha256:') ? text.slice('sha256:'.length) : text;
  if (!/^[a-f0-9]{1,64}$/.test(prefix)) return undefined;
  const found = records.all().filter((image) => image.id.startsWith(`sha256:${prefix}`));
  return found.length === 1 ? found[0] : undefined;
}

/** Whether `text` is a prefix of the id, with or without `sha256:`. */
export function isIdPrefix(id: Digest, text: string): boolean {
  return id.startsWith(text) || id.slice(id.indexOf(':') + 1).startsWith(text);
}

export function noSuchImage(any: Reference | Digest): Fault {
  const name = typeof any === 'string' ? any : familiarReference(withDefaultTag(any));
  return new Fault('not-found', `No such image: ${name}`);
}

function checkPlatform(image: StoredImage, ref: string, platform: string): void {
  const wanted = parsePlatform(platform);
  const { os, architecture, variant } = image.config;
  const actual = { os, architecture, ...(variant === undefined ? {} : { variant }) };
  // An image that does not say what it is for (an import of old) is taken at its owner's word.
  if (architecture === '' || platformDistance(wanted, actual) !== undefined) return;
  throw new Fault(
    'not-found',
    `image with reference ${ref} was found but its platform (${formatPlatform(actual)}) does not match the specified platform (${formatPlatform(wanted)})`,
  );
}
