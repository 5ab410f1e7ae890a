/** Frees what the plan says, step by step, each of which is looked at once more: what a plan was made of may have changed. */
import {
  digestHex,
  type Digest,
  familiarReference,
  formatReference,
  initChainId,
  parseManifest,
} from '../oci/index.ts';
import { faultKind, type Logger } from '../std/index.ts';
import { type GcImage, type GcState, type GcStep, planGc } from './gc-plan.ts';
import type { StoredImage } from './records.ts';
import { removeImage } from './remove.ts';
import type { Shelf } from './shelf.ts';
import { weigh } from './weigh.ts';

/** Returns the bytes of the disk that were freed; fewer than `need` where nothing more may go. */
export async function freeSpaceOnDisk(shelf: Shelf, need: number, log: Logger): Promise<number> {
  const now = Date.now();
  let freed = 0;
  for (const step of planGc(await gcState(shelf, now), need)) {
    const bytes = await free(shelf, step, now);
    if (bytes === 0) continue;
    freed += bytes;
    log.info('freed space on disk', { what: step.kind, name: step.name, bytes, because: step.because });
  }
  if (freed > 0) shelf.pruned(freed, { reason: 'disk pressure' });
  return freed;
}

async function free(shelf: Shelf, step: GcStep, now: number): Promise<number> {
  switch (step.kind) {
    case 'download':
      return shelf.content.discardUnfinished([step.digest]);
    case 'archive': {
      const { blob, source } = step;
      if (!allUnpacked(shelf, blob.digest)) return 0;
      await shelf.freed.add(blob, source, now);
      const bytes = shelf.content.usage(blob.digest);
      if (await shelf.content.release(blob.digest)) return bytes;
      await shelf.freed.forget(blob.digest);
      return 0;
    }
    case 'image': {
      const image = shelf.records.get(step.id);
      if (image === undefined || reasonToStay(shelf, image) !== undefined) return 0;
      const weighed = await weigh(shelf, [image]);
      for (const ref of refsOf(shelf, image)) await removeQuietly(shelf, ref);
      return weighed.lost();
    }
    default:
      return 0;
  }
}

/** In use after all, or gone meanwhile: others may still go. */
async function removeQuietly(shelf: Shelf, ref: string): Promise<void> {
  try {
    await removeImage(shelf, ref, { force: false, noPrune: true });
  } catch (error) {
    if (faultKind(error) !== 'conflict' && faultKind(error) !== 'not-found') throw error;
  }
}

function refsOf(shelf: Shelf, image: StoredImage): string[] {
  const references = shelf.records.references(image.id);
  return references.length === 0 ? [digestHex(image.id)] : references.map(familiarReference);
}

async function gcState(shelf: Shelf, now: number): Promise<GcState> {
  const { content, snapshots, records } = shelf;
  const files = await content.files();
  const usage = new Map(
    files.filter(({ unfinished }) => unfinished === undefined).map((file) => [file.digest, file.usage]),
  );
  const images: GcImage[] = [];
  for (const image of records.all()) {
    const layers = new Map<string, number>();
    for (const chainId of [...image.chain, initChainId(image.chain.at(-1))])
      if (snapshots.has(chainId)) layers.set(chainId, await snapshots.layerUsage(chainId));
    images.push({
      id: image.id,
      name: refsOf(shelf, image)[0]!,
      stays: reasonToStay(shelf, image),
      usedAt: records.usage.used(image.id),
      layers,
      blobs: new Map(
        [...blobsOf(shelf, image)].flatMap((digest) => (usage.has(digest) ? [[digest, usage.get(digest)!]] : [])),
      ),
      archives: image.layers.filter((_, index) => snapshots.has(image.chain[index] ?? '')),
      source: await sourceOf(shelf, image),
    });
  }
  const downloads = files.flatMap(({ digest, usage: size, unfinished }) =>
    unfinished === undefined ? [] : [{ digest, size, at: unfinished.at }],
  );
  return { now, downloads, images };
}

function* blobsOf(shelf: Shelf, image: StoredImage): Generator<Digest> {
  yield image.id;
  yield image.manifest;
  for (const layer of image.layers) yield layer.digest;
  for (const { digest } of shelf.records.references(image.id)) if (digest !== undefined) yield digest;
}

/** The name by which its layers can be had again: of its manifest, or of an index that has its manifest. */
async function sourceOf(shelf: Shelf, image: StoredImage): Promise<string | undefined> {
  for (const reference of shelf.records.references(image.id)) {
    if (reference.digest === undefined) continue;
    if (reference.digest === image.manifest || (await hasManifest(shelf, reference.digest, image.manifest)))
      return formatReference(reference);
  }
  return undefined;
}

async function hasManifest(shelf: Shelf, index: Digest, manifest: Digest): Promise<boolean> {
  try {
    const parsed = parseManifest(await shelf.content.read(index), '');
    return parsed.kind === 'index' && parsed.index.manifests.some(({ digest }) => digest === manifest);
  } catch {
    // Missing or damaged: `system verify` tells.
    return false;
  }
}

function allUnpacked(shelf: Shelf, digest: Digest): boolean {
  return shelf.records
    .all()
    .every((image) =>
      image.layers.every((layer, index) => layer.digest !== digest || shelf.snapshots.has(image.chain[index] ?? '')),
    );
}

/** Never what a container, a tag, another image or the last good deployment needs. */
function reasonToStay(shelf: Shelf, image: StoredImage): string | undefined {
  const { records } = shelf;
  const tag = records.references(image.id).find((reference) => reference.digest === undefined);
  if (tag !== undefined) return `${familiarReference(tag)} means it`;
  if (shelf.uses(image.id).length > 0) return 'a container uses it';
  if (records.children(image.id).length > 0) return 'another image was made from it';
  const [name] = records.usage.lastGoodOf(image.id);
  return name === undefined ? undefined : `it is the last good deployment of ${name}`;
}
