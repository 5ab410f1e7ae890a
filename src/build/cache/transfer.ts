/** Caches of builds in registries, in folders of clients, and in images. */
import { randomUUID } from 'node:crypto';
import type { BuildCacheLocation, BuildEvent, BuildRequest } from '../../api/index.ts';
import type { Content } from '../../content/index.ts';
import type { ImageStore } from '../../image/index.ts';
import { type Descriptor, type Digest, sha256 } from '../../oci/index.ts';
import type { Registry } from '../../registry/index.ts';
import type { Snapshots } from '../../snapshot/index.ts';
import { formatNanos, type Nanos } from '../../std/index.ts';
import type { LayerForms } from '../export/layer-forms.ts';
import { exportTask } from '../export/progress.ts';
import type { BuiltRoot } from '../result/root.ts';
import type { CacheMount } from '../solve/cache-mounts.ts';
import type { SolvedStep } from '../solve/context.ts';
import { encodeInlineCache } from './cache-config.ts';
import type { BuildCaches, CacheSurroundings, CacheTransfer } from './door.ts';
import { exportCache, isBelow } from './export-cache.ts';
import { ImportedCaches, type ReadCache } from './imported.ts';
import {
  type CacheInput,
  type CacheOutput,
  type CachePlace,
  placeName,
  readCacheFrom,
  readCacheTo,
} from './locations.ts';
import { type CacheOrigin, clientOrigin, registryOrigin } from './origin.ts';
import { readCache } from './read-cache.ts';
import { type CacheTarget, clientTarget, registryTarget } from './target.ts';

export interface CacheTransferOptions {
  content: Content;
  snapshots: Snapshots;
  images: ImageStore;
  registry: Registry;
  /** Shared with the outputs, so that no layer is compressed twice. */
  forms: LayerForms;
  now: () => Nanos;
}

export function openCacheTransfer(options: CacheTransferOptions): CacheTransfer {
  return {
    check: ({ cacheTo }) => {
      for (const location of cacheTo) readCacheTo(location);
    },
    begin: async (request, around, signal) => {
      const outputs = request.cacheTo.map(readCacheTo);
      const found = await Promise.all(
        request.cacheFrom.map((location) => importOne(options, location, { request, around }, signal)),
      );
      signal.throwIfAborted();
      const caches = found.filter((cache) => cache !== undefined);
      const parts = { content: options.content, snapshots: options.snapshots, results: around.results };
      const imported = caches.length === 0 ? undefined : new ImportedCaches(parts, caches);
      return new Caches(options, { request, around, outputs, imported });
    },
  };
}

interface Asked {
  request: Pick<BuildRequest, 'secrets'>;
  around: CacheSurroundings;
}

/** undefined: it is told why it could not be. */
async function importOne(
  options: CacheTransferOptions,
  location: BuildCacheLocation,
  { request, around }: Asked,
  signal: AbortSignal,
): Promise<ReadCache | undefined> {
  const { emit, platform } = around;
  const name = `importing cache manifest from ${placeName(location)}`;
  const vertex = sha256(`import ${name} ${randomUUID()}`);
  const run = { emit, now: options.now, vertex };
  try {
    return await exportTask(name, run, signal, async (task) => {
      const input = readCacheFrom(location);
      const origin = await originOf(options, input, request, signal);
      const content = await readCache(
        origin,
        platform,
        (kind) => task.done(`inferred cache manifest type: ${kind}`),
        signal,
      );
      const tell = teller(emit, options.now, vertex);
      return { content, origin, mountLimit: input.mountLimit, tell };
    });
  } catch (error) {
    // A cache that is not there is the first build's.
    if (signal.aborted) throw error;
    return undefined;
  }
}

async function originOf(
  { registry }: CacheTransferOptions,
  { place, digest }: CacheInput,
  { secrets }: Asked['request'],
  signal: AbortSignal,
): Promise<CacheOrigin> {
  if (place.type === 'local') return clientOrigin(place.store, digest!);
  return registryOrigin(registry, place.reference, await secrets.credentials(place.reference.domain, signal));
}

async function targetOf(
  { registry }: CacheTransferOptions,
  place: CachePlace,
  { secrets }: Asked['request'],
  signal: AbortSignal,
): Promise<CacheTarget> {
  if (place.type === 'local') return clientTarget(place.store);
  return registryTarget(registry, place.reference, await secrets.credentials(place.reference.domain, signal));
}

function teller(emit: (event: BuildEvent) => void, now: () => Nanos, vertex: Digest): (text: string) => void {
  return (text) =>
    emit({ kind: 'log', vertex, stream: 'stderr', data: Buffer.from(`${text}\n`), timestamp: formatNanos(now()) });
}

const exportNames = {
  registry: 'exporting cache to registry',
  local: 'exporting cache to client directory',
};

class Caches implements BuildCaches {
  readonly #options: CacheTransferOptions;
  readonly #asked: Asked;
  readonly #outputs: readonly CacheOutput[];
  readonly #steps: SolvedStep[] = [];
  readonly imported: ImportedCaches | undefined;
  readonly solved: ((step: SolvedStep) => void) | undefined;

  constructor(
    options: CacheTransferOptions,
    { outputs, imported, ...asked }: Asked & { outputs: readonly CacheOutput[]; imported: ImportedCaches | undefined },
  ) {
    this.#options = options;
    this.#asked = asked;
    this.#outputs = outputs;
    this.imported = imported;
    this.solved = outputs.length === 0 ? undefined : (step) => void this.#steps.push(step);
  }

  inline(root: BuiltRoot): Readonly<Record<string, unknown>> | undefined {
    if (!this.#outputs.some(({ place }) => place.type === 'inline')) return undefined;
    const steps = this.#steps.flatMap(({ result, ...step }) => {
      // What goes on any base has no place of its own in the image's layers.
      if (result === undefined || result.made !== result.root || !isBelow(result.root, root)) return [];
      return [{ ...step, baseLayers: result.baseLayers, layers: result.root.diffIds.length }];
    });
    return encodeInlineCache(steps);
  }

  async export(root: BuiltRoot, mounts: readonly CacheMount[], signal: AbortSignal): Promise<Descriptor | undefined> {
    let last: Descriptor | undefined;
    for (const output of this.#outputs) {
      const { place, mustWork } = output;
      if (place.type === 'inline') continue;
      try {
        last = await this.#export({ ...output, place }, root, mounts, signal);
      } catch (error) {
        signal.throwIfAborted();
        if (mustWork) throw error;
      }
    }
    return last;
  }

  #export(
    output: CacheOutput & { place: CachePlace },
    root: BuiltRoot,
    mounts: readonly CacheMount[],
    signal: AbortSignal,
  ): Promise<Descriptor> {
    const { request, around } = this.#asked;
    const { now } = this.#options;
    const { emit, cacheMounts } = around;
    const name = exportNames[output.place.type];
    const vertex = sha256(`export ${name} ${randomUUID()}`);
    return exportTask(name, { emit, now, vertex }, signal, async (task) => {
      const target = await targetOf(this.#options, output.place, request, signal);
      const { imported } = this;
      const context = { ...this.#options, cacheMounts, imported, tell: teller(emit, now, vertex) };
      return exportCache(context, { output, target, steps: this.#steps, root, mounts }, task, signal);
    });
  }
}
