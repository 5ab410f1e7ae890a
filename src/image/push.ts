/** `docker push`: blobs the repository lacks, then the manifest, for one tag or all. */
import type { ProgressMessage, RegistryAuth } from '../api/index.ts';
import {
  type Descriptor,
  type Digest,
  digestHex,
  familiarName,
  familiarReference,
  isDigest,
  isImageConfigType,
  parseImageConfig,
  parseManifest,
  parseReference,
  type Reference,
  referenceName,
  withDigest,
  withTag,
} from '../oci/index.ts';
import { Channel, Fault, gather } from '../std/index.ts';
import { compressLayers, isPlainLayer, type LayerTarget } from './compress-layers.ts';
import type { ImageStore } from './door.ts';
import { HeadStarts } from './head-starts.ts';
import { Meter, progressMessage, progressStream } from './progress.ts';
import type { Puller } from './pull.ts';
import { ensureLayer, type RestoreOptions } from './restore-blob.ts';
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
  const { shelf } = pusher;
  const found = shelf.records.get(shelf.records.lookup(reference)!)!;
  using hold = shelf.hold();
  const ids = found.config.rootfs.diff_ids.map((diffId) => digestHex(diffId).slice(0, 12));
  for (const id of ids) output.push(progressMessage(id, 'Preparing'));
  // Where layers were freed to make room, those that must be compressed are needed now, others when the registry lacks them.
  const credentials = (domain: string): typeof options.auth => (domain === reference.domain ? options.auth : undefined);
  const restore = (layer: Descriptor): Promise<void> =>
    ensureLayer(pusher, found, layer, { hold, credentials }, signal);
  // A build's layers are archived and compressed in one go.
  for (const layer of found.layers)
    if (isPlainLayer(layer) && !shelf.freed.isMadeHere(layer.digest)) await restore(layer);
  shelf.records.usage.markUsed(found.id);
  await using aheadOf = new HeadStarts(pusher, reference, options.auth, signal);
  const targetOf = (layer: Descriptor, index: number): LayerTarget => aheadOf.target(layer, output, ids[index]!);
  const image = await compressLayers(shelf, hold, found, targetOf, signal);
  await send({ pusher, output, hold, auth: options.auth, restore, aheadOf }, image.manifest, reference, signal);
}

interface Sending {
  pusher: Pusher;
  output: Channel<ProgressMessage>;
  hold: ImageHold;
  auth: RegistryAuth | undefined;
  /** Brings back a layer that is not here. */
  restore: (layer: Descriptor) => Promise<void>;
  aheadOf?: HeadStarts;
}

/** A manifest of the store and what it names, to the reference's tag or its digest. */
async function send(sending: Sending, manifest: Digest, reference: Reference, signal: AbortSignal): Promise<void> {
  const { pusher, output, hold, auth } = sending;
  const { shelf, registry, parallelUploads } = pusher;
  const bytes = await shelf.content.read(manifest);
  const parsed = parseManifest(bytes, '');
  if (parsed.kind !== 'manifest')
    throw new Fault('internal', `Cannot push ${familiarReference(reference)}: its manifest is an index`);
  const { config, layers, mediaType } = parsed.manifest;
  for (const { digest } of [{ digest: manifest }, config, ...layers]) hold.blobs.add(digest);
  const ids = await shownIds(shelf, config, layers);
  for (const id of ids.slice(parallelUploads)) output.push(progressMessage(id, 'Waiting'));
  await gather(
    layers.map((layer, index) => (inner: AbortSignal) => pushLayer(sending, reference, layer, ids[index]!, inner)),
    { limit: parallelUploads, signal },
  );
  if (!(await registry.hasBlob(reference, config.digest, auth, signal))) {
    const open = (start: number): AsyncIterable<Uint8Array> => shelf.content.open(config.digest, { start, signal });
    const blob = { digest: config.digest, size: config.size, open, mountFrom: [] };
    await registry.upload(reference, blob, auth, signal);
  }
  const target = reference.tag === undefined ? withDigest(reference, manifest) : reference;
  const digest = await registry.putManifest(target, bytes, mediaType, auth, signal);
  const id = config.digest;
  await shelf.exclusive(async () => {
    if (shelf.records.get(id)?.manifest === manifest) await shelf.records.point(withDigest(reference, digest), id);
  });
  const shown = reference.tag ?? digest;
  output.push({ status: `${shown}: digest: ${digest} size: ${bytes.length}` });
  output.push({ progressDetail: {}, aux: { Tag: reference.tag ?? '', Digest: digest, Size: bytes.length } });
}

/** Layers are called by what they hold, where a config tells it. */
async function shownIds(shelf: Shelf, config: Descriptor, layers: readonly Descriptor[]): Promise<string[]> {
  const known = isImageConfigType(config.mediaType)
    ? parseImageConfig(await shelf.content.read(config.digest)).rootfs.diff_ids
    : [];
  return layers.map(({ digest }, index) => digestHex(known[index] ?? digest).slice(0, 12));
}

/** The end of a build that goes to a registry, whether or not an image of it is here. */
export function pushBuilt(
  pusher: Pusher,
  { manifest, reference, auth }: Parameters<ImageStore['pushBuilt']>[0],
  signal: AbortSignal,
): AsyncIterable<ProgressMessage> {
  const output = new Channel<ProgressMessage>();
  const work = async (inner: AbortSignal): Promise<void> => {
    using hold = pusher.shelf.hold();
    output.push({ status: `The push refers to repository [${referenceName(reference)}]` });
    const restore = (layer: Descriptor): Promise<void> => ensureAnyLayer(pusher, layer, { hold }, inner);
    await send({ pusher, output, hold, auth, restore }, manifest, reference, inner);
    const id = (await configOf(pusher.shelf, manifest)) ?? manifest;
    if (pusher.shelf.records.get(id) !== undefined)
      pusher.shelf.event('push', familiarReference(reference), familiarName(reference));
  };
  return progressStream(output, work, signal);
}

async function configOf(shelf: Shelf, manifest: Digest): Promise<Digest | undefined> {
  const parsed = parseManifest(await shelf.content.read(manifest), '');
  return parsed.kind === 'manifest' ? parsed.manifest.config.digest : undefined;
}

/** A layer of whichever image has it. @throws Fault not-found */
export async function ensureAnyLayer(
  puller: Puller,
  layer: Descriptor,
  options: RestoreOptions,
  signal: AbortSignal,
): Promise<void> {
  options.hold.blobs.add(layer.digest);
  if (puller.shelf.content.has(layer.digest)) return;
  const image = puller.shelf.records.all().find(({ layers }) => layers.some(({ digest }) => digest === layer.digest));
  if (image === undefined) throw new Fault('not-found', `blob ${layer.digest} is not here, and no image has it`);
  await ensureLayer(puller, image, layer, options, signal);
}

async function pushLayer(
  { pusher: { shelf, registry }, output, auth, restore, aheadOf }: Sending,
  reference: Reference,
  layer: Descriptor,
  id: string,
  signal: AbortSignal,
): Promise<void> {
  if (await aheadOf?.arrived(layer.digest)) {
    output.push(progressMessage(id, 'Pushed'));
    return;
  }
  if (await registry.hasBlob(reference, layer.digest, auth, signal)) {
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
  const outcome = await registry.upload(reference, { digest, size, open, mountFrom }, auth, signal);
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
