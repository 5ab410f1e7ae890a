/** `docker save` as Docker 25 and later write it: an OCI layout that is a docker-archive, too. Equal images make equal bytes. */
import type { SavedArchive } from '../api/index.ts';
import {
  type Digest,
  digestAlgorithm,
  encodeTarHeader,
  parseManifest,
  tarHeader,
  type TarSource,
  writeTar,
} from '../oci/index.ts';
import { Fault, parseRfc3339 } from '../std/index.ts';
import { blobPath, indexFiles } from './archive-index.ts';
import { leaveOut } from './archive-since.ts';
import { imageDigests, imageTags } from './describe.ts';
import { findImage } from './find.ts';
import type { Puller } from './pull.ts';
import { ensureLayer } from './restore-blob.ts';
import { type Selected, selectImages } from './save-selection.ts';
import type { Shelf } from './shelf.ts';

const blockSize = 512;

/** Finds every image, and that no blob is missing, before the first byte. @throws Fault not-found */
export async function saveImages(
  puller: Puller,
  refs: readonly string[],
  options: { platform: string | undefined; since: readonly string[] },
  signal: AbortSignal,
): Promise<SavedArchive> {
  const { shelf } = puller;
  const selected = selectImages(shelf, refs, options.platform);
  const bases = leaveOut(
    selected.map(({ image }) => ({ layers: image.layers, diffIds: image.config.rootfs.diff_ids })),
    options.since.map((ref) => {
      const image = findImage(shelf.records, ref);
      const names = [...imageTags(shelf, image), ...imageDigests(shelf, image)];
      return { id: image.id, names, diffIds: image.config.rootfs.diff_ids };
    }),
  );
  const omitted = new Set(bases.flatMap((base) => base.layers));
  const blobs = new Map<Digest, number>();
  const manifests = new Map<Digest, { mediaType: string; size: number }>();
  using hold = shelf.hold();
  for (const { image } of selected) {
    shelf.records.usage.markUsed(image.id);
    for (const layer of image.layers)
      if (!omitted.has(layer.digest)) await ensureLayer(puller, image, layer, { hold }, signal);
    for (const digest of [image.id, image.manifest, ...image.layers.map((layer) => layer.digest)]) {
      if (omitted.has(digest)) continue;
      const size = shelf.content.size(digest);
      if (size === undefined) throw new Fault('internal', `Cannot save ${image.id}: its blob ${digest} is missing`);
      blobs.set(digest, size);
    }
    const parsed = parseManifest(await shelf.content.read(image.manifest), '');
    if (parsed.kind !== 'manifest') throw new Fault('internal', `Cannot save ${image.id}: its manifest is an index`);
    manifests.set(image.manifest, { mediaType: parsed.manifest.mediaType, size: blobs.get(image.manifest)! });
  }
  const entries = archiveEntries(shelf, selected, blobs, indexFiles(selected, manifests, bases), signal);
  return { size: sizeOf(entries), tar: written(shelf, selected, blobs, entries) };
}

async function* written(
  shelf: Shelf,
  selected: readonly Selected[],
  blobs: ReadonlyMap<Digest, number>,
  entries: readonly TarSource[],
): AsyncGenerator<Uint8Array, void, void> {
  // Held from the first read on: an archive that nobody reads must hold nothing.
  using hold = shelf.hold();
  for (const digest of blobs.keys()) hold.blobs.add(digest);
  yield* writeTar(entries);
  for (const { image } of selected) shelf.event('save', image.id, image.id, image.config);
}

function archiveEntries(
  shelf: Shelf,
  selected: readonly Selected[],
  blobs: ReadonlyMap<Digest, number>,
  files: readonly (readonly [name: string, body: Buffer])[],
  signal: AbortSignal,
): TarSource[] {
  const newest = selected
    .map(({ image }) => parseRfc3339(image.config.created ?? '') ?? 0n)
    .reduce((a, b) => (a > b ? a : b), 0n);
  const mtime = newest - (newest % 1_000_000_000n);
  const folder = (name: string): TarSource => ({ header: tarHeader(name, 'directory', { mtime }) });
  const algorithms = [...new Set([...blobs.keys()].map(digestAlgorithm))].sort();
  return [
    folder('blobs'),
    ...algorithms.map((algorithm) => folder(`blobs/${algorithm}`)),
    ...[...blobs.keys()].sort().map((digest) => ({
      header: tarHeader(blobPath(digest), 'file', { size: blobs.get(digest)!, mtime }),
      body: shelf.content.open(digest, { signal }),
    })),
    ...files.map(([name, body]) => ({ header: tarHeader(name, 'file', { size: body.length, mtime }), body })),
  ];
}

/** Bytes that `writeTar` will make of the entries. */
function sizeOf(entries: readonly TarSource[]): number {
  const padded = (size: number): number => Math.ceil(size / blockSize) * blockSize;
  const sizes = entries.map(({ header }) => encodeTarHeader(header).length + padded(header.size));
  return sizes.reduce((sum, size) => sum + size, 2 * blockSize);
}
