/** `docker save` as Docker 25 and later write it: an OCI layout that is a docker-archive, too. Equal images make equal bytes. */
import {
  type Descriptor,
  type Digest,
  digestAlgorithm,
  digestHex,
  familiarName,
  familiarReference,
  formatReference,
  parseAnyReference,
  type Reference,
  referenceName,
  tarHeader,
  type TarSource,
  writeTar,
} from '../oci/index.ts';
import { Fault, parseRfc3339 } from '../std/index.ts';
import { findImage, isIdPrefix } from './find.ts';
import type { StoredImage } from './records.ts';
import type { ImageHold, Shelf } from './shelf.ts';

interface Saved {
  image: StoredImage;
  references: Reference[];
}

/** Finds every image before the first byte. @throws Fault not-found */
export function saveImages(
  shelf: Shelf,
  refs: readonly string[],
  platform: string | undefined,
  signal: AbortSignal,
): AsyncIterable<Uint8Array> {
  const saved = new Map<Digest, Saved>();
  for (const ref of refs) {
    for (const { image, reference } of namedBy(shelf, ref, platform)) {
      const entry = saved.get(image.id) ?? { image, references: [] };
      saved.set(image.id, entry);
      if (reference === undefined) continue;
      const known = entry.references.some((each) => formatReference(each) === formatReference(reference));
      if (!known) entry.references.push(reference);
    }
  }
  return archive(shelf, [...saved.values()], signal);
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
      return tagged.map((reference) => ({
        image: findImage(shelf.records, formatReference(reference), platform),
        reference,
      }));
    }
  }
  const image = findImage(shelf.records, ref, platform);
  const named =
    typeof any !== 'string' && any.digest === undefined && any.tag !== undefined && !isIdPrefix(image.id, ref);
  return [{ image, reference: named ? any : undefined }];
}

async function* archive(
  shelf: Shelf,
  saved: readonly Saved[],
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, void> {
  using hold = shelf.hold();
  const blobs = holdBlobs(shelf, hold, saved);
  yield* writeTar(entries(shelf, saved, blobs, signal));
  for (const { image } of saved) shelf.event('save', image.id, image.id, image.config);
}

function holdBlobs(shelf: Shelf, hold: ImageHold, saved: readonly Saved[]): Map<Digest, number> {
  const blobs = new Map<Digest, number>();
  for (const { image } of saved) {
    for (const digest of [image.id, image.manifest, ...image.layers.map((layer) => layer.digest)]) {
      hold.blobs.add(digest);
      const size = shelf.content.size(digest);
      if (size === undefined) throw new Fault('internal', `Cannot save ${image.id}: its blob ${digest} is missing`);
      blobs.set(digest, size);
    }
  }
  return blobs;
}

async function* entries(
  shelf: Shelf,
  saved: readonly Saved[],
  blobs: ReadonlyMap<Digest, number>,
  signal: AbortSignal,
): AsyncGenerator<TarSource, void, void> {
  const newest = saved
    .map(({ image }) => parseRfc3339(image.config.created ?? '') ?? 0n)
    .reduce((a, b) => (a > b ? a : b), 0n);
  const mtime = newest - (newest % 1_000_000_000n);
  const folder = (name: string): TarSource => ({ header: tarHeader(name, 'directory', { mtime }) });
  yield folder('blobs');
  for (const algorithm of new Set([...blobs.keys()].map(digestAlgorithm))) yield folder(`blobs/${algorithm}`);
  for (const digest of [...blobs.keys()].sort()) {
    yield {
      header: tarHeader(blobPath(digest), 'file', { size: blobs.get(digest)!, mtime }),
      body: shelf.content.open(digest, { signal }),
    };
  }
  const files: [string, unknown][] = [
    ['index.json', ociIndex(saved, blobs)],
    ['manifest.json', saved.map((each) => dockerManifest(each))],
    ['oci-layout', { imageLayoutVersion: '1.0.0' }],
  ];
  const repositories = legacyRepositories(saved);
  if (Object.keys(repositories).length > 0) files.push(['repositories', repositories]);
  for (const [name, value] of files) {
    const body = Buffer.from(JSON.stringify(value));
    yield { header: tarHeader(name, 'file', { size: body.length, mtime }), body };
  }
}

function blobPath(digest: Digest): string {
  return `blobs/${digestAlgorithm(digest)}/${digestHex(digest)}`;
}

/** One descriptor per name, as containerd reads them; an unnamed image has one without annotations. */
function ociIndex(saved: readonly Saved[], blobs: ReadonlyMap<Digest, number>): object {
  const manifests = saved.flatMap(({ image, references }): Descriptor[] => {
    const descriptor: Descriptor = {
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      digest: image.manifest,
      size: blobs.get(image.manifest)!,
    };
    if (references.length === 0) return [descriptor];
    return references.map((reference) => ({
      ...descriptor,
      annotations: {
        'io.containerd.image.name': formatReference(reference),
        'org.opencontainers.image.ref.name': reference.tag ?? 'latest',
      },
    }));
  });
  return { schemaVersion: 2, mediaType: 'application/vnd.oci.image.index.v1+json', manifests };
}

function dockerManifest({ image, references }: Saved): object {
  const sources = image.layers.map((layer, index) => [image.config.rootfs.diff_ids[index], layer]);
  return {
    Config: blobPath(image.id),
    RepoTags: references.length === 0 ? null : references.map(familiarReference),
    Layers: image.layers.map((layer) => blobPath(layer.digest)),
    LayerSources: Object.fromEntries(sources) as object,
  };
}

function legacyRepositories(saved: readonly Saved[]): Record<string, Record<string, string>> {
  const repositories: Record<string, Record<string, string>> = {};
  for (const { image, references } of saved) {
    const top = digestHex(image.layers.at(-1)?.digest ?? image.id);
    for (const reference of references) (repositories[familiarName(reference)] ??= {})[reference.tag ?? 'latest'] = top;
  }
  return repositories;
}
