/** The table of a cache, wherever it is: a manifest or an index of its own, or an image that has one inside. */
import {
  choosePlatform,
  type Descriptor,
  isImageConfigType,
  type Manifest,
  parseImageConfig,
  parseManifest,
  type Platform,
} from '../../oci/index.ts';
import { collectBytes, Fault } from '../../std/index.ts';
import {
  type CacheContent,
  cacheConfigLimit,
  cacheConfigType,
  parseCacheConfig,
  parseInlineCache,
} from './cache-config.ts';
import type { CacheOrigin } from './origin.ts';

/** `kind` as BuildKit tells it. @throws Fault; invalid also where there is no cache that this builder can use */
export async function readCache(
  origin: CacheOrigin,
  platform: Platform,
  tellKind: (kind: string) => void,
  signal: AbortSignal,
): Promise<CacheContent> {
  const { bytes, mediaType } = await origin.manifest(undefined, signal);
  const found = parseManifest(bytes, mediaType);
  tellKind(found.kind === 'index' ? found.index.mediaType : found.manifest.mediaType);
  if (found.kind === 'manifest') return ofManifest(origin, found.manifest, signal);
  const { manifests } = found.index;
  const config = manifests.find((each) => each.mediaType === cacheConfigType);
  if (config !== undefined) return ofConfig(origin, config, signal);
  const images = manifests.filter((each) => each.platform !== undefined);
  const image = choosePlatform(platform, images, (each) => each.platform!);
  if (image === undefined) throw new Fault('invalid', 'there is no build cache in it');
  const inner = await origin.manifest(image.digest, signal);
  const parsed = parseManifest(inner.bytes, inner.mediaType);
  if (parsed.kind !== 'manifest') throw new Fault('invalid', 'there is no build cache in it');
  return ofManifest(origin, parsed.manifest, signal);
}

function ofManifest(origin: CacheOrigin, manifest: Manifest, signal: AbortSignal): Promise<CacheContent> {
  const { config, layers } = manifest;
  if (config.mediaType === cacheConfigType) return ofConfig(origin, config, signal);
  return ofImage(origin, config, layers, signal);
}

async function ofConfig(origin: CacheOrigin, config: Descriptor, signal: AbortSignal): Promise<CacheContent> {
  const content = parseCacheConfig(await collectBytes(origin.blob(config, signal), cacheConfigLimit));
  if (content !== undefined) return content;
  throw new Fault('invalid', 'its build cache was made by another builder, whose steps are not known here');
}

async function ofImage(
  origin: CacheOrigin,
  config: Descriptor,
  layers: readonly Descriptor[],
  signal: AbortSignal,
): Promise<CacheContent> {
  if (!isImageConfigType(config.mediaType)) throw new Fault('invalid', 'there is no build cache in it');
  const bytes = await collectBytes(origin.blob(config, signal), cacheConfigLimit);
  const { rootfs, history = [] } = parseImageConfig(bytes);
  const times = history.filter((entry) => entry.empty_layer !== true).map(({ created }) => created);
  const content = parseInlineCache(bytes, { diffIds: rootfs.diff_ids, layers, times });
  if (content !== undefined) return content;
  throw new Fault('invalid', 'the image has no build cache inside: build it with --cache-to type=inline');
}
