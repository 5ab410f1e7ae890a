/** `docker pull`: resolve, choose the platform, fetch in parallel, unpack in order, record; all under one hold. */
import type { ProgressMessage } from '../api/index.ts';
import {
  chainIds,
  choosePlatform,
  type Descriptor,
  type Digest,
  digestHex,
  familiarName,
  familiarReference,
  formatPlatform,
  hostPlatform,
  type ImageConfig,
  isDigest,
  isImageConfigType,
  type Manifest,
  parseImageConfig,
  parseManifest,
  parsePlatform,
  parseReference,
  type Platform,
  platformDistance,
  type Reference,
  referenceName,
  withDigest,
  withTag,
} from '../oci/index.ts';
import type { Credentials, Registry, Resolved } from '../registry/index.ts';
import { Channel, Fault, faultKind, gather } from '../std/index.ts';
import type { ImageStore } from './door.ts';
import type { DownloadListener, Downloads } from './downloads.ts';
import { Meter, ProgressGate, progressMessage, type ProgressSink, progressStream } from './progress.ts';
import { pullFault } from './pull-errors.ts';
import type { ImageHold, Shelf } from './shelf.ts';

const configLimit = 8 << 20;

export interface Puller {
  shelf: Shelf;
  registry: Registry;
  downloads: Downloads;
  /** Layers of one pull that are fetched at once. */
  parallelDownloads: number;
}

/** Rejects when nothing was found; what fails later is thrown by the iterator. */
export async function pullImage(
  puller: Puller,
  options: Parameters<ImageStore['pull']>[0],
  signal: AbortSignal,
): Promise<AsyncIterable<ProgressMessage>> {
  const platform =
    options.platform === undefined || options.platform === '' ? undefined : parsePlatform(options.platform);
  const reference = pullTarget(options.image, options.tag);
  const { registry } = puller;
  const credentials = options.auth;
  try {
    const all = reference.tag === undefined && reference.digest === undefined;
    const targets = all
      ? (await registry.tags(reference, credentials, signal)).map((tag) => withTag(reference, tag))
      : [reference];
    const first = targets[0];
    const resolved = first === undefined ? undefined : await registry.resolve(first, credentials, signal);
    const output = new Channel<ProgressMessage>();
    const work = async (inner: AbortSignal): Promise<void> => {
      for (const target of targets) {
        try {
          const found = target === first ? resolved! : await registry.resolve(target, credentials, inner);
          await pullOne(puller, { reference: target, resolved: found, platform, credentials, output }, inner);
        } catch (error) {
          // What came beside wrong bytes is of no use; what came before a cut is, to the next try.
          if (faultKind(error) === 'invalid') await puller.shelf.content.collect();
          throw pullFault(error, target);
        }
      }
    };
    return progressStream(output, work, signal);
  } catch (error) {
    throw pullFault(error, reference);
  }
}

/** `tag` may be a digest; without it and without one in `image`, every tag is meant. */
function pullTarget(image: string, tag: string | undefined): Reference {
  const reference = parseReference(image);
  if (tag === undefined || tag === '') return reference;
  return isDigest(tag) ? withDigest(reference, tag) : withTag(reference, tag);
}

interface Pull {
  reference: Reference;
  resolved: Resolved;
  platform: Platform | undefined;
  credentials: Credentials | undefined;
  output: Channel<ProgressMessage>;
}

async function pullOne(puller: Puller, pull: Pull, signal: AbortSignal): Promise<void> {
  const { shelf } = puller;
  const { reference, resolved, output } = pull;
  const id =
    reference.digest === undefined ? (reference.tag ?? 'latest') : `${referenceName(reference)}@${reference.digest}`;
  output.push({ status: `Pulling from ${reference.path}`, id });
  using hold = shelf.hold();
  hold.blobs.add(resolved.descriptor.digest);
  const { bytes, descriptor, manifest } = await imageManifest(puller, pull, signal);
  const known = shelf.records.get(manifest.config.digest);
  if (known === undefined || !known.chain.every((chainId) => shelf.snapshots.has(chainId))) {
    await fetchImage(puller, pull, hold, { bytes, descriptor, manifest }, signal);
  } else {
    for (const layer of known.layers) hold.blobs.add(layer.digest);
    requirePlatform(pull, known.config);
  }
  await storeManifest(shelf, resolved, hold);
  const changed = await shelf.exclusive(() => recordReferences(shelf, pull, manifest));
  output.push({ status: `Digest: ${resolved.descriptor.digest}` });
  const name = familiarReference(reference);
  output.push({
    status: changed ? `Status: Downloaded newer image for ${name}` : `Status: Image is up to date for ${name}`,
  });
  shelf.event('pull', name, familiarName(reference), shelf.records.get(manifest.config.digest)?.config);
}

