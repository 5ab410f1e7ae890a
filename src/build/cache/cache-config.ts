/**
 * The table of a cache: which layers there are and what steps made them (docs/decisions, "Build caches in registries"). It lies where BuildKit
 * has its own, under its media type, so that registries and their cleaners know it; in BuildKit's words it holds nothing. Pure.
 */
import { type Descriptor, type Digest, isDigest, parseDescriptor, parseObject } from '../../oci/index.ts';
import { Fault } from '../../std/index.ts';

export const cacheConfigType = 'application/vnd.buildkit.cacheconfig.v0';

/** No honest table is larger: a step has some 200 bytes. */
export const cacheConfigLimit = 16 << 20;

const version = 1;
/** More layers than one stack may have are in no image. */
const mostLayers = 1000;

export interface CachedStep {
  /** Of what it read. */
  readonly key: Digest;
  /** Of how it is made. */
  readonly definition: Digest;
  /** As progress shows it. */
  readonly name: string;
  /** Of the whole root; the layers of its base image are not in the cache. */
  readonly diffIds: readonly Digest[];
  readonly baseLayers: number;
  /** RFC 3339. */
  readonly createdAt: string | undefined;
}

/** The folder of a cache mount. */
export interface CachedFolder {
  readonly id: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** A tar of what is in it. */
  readonly blob: Descriptor;
}

export interface CacheContent {
  /** By diff id. */
  readonly layers: ReadonlyMap<Digest, Descriptor>;
  readonly steps: readonly CachedStep[];
  readonly folders: readonly CachedFolder[];
}

