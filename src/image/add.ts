/** The end of every way an image comes into being: its config and manifest stored, its layers unpacked, its record kept. */
import type { ContainerConfig } from '../api/index.ts';
import {
  chainIds,
  type Descriptor,
  type Digest,
  encodeManifest,
  hostPlatform,
  type ImageConfig,
  type ManifestDetails,
  parseImageConfig,
  type Platform,
} from '../oci/index.ts';
import { formatNanos, nowNanos } from '../std/index.ts';
import type { ImageOrigin, StoredImage } from './records.ts';
import type { ImageHold, Shelf } from './shelf.ts';

/** Stores config and, where `manifest` is absent, one of our making; unpacks; records. The layers' blobs must be there and held. */
export async function addImage(
  shelf: Shelf,
  hold: ImageHold,
  options: {
    config: Uint8Array;
    layers: Descriptor[];
    manifest?: Digest | undefined;
    parent?: Digest | undefined;
    origin: ImageOrigin;
    watch?: (index: number, bytes: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array>;
  },
  signal?: AbortSignal,
): Promise<StoredImage> {
  const { layers, parent, origin } = options;
  const config = parseImageConfig(options.config);
  const chain = chainIds(config.rootfs.diff_ids);
  for (const chainId of chain) hold.addChain(chainId);
  const id = await shelf.content.put(options.config, hold.blobs);
  const manifest = options.manifest ?? (await putManifest(shelf, hold, { id, size: options.config.length }, layers));
  await shelf.unpack({ chain, config, layers }, { watch: options.watch }, signal);
  await shelf.freed.forgetAll(layers, (digest) => shelf.content.has(digest));
  const { stored, before } = await shelf.exclusive(async () => {
    const before = shelf.records.get(id);
    return { before, stored: await shelf.records.put({ id, manifest, layers, parent, origin }, config) };
  });
  // The same image in another form: what only the form before needed goes.
  if (before !== undefined && before.manifest !== manifest)
    await shelf.content.collect([before.manifest, ...before.layers.map(({ digest }) => digest)]);
  return stored;
}

/** Stores a manifest of our making. */
export function putManifest(
  shelf: Shelf,
  hold: ImageHold,
  config: { id: Digest; size: number },
  layers: readonly Descriptor[],
  details: ManifestDetails = {},
): Promise<Digest> {
  return shelf.content.put(encodeManifest({ digest: config.id, size: config.size }, layers, details), hold.blobs);
}

/** A config file for an image made here. `platform` undefined is this machine's. */
export function newConfig(
  shelf: Shelf,
  options: {
    config: ContainerConfig;
    diffIds: Digest[];
    history: NonNullable<ImageConfig['history']>;
    platform?: Platform | undefined;
    author?: string;
    comment?: string;
    container?: string;
    created: string;
  },
): Buffer {
  const platform = options.platform ?? hostPlatform();
  const value: ImageConfig = {
    architecture: platform.architecture,
    ...(platform.variant === undefined ? {} : { variant: platform.variant }),
    os: platform.os,
    created: options.created,
    ...(options.author === undefined || options.author === '' ? {} : { author: options.author }),
    ...(options.comment === undefined || options.comment === '' ? {} : { comment: options.comment }),
    ...(options.container === undefined ? {} : { container: options.container }),
    docker_version: shelf.version,
    config: options.config as Record<string, unknown>,
    rootfs: { type: 'layers', diff_ids: options.diffIds },
    history: options.history,
  };
  return Buffer.from(JSON.stringify(value));
}

export function timestamp(): string {
  return formatNanos(nowNanos());
}
