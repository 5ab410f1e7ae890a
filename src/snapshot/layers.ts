/**
 * The read-only layers on disk: `l/<short>/fs` is what one layer adds, `l/<short>/layer.json` says what it is. A layer comes
 * into being by one rename, after its bytes are on disk, and goes by one rename.
 */
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bootId, exchangePaths, syncFilesystem } from '../linux/index.ts';
import { Digester } from '../oci/index.ts';
import { errorCode, Fault, SpaceGuard, syncDirectory, tapBytes } from '../std/index.ts';
import { compareLayer, type Difference } from './compare-layer.ts';
import type { LowerDirectory } from './lower.ts';
import type { Scratch } from './scratch.ts';
import { unpackLayer } from './unpack.ts';

export interface LayerRecord {
  chainId: string;
  parent: string | undefined;
  diffId: string;
  size: number;
  /** Hides its parents altogether (an opaque mark on the root). */
  opaque: boolean;
  /** The boot during which it was made and since when its files may not have reached the disk; absent once they have. */
  boot?: string;
}

export interface Layer extends LayerRecord {
  /** The short directory name. */
  name: string;
}

export interface ApplyRequest {
  chainId: string;
  parent: string | undefined;
  diffId: string;
  tar: AsyncIterable<Uint8Array>;
}

/** Docker's limit for images, and one for the layer of mount points above. */
const depthLimit = 126;

export class Layers {
  readonly root: string;
  readonly #scratch: Scratch;
  readonly #guard: SpaceGuard;
  readonly #leftOut: (diffId: string, names: readonly string[]) => void;
  readonly #byChain = new Map<string, Layer>();
  readonly #byName = new Map<string, Layer>();
  /** How many layers stand on a chain, those being unpacked included. */
  readonly #children = new Map<string, number>();
  /** Made in this boot, and not yet known to be on disk. */
  readonly #unsettled = new Set<Layer>();
  #next = 1;

  /** `leftOut` hears of layers that are unpacked without their device nodes. */
  constructor(root: string, scratch: Scratch, leftOut: (diffId: string, names: readonly string[]) => void = () => {}) {
    this.#leftOut = leftOut;
    this.root = root;
    this.#scratch = scratch;
    mkdirSync(root, { recursive: true, mode: 0o711 });
    this.#guard = new SpaceGuard(root);
    for (const name of readdirSync(root)) {
      const record = readLayerRecord(join(root, name));
      const isWhole = record !== undefined && (record.boot === undefined || record.boot === bootId());
      // Without its record it is no layer: the disk was tampered with. It goes the way of the half-made, as do files that power failure cut.
      if (!isWhole) {
        const path = scratch.take();
        renameSync(join(root, name), path);
        scratch.release(path);
        continue;
      }
      this.#next = Math.max(this.#next, Number.parseInt(name, 36) + 1);
      this.#add({ ...record, name });
    }
  }