/** Equal caches make equal bytes. */
export function encodeCacheConfig({ layers, steps, folders }: CacheContent): Buffer {
  const diffIds = [...new Set([...layers.keys(), ...steps.flatMap((step) => step.diffIds)])].sort();
  const places = new Map(diffIds.map((diffId, index) => [diffId, index]));
  const plain = ({ mediaType, digest, size }: Descriptor): Descriptor => ({ mediaType, digest, size });
  const wherry = {
    version,
    layers: diffIds.map((diffId) => {
      const blob = layers.get(diffId);
      return blob === undefined ? { diffId } : { diffId, blob: plain(blob) };
    }),
    steps: steps
      .map(({ key, definition, name, createdAt, baseLayers, diffIds: own }) => ({
        key,
        definition,
        name,
        ...(createdAt === undefined ? {} : { createdAt }),
        base: baseLayers,
        layers: own.map((diffId) => places.get(diffId)!),
      }))
      .sort((a, b) => compare(a.key, b.key) || compare(a.definition, b.definition)),
    folders: folders
      .map(({ id, mode, uid, gid, blob }) => ({ id, mode, uid, gid, blob: plain(blob) }))
      .sort((a, b) => compare(a.id, b.id)),
  };
  return Buffer.from(JSON.stringify({ layers: [], records: [], wherry }));
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** undefined: it is none of ours, or of a later version. @throws Fault invalid */
export function parseCacheConfig(bytes: Uint8Array): CacheContent | undefined {
  const value = parseObject(bytes, 'cache config')['wherry'];
  if (!isObject(value) || value['version'] !== version) return undefined;
  const layers = listOf(value, 'layers').map((item) => {
    const blob = item['blob'] === undefined ? undefined : parseDescriptor(item['blob'], 'blob');
    return { diffId: digestOf(item, 'diffId'), blob };
  });
  return {
    layers: new Map(layers.flatMap(({ diffId, blob }) => (blob === undefined ? [] : [[diffId, blob] as const]))),
    steps: listOf(value, 'steps').map((item) => parseStep(item, layers)),
    folders: listOf(value, 'folders').map((item) => ({
      id: textOf(item, 'id'),
      mode: numberOf(item, 'mode', 0o7777),
      uid: numberOf(item, 'uid', 0xffff_fffe),
      gid: numberOf(item, 'gid', 0xffff_fffe),
      blob: parseDescriptor(item['blob'], 'blob'),
    })),
  };
}

function parseStep(item: JsonObject, layers: readonly { diffId: Digest }[]): CachedStep {
  const places: unknown = item['layers'];
  if (!Array.isArray(places) || places.length > mostLayers) throw broken('layers');
  const diffIds = places.map((place: unknown) => {
    const layer = typeof place === 'number' ? layers[place] : undefined;
    if (layer === undefined) throw broken('layers');
    return layer.diffId;
  });
  return {
    key: digestOf(item, 'key'),
    definition: digestOf(item, 'definition'),
    name: textOf(item, 'name'),
    diffIds,
    baseLayers: numberOf(item, 'base', diffIds.length),
    createdAt: timeOf(item['createdAt']),
  };
}

/** The cache in an image: its steps by how many layers of the image they have. Times are in the image's history. */
export const inlineCacheKey = 'wherry.build.cache.v1';

export type InlineStep = Omit<CachedStep, 'diffIds' | 'createdAt'> & { readonly layers: number };

export function encodeInlineCache(steps: readonly InlineStep[]): Readonly<Record<string, unknown>> {
  const sorted = steps.toSorted((a, b) => a.layers - b.layers || compare(a.key, b.key));
  return {
    [inlineCacheKey]: sorted.map(({ key, definition, name, baseLayers, layers }) => ({
      key,
      definition,
      name,
      base: baseLayers,
      layers,
    })),
  };
}

/** Of an image's configuration and the layers of its manifest. undefined: there is none in it. @throws Fault invalid */
export function parseInlineCache(
  config: Uint8Array,
  image: {
    diffIds: readonly Digest[];
    layers: readonly Descriptor[];
    /** When each layer was made. */
    times: readonly (string | undefined)[];
  },
): CacheContent | undefined {
  const value = parseObject(config, 'image config');
  if (value[inlineCacheKey] === undefined) return undefined;
  const { diffIds, layers, times } = image;
  if (layers.length !== diffIds.length)
    throw new Fault('invalid', `Cannot read build cache: ${layers.length} layers for ${diffIds.length} diff ids`);
  const steps = listOf(value, inlineCacheKey).map((item): CachedStep => {
    const count = numberOf(item, 'layers', diffIds.length);
    return {
      key: digestOf(item, 'key'),
      definition: digestOf(item, 'definition'),
      name: textOf(item, 'name'),
      diffIds: diffIds.slice(0, count),
      baseLayers: numberOf(item, 'base', count),
      createdAt: timeOf(times[count - 1]),
    };
  });
  const least = Math.min(diffIds.length, ...steps.map(({ baseLayers }) => baseLayers));
  const own = diffIds.map((diffId, index) => [diffId, layers[index]!] as const).slice(least);
  return { layers: new Map(own), steps, folders: [] };
}

type JsonObject = Readonly<Record<string, unknown>>;

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function listOf(value: JsonObject, name: string): JsonObject[] {
  const list = value[name];
  if (!Array.isArray(list) || !list.every(isObject)) throw broken(name);
  return list;
}

function digestOf(item: JsonObject, name: string): Digest {
  const value = item[name];
  if (typeof value !== 'string' || !isDigest(value)) throw broken(name);
  return value;
}

function textOf(item: JsonObject, name: string): string {
  const value = item[name];
  if (typeof value !== 'string' || value.length > 64 << 10) throw broken(name);
  return value;
}

function numberOf(item: JsonObject, name: string, most: number): number {
  const value = item[name];
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value > most) throw broken(name);
  return value;
}

/** One that cannot be read is not known. */
function timeOf(value: unknown): string | undefined {
  return typeof value === 'string' && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$/.test(value) ? value : undefined;
}

function broken(name: string): Fault {
  return new Fault('invalid', `Cannot read build cache: its ${JSON.stringify(name)} is not as it has to be`);
}
