/** A build's layers as blobs in the form that an output wants: compressed, with their times rewritten, or as they came. */
import type { Content } from '../../content/index.ts';
import { decompress, type ImageStore } from '../../image/index.ts';
import { chainIds, type Descriptor, type Digest, Digester } from '../../oci/index.ts';
import type { Snapshots } from '../../snapshot/index.ts';
import { gather, tapBytes } from '../../std/index.ts';
import type { FinishedBuild } from './door.ts';
import { clampTimes } from './clamp-times.ts';
import { type Compression, compressed, type CompressionOptions, kindOfLayer, layerTypeOf } from './compression.ts';
import type { LayerForms } from './layer-forms.ts';

export interface PackContext {
  content: Content;
  snapshots: Snapshots;
  images: ImageStore;
  forms: LayerForms;
}

export interface PackedLayer {
  readonly diffId: Digest;
  readonly descriptor: Descriptor;
  /** Its bytes: of a blob that the build holds, or archived from its files as they are read. */
  readonly open: (signal: AbortSignal) => AsyncIterable<Uint8Array>;
}

export interface PackOptions {
  compression: CompressionOptions;
  /** Seconds since 1970 that nothing of the build's own layers is younger than. */
  latest: number | undefined;
  /** Each is a blob, held by the build; else those that need not be are archived when they are read. */
  asBlobs: boolean;
}

/** Each already uses several cores; two of them fill the gaps between small ones. */
const atOnce = 2;

/** @throws Fault not-found for a layer of the base that was deleted to make room, and cannot be had again */
export async function packLayers(
  context: PackContext,
  build: Pick<FinishedBuild, 'config' | 'layers' | 'hold' | 'baseLayers'>,
  options: PackOptions,
  report: (current: number, total: number) => void,
  signal: AbortSignal,
): Promise<PackedLayer[]> {
  const diffIds = build.config.rootfs.diff_ids;
  const chains = chainIds(diffIds);
  const total = build.layers.reduce((sum, { size }) => sum + size, 0);
  let current = 0;
  const read = (bytes: number): void => report((current += bytes), total);
  const tasks = build.layers.map((layer, index) => (inner: AbortSignal) => {
    const one: OneLayer = { layer, diffId: diffIds[index]!, chain: chains[index]!, build, read, signal: inner };
    const isOwn = index >= build.baseLayers;
    if (isOwn && options.latest !== undefined) return rewrite(context, one, options.compression, options.latest);
    const isKept = !isOwn && !options.compression.force;
    return isKept || hasKind(layer, options.compression)
      ? keep(context, one, options.asBlobs)
      : repack(context, one, options.compression);
  });
  return gather(tasks, { limit: atOnce, signal });
}

/** One layer as a blob of that kind, held. */
export async function packLayer(
  context: PackContext,
  { layer, diffId, chain }: Pick<OneLayer, 'layer' | 'diffId' | 'chain'>,
  { compression, hold }: { compression: Compression; hold: FinishedBuild['hold'] },
  signal: AbortSignal,
): Promise<Descriptor> {
  const one: OneLayer = { layer, diffId, chain, build: { hold }, read: () => {}, signal };
  const packed = hasKind(layer, compression) ? keep(context, one, true) : repack(context, one, compression);
  return (await packed).descriptor;
}

/** Or one that nobody changes. */
function hasKind({ mediaType }: Descriptor, { kind }: Compression): boolean {
  const has = kindOfLayer(mediaType);
  return has === undefined || has === kind;
}

interface OneLayer {
  layer: Descriptor;
  diffId: Digest;
  chain: Digest;
  build: Pick<FinishedBuild, 'hold'>;
  /** Told of plain bytes as they pass. */
  read: (bytes: number) => void;
  signal: AbortSignal;
}

async function keep(context: PackContext, one: OneLayer, asBlob: boolean): Promise<PackedLayer> {
  const { layer, diffId, chain, read } = one;
  read(layer.size);
  if (!asBlob && isOnlyUnpacked(context, one))
    return { diffId, descriptor: layer, open: (signal) => context.snapshots.archive(chain, signal) };
  await ensureBlob(context, one);
  return packed(context, diffId, layer);
}

function packed({ content }: PackContext, diffId: Digest, descriptor: Descriptor): PackedLayer {
  return { diffId, descriptor, open: (signal) => content.open(descriptor.digest, { signal }) };
}

/** Made here, and no blob. */
function isOnlyUnpacked({ content, snapshots }: PackContext, { layer, diffId, chain }: OneLayer): boolean {
  return layer.digest === diffId && !content.has(layer.digest) && snapshots.has(chain);
}

/** The layer's own blob, in the store and held. One that was made here is archived from its files. */
async function ensureBlob(context: PackContext, one: OneLayer): Promise<void> {
  const { content, snapshots, images } = context;
  const { layer, chain, signal } = one;
  const hold = one.build.hold.blobs;
  hold.add(layer.digest);
  if (content.has(layer.digest)) return;
  if (isOnlyUnpacked(context, one)) {
    const { digest, size } = layer;
    await content.ingest(snapshots.archive(chain, signal), { digest, size, hold }, signal);
  } else await images.ensureLayer(layer, { hold }, signal);
}

async function repack(context: PackContext, one: OneLayer, compression: Compression): Promise<PackedLayer> {
  const { content, forms } = context;
  const { diffId, layer, build, read } = one;
  const known = forms.find(diffId, compression);
  if (known !== undefined) {
    build.hold.blobs.add(known.digest);
    if (content.has(known.digest)) {
      read(layer.size);
      return packed(context, diffId, known);
    }
  }
  const descriptor = await pack(context, one, await plainTar(context, one), compression);
  forms.note(diffId, compression, descriptor);
  return packed(context, diffId, descriptor);
}

async function rewrite(
  context: PackContext,
  one: OneLayer,
  compression: Compression,
  latest: number,
): Promise<PackedLayer> {
  const digester = new Digester();
  const clamped = clampTimes(await plainTar(context, one), latest);
  const descriptor = await pack(
    context,
    one,
    tapBytes(clamped, (chunk) => digester.update(chunk)),
    compression,
  );
  return packed(context, digester.digest(), descriptor);
}

async function pack(
  { content }: PackContext,
  { build, read, signal }: OneLayer,
  tar: AsyncIterable<Uint8Array>,
  compression: Compression,
): Promise<Descriptor> {
  const counted = tapBytes(tar, (chunk) => read(chunk.length));
  const blob = await content.ingest(compressed(counted, compression), { hold: build.hold.blobs }, signal);
  return { mediaType: layerTypeOf[compression.kind], ...blob };
}

/** The layer's archive: from its files where it was made here, else from its blob. */
async function plainTar(context: PackContext, one: OneLayer): Promise<AsyncIterable<Uint8Array>> {
  const { content, snapshots } = context;
  const { layer, chain, signal } = one;
  if (isOnlyUnpacked(context, one)) return snapshots.archive(chain, signal);
  await ensureBlob(context, one);
  return decompress(content.open(layer.digest, { signal }));
}