  #add(layer: Layer): void {
    if (layer.boot !== undefined) this.#unsettled.add(layer);
    this.#byChain.set(layer.chainId, layer);
    this.#byName.set(layer.name, layer);
    this.#count(layer.parent, 1);
  }

  #count(parent: string | undefined, step: 1 | -1): void {
    if (parent === undefined) return;
    const count = (this.#children.get(parent) ?? 0) + step;
    if (count === 0) this.#children.delete(parent);
    else this.#children.set(parent, count);
  }

  get(chainId: string): Layer | undefined {
    return this.#byChain.get(chainId);
  }

  named(name: string): Layer | undefined {
    return this.#byName.get(name);
  }

  /** @throws Fault not-found */
  mustGet(chainId: string): Layer {
    const layer = this.#byChain.get(chainId);
    if (layer === undefined) throw new Fault('not-found', `Cannot find layer ${chainId}: it is not unpacked`);
    return layer;
  }

  all(): Layer[] {
    return [...this.#byChain.values()];
  }

  files(layer: Layer): string {
    return join(this.root, layer.name, 'fs');
  }

  /** The layers of the stack that ends in `chainId` and show through, topmost first. */
  chain(chainId: string | undefined): Layer[] {
    const chain: Layer[] = [];
    for (let next = chainId; next !== undefined; ) {
      const layer = this.mustGet(next);
      chain.push(layer);
      next = layer.opaque ? undefined : layer.parent;
    }
    return chain;
  }

  /** Their directories. */
  stack(chainId: string | undefined): string[] {
    return this.chain(chainId).map((layer) => this.files(layer));
  }

  lower(chainId: string | undefined): LowerDirectory {
    return this.stack(chainId).map((path) => Buffer.from(path));
  }

  /** Whether `chainId` is `top` or a layer below it. */
  isAbove(top: string | undefined, chainId: string): boolean {
    for (let next = top; next !== undefined; next = this.#byChain.get(next)?.parent) if (next === chainId) return true;
    return false;
  }

  /** Whether another layer stands on it, or is being unpacked on it. */
  hasChild(chainId: string): boolean {
    return this.#children.has(chainId);
  }

  async apply(request: ApplyRequest, signal?: AbortSignal): Promise<void> {
    const { parent } = request;
    if (this.stack(parent).length >= depthLimit) throw new Fault('invalid', 'max depth exceeded');
    this.#count(parent, 1);
    try {
      const { path, record } = await this.unpack(request, signal);
      const name = (this.#next++).toString(36);
      renameSync(path, join(this.root, name));
      this.#scratch.release(path);
      this.#add({ ...record, name });
      await syncDirectory(this.root);
    } finally {
      this.#count(parent, -1);
    }
  }

  /** `files`, a folder on the same file system that nothing has mounted, becomes the layer; until `settle` power failure undoes it. */
  adopt(files: string, record: LayerRecord): void {
    if (this.stack(record.parent).length >= depthLimit) throw new Fault('invalid', 'max depth exceeded');
    const path = this.#scratch.take();
    mkdirSync(path, { mode: 0o755 });
    renameSync(files, join(path, 'fs'));
    const marked = { ...record, boot: bootId() };
    writeFileSync(join(path, 'layer.json'), JSON.stringify(marked));
    const name = (this.#next++).toString(36);
    renameSync(path, join(this.root, name));
    this.#scratch.release(path);
    this.#add({ ...marked, name });
  }

  /** What was adopted so far is on disk, to stay. */
  async settle(): Promise<void> {
    const layers = [...this.#unsettled];
    if (layers.length === 0) return;
    await sync(this.root);
    for (const layer of layers) {
      this.#unsettled.delete(layer);
      if (this.#byName.get(layer.name) !== layer) continue;
      delete layer.boot;
      const { name, ...record } = layer;
      this.writeRecord(name, record);
    }
    // Without the marks, too, before anything that lasts counts on them.
    await sync(this.root);
  }

  /** Whole or not at all, by way of the scratch: what a crash leaves half written is not in the layer's folder. */
  writeRecord(name: string, record: LayerRecord): void {
    const path = this.#scratch.take();
    try {
      writeFileSync(path, JSON.stringify(record));
      renameSync(path, join(this.root, name, 'layer.json'));
    } finally {
      this.#scratch.release(path);
    }
  }

  /** A layer in a scratch folder, on disk, that is as its record says. */
  async unpack(request: ApplyRequest, signal?: AbortSignal): Promise<{ path: string; record: LayerRecord }> {
    const { chainId, parent, diffId } = request;
    const path = this.#scratch.take();
    try {
      const files = join(path, 'fs');
      mkdirSync(files, { recursive: true, mode: 0o755 });
      const digester = new Digester(diffId.slice(0, diffId.indexOf(':')));
      const tar = tapBytes(request.tar, (chunk) => {
        signal?.throwIfAborted();
        digester.update(chunk);
      });
      const lower = this.lower(parent);
      const { size, opaque, leftOut } = await unpackLayer(openSync(files, 'r'), lower, tar, {
        spend: (bytes, inodes) => this.#guard.spend(bytes, inodes),
        signal,
      });
      const found = digester.digest();
      if (found !== diffId) {
        throw new Fault('invalid', `wrong diff id calculated on extraction: expected ${diffId}, got ${found}`);
      }
      if (leftOut.length > 0) this.#leftOut(diffId, leftOut);
      const record: LayerRecord = { chainId, parent, diffId, size, opaque };
      writeFileSync(join(path, 'layer.json'), JSON.stringify(record));
      await sync(path);
      signal?.throwIfAborted();
      return { path, record };
    } catch (error) {
      await this.#scratch.remove(path);
      throw error;
    }
  }

  /** Compares the layer with its tar by way of `skeleton`, an empty directory of the scratch. */
  compare(layer: Layer, tar: AsyncIterable<Uint8Array>, skeleton: string, signal: AbortSignal): Promise<Difference[]> {
    const spend = (bytes: number, inodes: number): void => this.#guard.spend(bytes, inodes);
    const lower = this.lower(layer.parent);
    return compareLayer({ files: this.files(layer), lower, tar, skeleton, spend, signal });
  }

  /** Puts another unpacking of the same layer in its place, in one step, and deletes the old one. Nothing may have it mounted. */
  async replace(layer: Layer, made: { path: string; record: LayerRecord }): Promise<void> {
    exchangePaths(made.path, join(this.root, layer.name));
    await syncDirectory(this.root);
    this.#byChain.set(layer.chainId, { ...made.record, name: layer.name });
    this.#byName.set(layer.name, this.#byChain.get(layer.chainId)!);
    await this.#scratch.remove(made.path);
  }

  /** Forgets the layer and takes its files out of the way at once; the caller removes what is returned from the scratch. */
  detach(layer: Layer): string {
    const trash = this.#scratch.take();
    try {
      renameSync(join(this.root, layer.name), trash);
    } catch (error) {
      // Deleted behind our back: there is nothing but to forget.
      if (errorCode(error) !== 'ENOENT') throw error;
    }
    this.#byChain.delete(layer.chainId);
    this.#byName.delete(layer.name);
    this.#unsettled.delete(layer);
    this.#count(layer.parent, -1);
    return trash;
  }
}

/** What `layer.json` in the folder says; undefined when it cannot be read. */
export function readLayerRecord(folder: string): LayerRecord | undefined {
  try {
    return JSON.parse(readFileSync(join(folder, 'layer.json'), 'utf8')) as LayerRecord;
  } catch {
    return undefined;
  }
}

async function sync(path: string): Promise<void> {
  const descriptor = openSync(path, 'r');
  try {
    await syncFilesystem(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
