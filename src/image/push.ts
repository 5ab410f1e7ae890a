/** `docker push`: blobs the repository lacks, then the manifest, for one tag or all. */
import type { ProgressMessage } from '../api/index.ts';
import {
  type Descriptor,
  digestHex,
  familiarName,
  familiarReference,
  isDigest,
  parseManifest,
  parseReference,
  type Reference,
  referenceName,
  withDigest,
  withTag,
} from '../oci/index.ts';
import { Channel, Fault, gather } from '../std/index.ts';
import { compressLayers, isPlainLayer } from './compress-layers.ts';
import type { ImageStore } from './door.ts';
import { Meter, progressMessage, progressStream } from './progress.ts';
import type { Puller } from './pull.ts';
import type { StoredImage } from './records.ts';
import { ensureLayer } from './restore-blob.ts';
import type { ImageHold, Shelf } from './shelf.ts';

export interface Pusher extends Puller {
  /** Layers of one push that are sent at once. */
  parallelUploads: number;
}

export function pushImage(
  pusher: Pusher,
  options: Parameters<ImageStore['push']>[0],
  signal: AbortSignal,
): AsyncIterable<ProgressMessage> {
  const parsed = parseReference(options.image);
  const { tag } = options;
  if (parsed.digest !== undefined || (tag !== undefined && isDigest(tag)))
    throw new Fault('invalid', 'cannot push a digest reference');
  const target = tag === undefined || tag === '' ? parsed : withTag(parsed, tag);
  const { shelf } = pusher;
  const output = new Channel<ProgressMessage>();
  const work = async (inner: AbortSignal): Promise<void> => {
    output.push({ status: `The push refers to repository [${referenceName(target)}]` });
    const references = pushed(shelf, target);
    if (references.length === 0) {
      throw new Fault('not-found', `An image does not exist locally with the tag: ${familiarName(target)}`);
    }
    for (const reference of references) await pushOne(pusher, reference, options, output, inner);
    shelf.event('push', familiarReference(target), familiarName(target));
  };
  return progressStream(output, work, signal);
}

function pushed(shelf: Shelf, target: Reference): Reference[] {
  if (target.tag !== undefined) return shelf.records.lookup(target) === undefined ? [] : [target];
  return shelf.records
    .allReferences()
    .filter((reference) => reference.digest === undefined && referenceName(reference) === referenceName(target))
    .sort((a, b) => (a.tag! < b.tag! ? -1 : 1));
}

async function pushOne(
  pusher: Pusher,
  reference: Reference,
  options: Parameters<ImageStore['push']>[0],
  output: Channel<ProgressMessage>,
  signal: AbortSignal,
): Promise<void> {
  const { shelf, registry, parallelUploads } = pusher;
  const found = shelf.records.get(shelf.records.lookup(reference)!)!;
  using hold = shelf.hold();
  const ids = found.config.rootfs.diff_ids.map((diffId) => digestHex(diffId).slice(0, 12));
  for (const id of ids) output.push(progressMessage(id, 'Preparing'));
  const meters = ids.map((id) => new Meter(output, id, 'Preparing'));
  const onRead = (index: number, current: number, total: number): void => meters[index]!.report(current, total);
  // Where layers were freed to make room, those that must be compressed are needed now, others when the registry lacks them.
  const credentials = (domain: string): typeof options.auth => (domain === reference.domain ? options.auth : undefined);
  const restore = (layer: Descriptor): Promise<void> =>
    ensureLayer(pusher, found, layer, { hold, credentials }, signal);
  for (const layer of found.layers) if (isPlainLayer(layer)) await restore(layer);
  shelf.records.usage.markUsed(found.id);
  const image = await compressLayers(shelf, hold, found, onRead, signal);
  const bytes = await shelf.content.read(image.manifest);
  const parsed = parseManifest(bytes, '');
  if (parsed.kind !== 'manifest')
    throw new Fault('internal', `Cannot push ${familiarReference(reference)}: its manifest is an index`);
  holdImage(hold, image, parsed.manifest.config);
  for (const id of ids.slice(parallelUploads)) output.push(progressMessage(id, 'Waiting'));
  await gather(
    image.layers.map(
      (layer, index) => (inner: AbortSignal) =>
        pushLayer({ ...pusher, restore }, reference, layer, ids[index]!, options, output, inner),
    ),
    { limit: parallelUploads, signal },
  );
  const config = parsed.manifest.config;
  if (!(await registry.hasBlob(reference, config.digest, options.auth, signal))) {
    const open = (start: number): AsyncIterable<Uint8Array> => shelf.content.open(config.digest, { start, signal });
    const blob = { digest: config.digest, size: config.size, open, mountFrom: [] };
    await registry.upload(reference, blob, options.auth, signal);
  }
  const digest = await registry.putManifest(reference, bytes, parsed.manifest.mediaType, options.auth, signal);
  await shelf.exclusive(async () => {
    if (shelf.records.get(image.id) !== undefined) await shelf.records.point(withDigest(reference, digest), image.id);
  });
  output.push({ status: `${reference.tag}: digest: ${digest} size: ${bytes.length}` });
  output.push({ progressDetail: {}, aux: { Tag: reference.tag, Digest: digest, Size: bytes.length } });
}

function holdImage(hold: ImageHold, image: StoredImage, config: Descriptor): void {
  for (const digest of [image.manifest, config.digest, ...image.layers.map((layer) => layer.digest)])
    hold.blobs.add(digest);
}

async function pushLayer(
  { shelf, registry, restore }: Pusher & { restore: (layer: Descriptor) => Promise<void> },
  reference: Reference,
  layer: Descriptor,
  id: string,
  options: Parameters<ImageStore['push']>[0],
  output: Channel<ProgressMessage>,
  signal: AbortSignal,
): Promise<void> {
  if (await registry.hasBlob(reference, layer.digest, options.auth, signal)) {
    output.push(progressMessage(id, 'Layer already exists'));
    return;
  }
  const meter = new Meter(output, id, 'Pushing');
  async function* open(start: number): AsyncGenerator<Uint8Array> {
    let current = start;
    await restore(layer);
    for await (const chunk of shelf.content.open(layer.digest, { start, signal })) {
      current += chunk.length;
      meter.report(current, layer.size);
      yield chunk;
    }
  }
  const mountFrom = sourceRepositories(shelf, reference, layer);
  const { digest, size } = layer;
  const outcome = await registry.upload(reference, { digest, size, open, mountFrom }, options.auth, signal);
  output.push(progressMessage(id, outcome.how === 'mounted' ? `Mounted from ${outcome.from}` : 'Pushed'));
}

/** Other repositories of the same registry that should have the layer: images with it came from there, or went there. */
function sourceRepositories(shelf: Shelf, reference: Reference, layer: Descriptor): string[] {
  const paths = shelf.records
    .all()
    .filter((image) => image.layers.some((each) => each.digest === layer.digest))
    .flatMap((image) => shelf.records.references(image.id))
    .filter((each) => each.digest !== undefined && each.domain === reference.domain && each.path !== reference.path)
    .map((each) => each.path);
  return [...new Set(paths)];
}
