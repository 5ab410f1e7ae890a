/** One `--cache-to`: layers, folders of cache mounts, the table, and last the manifest that makes them a cache. */
import { chainIds, type Descriptor, type Digest, layerTypeAs, mediaTypes, sha256 } from '../../oci/index.ts';
import { gather, messageOf, tapBytes } from '../../std/index.ts';
import { compressed, kindOfLayer, layerTypeOf } from '../export/compression.ts';
import { type PackContext, packLayer } from '../export/pack-layers.ts';
import type { ExportTask } from '../export/progress.ts';
import type { ResultHold } from '../result/commit-layer.ts';
import type { BuiltRoot } from '../result/root.ts';
import type { CacheMount, CacheMounts } from '../solve/cache-mounts.ts';
import type { SolvedStep } from '../solve/context.ts';
import { type CachedFolder, type CachedStep, cacheConfigType, encodeCacheConfig } from './cache-config.ts';
import { attributesOf, packFolder } from './folder-archive.ts';
import type { ImportedCaches, RemoteBlob } from './imported.ts';
import type { CacheOutput } from './locations.ts';
import type { CacheTarget } from './target.ts';

export interface ExportContext extends PackContext {
  cacheMounts: CacheMounts;
  imported: ImportedCaches | undefined;
  /** A line for who follows the build. */
  tell: (text: string) => void;
}

export interface CacheExport {
  output: CacheOutput;
  target: CacheTarget;
  /** What the build made, and what it did not need. */
  steps: readonly SolvedStep[];
  /** The build's result. */
  root: BuiltRoot;
  mounts: readonly CacheMount[];
}

/** Blobs that are sent at once. */
const atOnce = 3;

/** Nothing is a cache before all of it is there. @throws Fault */
export async function exportCache(
  context: ExportContext,
  request: CacheExport,
  task: ExportTask,
  signal: AbortSignal,
): Promise<Descriptor> {
  using blobs = context.content.hold();
  using layers = context.snapshots.hold();
  const exporter = new CacheExporter(context, request, { blobs, layers }, task);
  return await task.part('preparing build cache for export', () => exporter.run(signal));
}

/** A layer, here or elsewhere. */
type LayerSource = { chain: Digest; layer: Descriptor } | RemoteBlob;

class CacheExporter {
  readonly #context: ExportContext;
  readonly #request: CacheExport;
  readonly #hold: ResultHold;
  readonly #task: ExportTask;

  constructor(context: ExportContext, request: CacheExport, hold: ResultHold, task: ExportTask) {
    this.#context = context;
    this.#request = request;
    this.#hold = hold;
    this.#task = task;
  }

