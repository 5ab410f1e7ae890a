/** A blob that an image should have and the store has not: made again from what is here, or fetched from where it came. */
import {
  type Descriptor,
  type Digest,
  encodeManifest,
  familiarReference,
  mediaTypes,
  parseManifest,
  type Reference,
  referenceName,
  sha256,
  withDigest,
} from '../oci/index.ts';
import type { Credentials } from '../registry/index.ts';
import { Fault, isDiskFull, messageOf, shortId } from '../std/index.ts';
import type { Puller } from './pull.ts';
import type { ImageRecord, StoredImage } from './records.ts';
import type { ImageHold, Shelf } from './shelf.ts';

export interface RestoreOptions {
  hold: ImageHold;
  /** For a registry by its domain. */
  credentials?: (domain: string) => Credentials | undefined;
}

/** Returns how. @throws Fault not-found that names the command to type */
export async function restoreLayer(
  puller: Puller,
  image: ImageRecord,
  layer: Descriptor,
  options: RestoreOptions,
  signal: AbortSignal,
): Promise<string> {
  const { shelf } = puller;
  const stored = shelf.records.get(image.id);
  const how =
    (await rebuilt(shelf, stored, layer, options.hold, signal)) ??
    (await fetched(puller, image, layer.digest, signal, (source) =>
      puller.downloads.fetch(source, layer, transferOptions(options, source), signal),
    ));
  await shelf.freed.forget(layer.digest);
  return how;
}

/** The layer's blob in the store and held, brought back where it was freed to make room. @throws Fault as `restoreLayer` */
export async function ensureLayer(
  puller: Puller,
  image: ImageRecord,
  layer: Descriptor,
  options: RestoreOptions,
  signal: AbortSignal,
): Promise<void> {
  options.hold.blobs.add(layer.digest);
  if (!puller.shelf.content.has(layer.digest)) await restoreLayer(puller, image, layer, options, signal);
}

/** As `restoreLayer`, for an image's manifest, or the index by which it came. */
export async function restoreManifest(
  puller: Puller,
  image: ImageRecord,
  digest: Digest,
  { hold, credentials }: RestoreOptions,
  signal: AbortSignal,
): Promise<string> {
  const { content, records } = puller.shelf;
  const stored = records.get(image.id);
  const configSize = stored === undefined ? undefined : content.size(image.id);
  if (configSize !== undefined) {
    const bytes = encodeManifest({ digest: image.id, size: configSize }, image.layers);
    if (sha256(bytes) === digest) {
      await content.put(bytes, hold.blobs);
      return 'made again';
    }
  }
  return fetched(puller, image, digest, signal, async (source) => {
    const { bytes } = await puller.registry.resolve(withDigest(source, digest), credentials?.(source.domain), signal);
    if ((await content.put(bytes, hold.blobs)) !== digest)
      throw new Fault('invalid', 'the registry sent something else');
  });
}

/** As `restoreLayer`, for an image's config; nothing here can make it again. */
export function restoreConfig(
  puller: Puller,
  image: ImageRecord,
  options: RestoreOptions,
  signal: AbortSignal,
): Promise<string> {
  return fetched(puller, image, image.id, signal, async (source) => {
    const parsed = parseManifest(await puller.shelf.content.read(image.manifest), '');
    if (parsed.kind !== 'manifest' || parsed.manifest.config.digest !== image.id)
      throw new Fault('invalid', 'its manifest is of another image');
    await puller.downloads.fetch(source, parsed.manifest.config, transferOptions(options, source), signal);
  });
}

function transferOptions(
  { hold, credentials }: RestoreOptions,
  source: Reference,
): { hold: ImageHold; credentials: Credentials | undefined } {
  return { hold, credentials: credentials?.(source.domain) };
}

/** What a person can do about an image of which something is missing for good. */
export function replaceAdvice(references: readonly Reference[], id: Digest): string {
  const tag = references.find((reference) => reference.digest === undefined);
  const origin = references.find((reference) => reference.digest !== undefined);
  if (origin !== undefined) return `pull it again: wherry pull ${familiarReference(tag ?? origin)}`;
  return `load or build it again, or remove it: wherry rmi ${tag === undefined ? shortId(id) : familiarReference(tag)}`;
}

/** A layer that was committed here is the same bytes when it is archived again. */
async function rebuilt(
  shelf: Shelf,
  image: StoredImage | undefined,
  layer: Descriptor,
  hold: ImageHold,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (image === undefined || (layer.mediaType !== mediaTypes.ociLayer && layer.mediaType !== mediaTypes.dockerLayer))
    return undefined;
  const index = image.layers.findIndex((each) => each.digest === layer.digest);
  const chainId = image.chain[index];
  if (chainId === undefined || !shelf.snapshots.has(chainId)) return undefined;
  try {
    const { digest, size } = layer;
    await shelf.content.ingest(shelf.snapshots.archive(chainId, signal), { digest, size, hold: hold.blobs }, signal);
    return 'made again from the unpacked layer';
  } catch (error) {
    signal.throwIfAborted();
    if (isDiskFull(error)) throw error;
    return undefined;
  }
}

async function fetched(
  puller: Puller,
  image: ImageRecord,
  digest: Digest,
  signal: AbortSignal,
  fetch: (source: Reference) => Promise<void>,
): Promise<string> {
  const { shelf } = puller;
  const failures: string[] = [];
  for (const source of sourcesOf(shelf, image, digest)) {
    try {
      await fetch(source);
      return `fetched again from ${referenceName(source)}`;
    } catch (error) {
      signal.throwIfAborted();
      if (isDiskFull(error)) throw error;
      failures.push(`${referenceName(source)}: ${messageOf(error)}`);
    }
  }
  const why = failures.length === 0 ? 'it came from no registry' : failures.join('; ');
  const advice = replaceAdvice(shelf.records.namesOf(image.id), image.id);
  throw new Fault('not-found', `blob ${digest} is not here and cannot be had again (${why}); ${advice}`);
}

/** Repositories that had the blob: of this image first, of others that share it, and the one noted when it was freed. */
function sourcesOf(shelf: Shelf, image: ImageRecord, digest: Digest): Reference[] {
  const sharing = shelf.records.all().filter((other) => other.layers.some((layer) => layer.digest === digest));
  const noted = shelf.freed.sourceOf(digest);
  const references = [image, ...sharing]
    .flatMap(({ id }) => shelf.records.namesOf(id))
    .filter((reference) => reference.digest !== undefined);
  const all = noted === undefined ? references : [...references, noted];
  return [...new Map(all.map((reference) => [referenceName(reference), reference])).values()];
}