/** The name and the digest now mean this image. Returns whether the name meant another, or nothing, before. */
async function recordReferences(shelf: Shelf, pull: Pull, manifest: Manifest): Promise<boolean> {
  const { reference, resolved } = pull;
  const id = manifest.config.digest;
  const image = shelf.records.get(id);
  if (image === undefined)
    throw new Fault('conflict', `Cannot pull ${familiarReference(reference)}: the image was removed meanwhile`);
  const canonical = withDigest(reference, resolved.descriptor.digest);
  // With a digest given, a tag beside it says nothing about what the registry means by that tag.
  const named = reference.tag !== undefined && reference.digest === undefined;
  const before = await shelf.records.pointAll([canonical, ...(named ? [withTag(reference, reference.tag)] : [])], id);
  return before.at(-1) !== id;
}

interface FoundManifest {
  bytes: Buffer;
  descriptor: Descriptor;
  manifest: Manifest;
}

/** The manifest of the one image wanted, out of an index where there is one. */
async function imageManifest(puller: Puller, pull: Pull, signal: AbortSignal): Promise<FoundManifest> {
  let { bytes, descriptor } = pull.resolved;
  let parsed = parseManifest(bytes, descriptor.mediaType);
  for (let depth = 0; parsed.kind === 'index'; depth++) {
    const wanted = pull.platform ?? hostPlatform();
    const offers = parsed.index.manifests.filter((each) => each.platform !== undefined);
    const chosen = choosePlatform(wanted, offers, (each) => each.platform!);
    if (chosen === undefined || depth > 3) {
      throw new Fault('not-found', `no matching manifest for ${formatPlatform(wanted)} in the manifest list entries`);
    }
    const target = withDigest(pull.reference, chosen.digest);
    ({ bytes, descriptor } = await puller.registry.resolve(target, pull.credentials, signal));
    parsed = parseManifest(bytes, descriptor.mediaType === '' ? chosen.mediaType : descriptor.mediaType);
  }
  const { manifest } = parsed;
  if (!isImageConfigType(manifest.config.mediaType)) {
    throw new Fault(
      'invalid',
      `Cannot pull ${familiarReference(pull.reference)}: it is not an image but ${JSON.stringify(manifest.config.mediaType)}`,
    );
  }
  return { bytes, descriptor, manifest };
}

/** Under the digest it is known by, whatever its algorithm. */
async function storeManifest(
  shelf: Shelf,
  { bytes, descriptor }: { bytes: Buffer; descriptor: Descriptor },
  hold: ImageHold,
): Promise<Digest> {
  hold.blobs.add(descriptor.digest);
  if (shelf.content.has(descriptor.digest)) return descriptor.digest;
  async function* once(): AsyncGenerator<Uint8Array> {
    yield bytes;
  }
  return (await shelf.content.ingest(once(), { digest: descriptor.digest, hold: hold.blobs })).digest;
}

function requirePlatform(pull: Pull, config: ImageConfig): void {
  const { os, architecture, variant } = config;
  const offered = { os, architecture, ...(variant === undefined ? {} : { variant }) };
  if (pull.platform === undefined || architecture === '' || platformDistance(pull.platform, offered) !== undefined)
    return;
  throw new Fault(
    'not-found',
    `image with reference ${familiarReference(pull.reference)} was found but its platform (${formatPlatform(offered)}) does not match the specified platform (${formatPlatform(pull.platform)})`,
  );
}