  async run(signal: AbortSignal): Promise<Descriptor> {
    const { output, target } = this.#request;
    const { steps, sources } = this.#chosen();
    const tasks = [...sources].map(
      ([diffId, source]) =>
        async (inner: AbortSignal) =>
          [diffId, await this.#layer(diffId, source, inner)] as const,
    );
    const layers = new Map(await gather(tasks, { limit: atOnce, signal }));
    const folders = output.mountLimit === undefined ? [] : await this.#folders(output.mountLimit, signal);
    const config = encodeCacheConfig({ layers, steps, folders });
    const descriptor: Descriptor = { mediaType: cacheConfigType, digest: sha256(config), size: config.length };
    await this.#task.part(`writing config ${descriptor.digest}`, async () => {
      if (!(await target.has(descriptor, signal)))
        await target.write(descriptor, (start) => once(config.subarray(start)), signal);
    });
    const named = [...layers.values(), ...folders.map(({ blob }) => blob)];
    const { bytes, mediaType } = manifestOf(output.form, descriptor, named);
    const manifest: Descriptor = { mediaType, digest: sha256(bytes), size: bytes.length };
    const what = output.form === 'manifest' ? 'image manifest' : 'manifest';
    await this.#task.part(`writing cache ${what} ${manifest.digest}`, () => target.finish(bytes, mediaType, signal));
    return manifest;
  }

  /** The steps to export, and where the layers are that they made. */
  #chosen(): { steps: CachedStep[]; sources: Map<Digest, LayerSource> } {
    const { output, steps: solved, root } = this.#request;
    const steps = new Map<string, CachedStep>();
    const sources = new Map<Digest, LayerSource>();
    for (const step of solved) {
      if (step.result === undefined) {
        const known = this.#context.imported?.step(step.definition);
        if (known === undefined) continue;
        const own = known.step.diffIds.slice(known.step.baseLayers);
        if (!output.all && !own.every((diffId) => root.diffIds.includes(diffId))) continue;
        const blobs = own.map((diffId) => known.layers.get(diffId));
        if (blobs.includes(undefined)) continue;
        for (const [index, diffId] of own.entries()) if (!sources.has(diffId)) sources.set(diffId, blobs[index]!);
        add(steps, { ...known.step, definition: step.definition });
        continue;
      }
      const { made, baseLayers } = step.result;
      if (!output.all && !isBelow(step.result.root, root)) continue;
      const chains = chainIds(made.diffIds);
      for (const [index, diffId] of made.diffIds.entries()) {
        if (index < baseLayers) continue;
        sources.set(diffId, { chain: chains[index]!, layer: made.layers[index]! });
      }
      const { name, key, definition } = step;
      add(steps, { key, definition, name, diffIds: made.diffIds, baseLayers, createdAt: made.createdAt });
    }
    return { steps: [...steps.values()], sources };
  }

  /** Its blob, which the target has when this returns. */
  async #layer(diffId: Digest, source: LayerSource, signal: AbortSignal): Promise<Descriptor> {
    const { output, target } = this.#request;
    if ('origin' in source) {
      await this.#carry(source, signal);
      return this.#named(source.blob);
    }
    for (const known of this.#knownBlobs(diffId)) if (await target.has(known, signal)) return this.#named(known);
    const { compression } = output;
    const blob = await packLayer(this.#context, { diffId, ...source }, { compression, hold: this.#hold }, signal);
    if (!(await target.has(blob, signal))) await this.#write(blob, signal);
    return this.#named(blob);
  }

  /** What the layer's blob would be: asking is cheaper than compressing. */
  #knownBlobs(diffId: Digest): Descriptor[] {
    const { compression } = this.#request.output;
    const form = this.#context.forms.find(diffId, compression);
    const imported = this.#context.imported?.blobOf(diffId);
    const isAsAsked =
      imported !== undefined && !compression.force && kindOfLayer(imported.mediaType) === compression.kind;
    return [...(form === undefined ? [] : [form]), ...(isAsAsked ? [imported] : [])];
  }

  #named({ mediaType, digest, size }: Descriptor): Descriptor {
    const words = this.#request.output.form === 'docker-list' ? 'docker' : 'oci';
    return { mediaType: layerTypeAs(mediaType, words), digest, size };
  }

  /** From one cache to the other, unless it is there. */
  async #carry({ blob, origin }: RemoteBlob, signal: AbortSignal): Promise<void> {
    if (await this.#request.target.has(blob, signal)) return;
    const { digest, size } = blob;
    this.#hold.blobs.add(digest);
    if (!this.#context.content.has(digest))
      await this.#context.content.ingest(origin.blob(blob, signal), { digest, size, hold: this.#hold.blobs }, signal);
    await this.#write(blob, signal);
  }

  async #write({ digest, size }: Descriptor, signal: AbortSignal): Promise<void> {
    const { content } = this.#context;
    await this.#task.part(`writing layer ${digest}`, (report) => {
      const open = (start: number): AsyncIterable<Uint8Array> => {
        let current = start;
        return tapBytes(content.open(digest, { start, signal }), (chunk) => report((current += chunk.length), size));
      };
      return this.#request.target.write({ digest, size }, open, signal);
    });
  }

  /** Those that are here as they are here, others as they were imported. One that cannot be read is left out. */
  async #folders(limit: number, signal: AbortSignal): Promise<CachedFolder[]> {
    const folders = new Map<string, CachedFolder>();
    for (const mount of this.#request.mounts) {
      if (mount.from !== 'scratch' || mount.source !== '/' || folders.has(mount.id)) continue;
      try {
        const folder = await this.#folder(mount, limit, signal);
        if (folder !== undefined) folders.set(mount.id, folder);
      } catch (error) {
        signal.throwIfAborted();
        this.#context.tell(`cache mount ${JSON.stringify(mount.id)} is not exported: ${messageOf(error)}`);
      }
    }
    return [...folders.values()];
  }

  async #folder(mount: CacheMount, limit: number, signal: AbortSignal): Promise<CachedFolder | undefined> {
    const { content, cacheMounts, imported } = this.#context;
    const { compression } = this.#request.output;
    await using loans = new AsyncDisposableStack();
    const path = await cacheMounts.lendExisting(mount, loans, signal);
    if (path !== undefined) {
      const bytes = compressed(packFolder(path, limit, signal), compression);
      const packed = await content.ingest(bytes, { hold: this.#hold.blobs }, signal);
      const blob: Descriptor = { mediaType: layerTypeOf[compression.kind], ...packed };
      if (!(await this.#request.target.has(blob, signal))) await this.#write(blob, signal);
      return { id: mount.id, ...attributesOf(path), blob: this.#named(blob) };
    }
    const known = imported?.folder(mount.id);
    if (known === undefined) return undefined;
    await this.#carry({ blob: known.folder.blob, origin: known.origin }, signal);
    return { ...known.folder, blob: this.#named(known.folder.blob) };
  }
}

function add(steps: Map<string, CachedStep>, step: CachedStep): void {
  const name = `${step.key} ${step.definition}`;
  if (!steps.has(name)) steps.set(name, step);
}

/** Whether all layers of `one` are the first of `other`. */
export function isBelow(one: BuiltRoot, other: BuiltRoot): boolean {
  return one.diffIds.length <= other.diffIds.length && one.diffIds.every((diffId, at) => diffId === other.diffIds[at]);
}

function manifestOf(
  form: CacheOutput['form'],
  config: Descriptor,
  blobs: readonly Descriptor[],
): { bytes: Buffer; mediaType: string } {
  const byDigest = new Map(blobs.map((blob) => [blob.digest, blob]));
  const sorted = [...byDigest.values()].sort((a, b) => (a.digest < b.digest ? -1 : 1));
  const parts = form === 'manifest' ? { config, layers: sorted } : { manifests: [...sorted, config] };
  const mediaType = {
    manifest: mediaTypes.ociManifest,
    index: mediaTypes.ociIndex,
    'docker-list': mediaTypes.dockerList,
  }[form];
  return { bytes: Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, ...parts })), mediaType };
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, void> {
  yield bytes;
}
