/** What `--cache-to` and `--cache-from` say, as BuildKit reads it (buildkit, cache/remotecache). Pure. */
import type { BuildCacheLocation, ClientBlobs } from '../../api/index.ts';
import { type Digest, isDigest, parseReference, type Reference, withDefaultTag } from '../../oci/index.ts';
import { Fault, messageOf, parseBytes } from '../../std/index.ts';
import { type Attributes, flagOf } from '../export/attributes.ts';
import { type CompressionOptions, compressionOf } from '../export/compression.ts';

/** Where a cache is. */
export type CachePlace =
  | { readonly type: 'registry'; readonly reference: Reference }
  | { readonly type: 'local'; readonly store: ClientBlobs };

export interface CacheOutput {
  /** `inline`: in the image. */
  readonly place: CachePlace | { readonly type: 'inline' };
  /** All steps, or only those whose layers the result has. */
  readonly all: boolean;
  /** What the blobs are listed in. */
  readonly form: 'manifest' | 'index' | 'docker-list';
  readonly compression: CompressionOptions;
  /** Failing to export fails the build. */
  readonly mustWork: boolean;
  /** Folders of cache mounts of at most so many bytes; undefined: none. */
  readonly mountLimit: number | undefined;
}

export interface CacheInput {
  readonly place: CachePlace;
  /** Of a local one: its manifest's. */
  readonly digest: Digest | undefined;
  readonly mountLimit: number | undefined;
}

const usualMountLimit = 2 * 1024 ** 3;
/** Others' services, which want their clients and tokens. */
const foreign: ReadonlySet<string> = new Set(['gha', 's3', 'azblob']);

/** @throws Fault invalid, not-implemented */
export function readCacheTo({ type, attributes, store }: BuildCacheLocation): CacheOutput {
  const place = outputPlace(type, attributes, store);
  const isManifest = flagOf(attributes, 'image-manifest');
  const isOci = flagOf(attributes, 'oci-mediatypes') ?? true;
  if (isManifest === true && !isOci)
    throw new Fault(
      'invalid',
      'invalid configuration for remote cache, OCI mediatypes are required for image-manifest cache format',
    );
  return {
    place,
    all: attributes['mode'] === 'max' && place.type !== 'inline',
    form: !isOci ? 'docker-list' : (isManifest ?? true) ? 'manifest' : 'index',
    compression: compressionOf(attributes),
    mustWork: !(flagOf(attributes, 'ignore-error') ?? false),
    mountLimit: (flagOf(attributes, 'cache-mounts') ?? false) ? limitOf(attributes) : undefined,
  };
}

function outputPlace(type: string, attributes: Attributes, store: ClientBlobs | undefined): CacheOutput['place'] {
  switch (type) {
    case 'inline':
      return { type: 'inline' };
    case 'registry':
      return { type: 'registry', reference: referenceOf(attributes, 'exporter') };
    case 'local':
      if (store === undefined) throw new Fault('invalid', 'local cache exporter requires dest');
      return { type: 'local', store };
    default:
      throw unknownType(type, 'exporter');
  }
}

/** @throws Fault invalid, not-implemented */
export function readCacheFrom({ type, attributes, store }: BuildCacheLocation): CacheInput {
  const mountLimit = (flagOf(attributes, 'cache-mounts') ?? true) ? limitOf(attributes) : undefined;
  switch (type) {
    case 'registry':
      return {
        place: { type: 'registry', reference: referenceOf(attributes, 'importer') },
        digest: undefined,
        mountLimit,
      };
    case 'local': {
      if (store === undefined) throw new Fault('invalid', 'local cache importer requires src');
      const digest = attributes['digest'] ?? '';
      if (!isDigest(digest)) throw new Fault('invalid', 'local cache importer requires explicit digest');
      return { place: { type: 'local', store }, digest, mountLimit };
    }
    default:
      throw unknownType(type, 'importer');
  }
}

/** @throws Fault invalid */
function referenceOf(attributes: Attributes, role: 'exporter' | 'importer'): Reference {
  const text = attributes['ref'] ?? '';
  if (text === '') throw new Fault('invalid', `registry cache ${role} requires ref`);
  if (flagOf(attributes, 'registry.insecure') === true)
    throw new Fault(
      'invalid',
      'Cannot use registry.insecure for a cache: name the registry in insecure-registries of the daemon',
    );
  try {
    return withDefaultTag(parseReference(text));
  } catch (error) {
    throw new Fault('invalid', `failed to parse ${text}: ${messageOf(error)}`, { cause: error });
  }
}

function unknownType(type: string, role: 'exporter' | 'importer'): Fault {
  if (!foreign.has(type)) return new Fault('invalid', `unknown cache ${role}: ${JSON.stringify(type)}`);
  const verb = role === 'exporter' ? 'to' : 'from';
  return new Fault(
    'not-implemented',
    `Cannot keep a build cache with ${type}: use --cache-${verb} type=registry,ref=… or type=local`,
  );
}

/** `cache-mounts-limit`, in bytes or with a unit. @throws Fault invalid */
function limitOf(attributes: Attributes): number {
  const text = attributes['cache-mounts-limit'] ?? '';
  if (text === '') return usualMountLimit;
  const bytes = parseBytes(text);
  if (bytes !== undefined && bytes > 0) return bytes;
  throw new Fault('invalid', `invalid cache-mounts-limit ${JSON.stringify(text)}: want bytes, or a size like 500m`);
}

/** How progress calls it. */
export function placeName({ type, attributes }: BuildCacheLocation): string {
  if (type === 'registry') return attributes['ref'] ?? '';
  const digest = attributes['digest'] ?? '';
  return isDigest(digest) ? `${type}:${digest.slice(digest.indexOf(':') + 1).slice(0, 12)}` : type;
}