async function fetchImage(
  puller: Puller,
  pull: Pull,
  hold: ImageHold,
  found: FoundManifest,
  signal: AbortSignal,
): Promise<void> {
  const { shelf, downloads, parallelDownloads } = puller;
  const { reference, credentials, output } = pull;
  const { config: configBlob, layers } = found.manifest;
  const ids = layers.map((layer) => digestHex(layer.digest).slice(0, 12));
  const gate = new ProgressGate(output);
  const ahead = new AbortController();
  const fetchLayer = (index: number, inner: AbortSignal): Promise<void> => {
    const listener = layerListener(gate, ids[index]!);
    return downloads.fetch(reference, layers[index]!, { credentials, hold, listener }, inner);
  };
  // Layers that are not here set out beside the config.
  const started = layers.map(({ digest }, index) => {
    if (shelf.content.has(digest) || shelf.freed.has(digest)) return undefined;
    const fetch = fetchLayer(index, AbortSignal.any([signal, ahead.signal]));
    fetch.catch(() => {});
    return fetch;
  });
  const stop = async (cause: unknown): Promise<void> => {
    ahead.abort(cause);
    for (const fetch of started) await fetch?.catch(() => {});
  };
  let config: ImageConfig;
  try {
    await downloads.fetch(reference, configBlob, { credentials, hold }, signal);
    config = parseImageConfig(await shelf.content.read(configBlob.digest, configLimit));
    requirePlatform(pull, config);
  } catch (error) {
    await stop(error);
    throw error;
  }
  const chain = chainIds(config.rootfs.diff_ids);
  for (const chainId of chain) hold.addChain(chainId);
  // An archive that was freed to make room is not needed while its layer is unpacked.
  const freed = (layer: Descriptor): boolean => !shelf.content.has(layer.digest) && shelf.freed.has(layer.digest);
  const missing = layers.map(
    (layer, index) => !((shelf.content.has(layer.digest) || freed(layer)) && shelf.snapshots.has(chain[index] ?? '')),
  );
  for (const [index, id] of ids.entries())
    output.push(progressMessage(id, missing[index]! ? 'Pulling fs layer' : 'Already exists'));
  const waiting = ids.filter((_, index) => missing[index]!).slice(parallelDownloads);
  for (const id of waiting) output.push(progressMessage(id, 'Waiting'));
  gate.open();

  const controller = new AbortController();
  const both = AbortSignal.any([signal, controller.signal]);
  const ready = layers.map(() => Promise.withResolvers<void>());
  const here = new Set<number>();
  const meters = ids.map((id) => new Meter(output, id, 'Extracting'));
  for (const each of ready) each.promise.catch(() => {});
  const fetching = gather(
    layers.map((layer, index) => async (inner: AbortSignal) => {
      if (missing[index]! || !freed(layer)) await (started[index] ?? fetchLayer(index, inner));
      if (missing[index]!) output.push(progressMessage(ids[index]!, 'Download complete'));
      // Only its blob was missing; there is nothing to unpack.
      if (missing[index]! && shelf.snapshots.has(chain[index] ?? ''))
        output.push(progressMessage(ids[index]!, 'Pull complete'));
      here.add(index);
      ready[index]!.resolve();
    }),
    { limit: parallelDownloads, signal: both },
  );
  const fetched = fetching.catch((error: unknown) => {
    for (const each of ready) each.reject(error);
    throw error;
  });
  fetched.catch(() => {});
  try {
    await shelf.unpack(
      { chain, config, layers },
      {
        coming: (index) => downloads.follow(layers[index]!.digest, both),
        ready: (index) => ready[index]!.promise,
        watch: (index, bytes) => extracting(meters[index]!, layers[index]!.size, bytes, () => here.has(index)),
        done: (index) => {
          meters[index]!.report(layers[index]!.size, layers[index]!.size);
          output.push(progressMessage(ids[index]!, 'Pull complete'));
        },
      },
      both,
    );
  } catch (error) {
    controller.abort(error);
    await stop(error);
    await fetched.catch(() => {});
    throw error;
  }
  await fetched;
  await shelf.freed.forgetAll(layers, (digest) => shelf.content.has(digest));
  const manifest = await storeManifest(shelf, found, hold);
  await shelf.exclusive(() =>
    shelf.records.put({ id: configBlob.digest, manifest, layers, parent: undefined }, config),
  );
}

function layerListener(output: ProgressSink, id: string): DownloadListener {
  const meter = new Meter(output, id, 'Downloading');
  return {
    progress: (current, total) => meter.report(current, total),
    waiting: (seconds) => output.push(progressMessage(id, `Retrying in ${seconds} second${seconds === 1 ? '' : 's'}`)),
    verifying: () => output.push(progressMessage(id, 'Verifying Checksum')),
  };
}

/** Reports what has been unpacked, once the download is over: until then its own bar stands on the layer's line. */
async function* extracting(
  meter: Meter,
  total: number,
  bytes: AsyncIterable<Uint8Array>,
  isHere: () => boolean,
): AsyncGenerator<Uint8Array> {
  let current = 0;
  for await (const chunk of bytes) {
    current += chunk.length;
    if (isHere()) meter.report(current, total);
    yield chunk;
  }
}
