/** Manifests and indexes, OCI and Docker schema 2, checked at the border: after parsing every digest is a Digest. */
import { Fault } from '../std/index.ts';
import { type Digest, isDigest } from './digest.ts';
import { isIndexType, isManifestType, mediaTypes } from './media-type.ts';
import type { Platform } from './platform.ts';

export interface Descriptor {
  mediaType: string;
  digest: Digest;
  size: number;
  urls?: string[];
  annotations?: Record<string, string>;
  platform?: Platform;
  artifactType?: string;
}

export interface Manifest {
  schemaVersion: 2;
  mediaType: string;
  config: Descriptor;
  layers: Descriptor[];
  annotations?: Record<string, string>;
}

export interface Index {
  schemaVersion: 2;
  mediaType: string;
  manifests: Descriptor[];
  annotations?: Record<string, string>;
}

export type ManifestOrIndex = { kind: 'manifest'; manifest: Manifest } | { kind: 'index'; index: Index };

/** What is said of an image beside its parts. */
export interface ManifestDetails {
  annotations?: Readonly<Record<string, string>> | undefined;
  /** Docker's media types (schema 2) and not OCI's; it knows no annotations. */
  docker?: boolean | undefined;
}

/** The manifest of an image of our making: equal parts make equal bytes. `layers` carry the media types that are asked for. */
export function encodeManifest(
  config: { digest: Digest; size: number },
  layers: readonly Descriptor[],
  { annotations = {}, docker = false }: ManifestDetails = {},
): Buffer {
  const sorted = Object.entries(annotations).sort(([a], [b]) => (a < b ? -1 : 1));
  const manifest: Manifest = {
    schemaVersion: 2,
    mediaType: docker ? mediaTypes.dockerManifest : mediaTypes.ociManifest,
    config: {
      mediaType: docker ? mediaTypes.dockerConfig : mediaTypes.ociConfig,
      digest: config.digest,
      size: config.size,
    },
    layers: layers.map(({ mediaType, digest, size }) => ({ mediaType, digest, size })),
    ...(sorted.length === 0 ? {} : { annotations: Object.fromEntries(sorted) }),
  };
  return Buffer.from(JSON.stringify(manifest));
}

/** No manifest of an honest image is larger; registries refuse beyond it too. */
export const manifestLimit = 4 << 20;

/** Reads a manifest or an index; `mediaType` is what its carrier said, "" when it did not. @throws Fault invalid */
export function parseManifest(bytes: Uint8Array, mediaType: string): ManifestOrIndex {
  const value = parseObject(bytes, 'manifest');
  const said = typeof value['mediaType'] === 'string' && value['mediaType'] !== '' ? value['mediaType'] : mediaType;
  if (value['schemaVersion'] === 1) {
    throw new Fault(
      'invalid',
      `Cannot use manifest: ${mediaTypes.dockerManifest1} and other schema 1 manifests are no longer supported`,
    );
  }
  if (value['schemaVersion'] !== 2)
    throw new Fault('invalid', `Cannot read manifest: unknown schemaVersion ${textOf(value['schemaVersion'])}`);
  const annotations = stringMap(value['annotations']);
  const hasManifests = Array.isArray(value['manifests']);
  if (hasManifests && 'layers' in value)
    throw new Fault('invalid', 'Cannot read manifest: it has both "manifests" and "layers"');
  if (isIndexType(said) || (hasManifests && !isManifestType(said))) {
    const manifests = parseDescriptors(value['manifests'], 'manifests');
    const index: Index = { schemaVersion: 2, mediaType: isIndexType(said) ? said : mediaTypes.ociIndex, manifests };
    return { kind: 'index', index: annotations === undefined ? index : { ...index, annotations } };
  }
  const manifest: Manifest = {
    schemaVersion: 2,
    mediaType: isManifestType(said) ? said : mediaTypes.ociManifest,
    config: parseDescriptor(value['config'], 'config'),
    layers: parseDescriptors(value['layers'], 'layers'),
  };
  return { kind: 'manifest', manifest: annotations === undefined ? manifest : { ...manifest, annotations } };
}

/** The JSON object in `bytes`. @throws Fault invalid */
export function parseObject(bytes: Uint8Array, what: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8'));
  } catch (error) {
    throw new Fault('invalid', `Cannot read ${what}: it is not JSON`, { cause: error });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new Fault('invalid', `Cannot read ${what}: it is not a JSON object`);
  }
  return value as Record<string, unknown>;
}

function parseDescriptors(value: unknown, where: string): Descriptor[] {
  if (value === null || value === undefined) return [];
  if (!Array.isArray(value)) throw new Fault('invalid', `Cannot read manifest: "${where}" is not a list`);
  return value.map((item, index) => parseDescriptor(item, `${where}[${index}]`));
}

export function parseDescriptor(value: unknown, where: string): Descriptor {
  const item = (typeof value === 'object' && value !== null ? value : {}) as Record<string, unknown>;
  const { mediaType, digest, size } = item;
  if (typeof mediaType !== 'string' || typeof digest !== 'string' || !isDigest(digest)) {
    throw new Fault('invalid', `Cannot read manifest: "${where}" has no media type or no valid digest`);
  }
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) {
    throw new Fault('invalid', `Cannot read manifest: "${where}" has no valid size`);
  }
  const descriptor: Descriptor = { mediaType, digest, size };
  const annotations = stringMap(item['annotations']);
  if (annotations !== undefined) descriptor.annotations = annotations;
  if (Array.isArray(item['urls'])) descriptor.urls = item['urls'].map(textOf);
  if (typeof item['artifactType'] === 'string') descriptor.artifactType = item['artifactType'];
  const platform = item['platform'];
  if (typeof platform === 'object' && platform !== null) descriptor.platform = platform as Platform;
  return descriptor;
}

function stringMap(value: unknown): Record<string, string> | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  return Object.fromEntries(Object.entries(value).map(([key, text]) => [key, textOf(text)]));
}

/** What has parts is not printed: it could be deeper than the stack, or bring a `toString` that is none. */
function textOf(value: unknown): string {
  return typeof value === 'object' && value !== null ? '' : String(value);
}
