/**
 * The read-only layers on disk: `l/<short>/fs` is what one layer adds, `l/<short>/layer.json` says what it is. A layer comes
 * into being by one rename, after its bytes are on disk.
 */
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { syncFilesystem } from '../linux/index.ts';
import { Digester } from '../oci/index.ts';
import { Fault, syncDirectory, tapBytes } from '../std/index.ts';
import type { LowerDirectory } from './lower.ts';
import { unpackLayer } from './unpack.ts';

export interface Layer {
  chainId: string;
  parent: string | undefined;
  diffId: string;
  size: number;
  /** Hides its parents altogether (an opaque mark on the root). */
  opaque: boolean;
  /** The short directory name. */
  name: string;
}

export class Layers {
  readonly #root: string;
  readonly #scratch: () => string;
  readonly #byChain = new Map<string, Layer>();
  readonly #byName = new Map<string, Layer>();
  #next = 1;

  /** `scratch` names a fresh path on the same filesystem for half-made things. */
  constructor(root: string, scratch: () => string) {
    this.#root = root;
    this.#scratch = scratch;
    mkdirSync(root, { recursive: true, mode: 0o711 });
    for (const name of readdirSync(root)) {
      this.#next = Math.max(this.#next, Number.parseInt(name, 36) + 1);
      const record = readRecord(join(root, name, 'layer.json'));
      // Without its record it is no layer: the disk was tampered with. It goes the way of the half-made.
      if (record === undefined) renameSync(join(root, name), scratch());
      else this.#add({ ...record, name });
    }
  }

  #add(layer: Layer): void {
    this.#byChain.set(layer.chainId, layer);
    this.#byName.set(layer.name, layer);
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

  /** The directories of the stack that ends in `chainId`, topmost first. */
  stack(chainId: string | undefined): string[] {
    const directories: string[] = [];
    for (let next = chainId; next !== undefined; ) {
      const layer = this.mustGet(next);
      directories.push(join(this.#root, layer.name, 'fs'));
      next = layer.opaque ? undefined : layer.parent;
    }
    return directories;
  }

  lower(chainId: string | undefined): LowerDirectory {
    return this.stack(chainId).map((path) => Buffer.from(path));
  }

  hasChild(chainId: string): boolean {
    return this.all().some((layer) => layer.parent === chainId);
  }

  async apply(
    options: { chainId: string; parent: string | undefined; diffId: string; tar: AsyncIterable<Uint8Array> },
    signal?: AbortSignal,
  ): Promise<void> {
    const { chainId, parent, diffId } = options;
    const temporary = this.#scratch();
    try {
      const files = join(temporary, 'fs');
      mkdirSync(files, { recursive: true, mode: 0o755 });
      const digester = new Digester(diffId.slice(0, diffId.indexOf(':')));
      const tar = tapBytes(options.tar, (chunk) => digester.update(chunk));
      const { size, opaque } = await unpackLayer(openSync(files, 'r'), this.lower(parent), tar, signal);
      const found = digester.digest();
      if (found !== diffId) {
        throw new Fault('invalid', `wrong diff id calculated on extraction: expected ${diffId}, got ${found}`);
      }
      const record: Omit<Layer, 'name'> = { chainId, parent, diffId, size, opaque };
      writeFileSync(join(temporary, 'layer.json'), JSON.stringify(record));
      await sync(temporary);
      signal?.throwIfAborted();
      const name = (this.#next++).toString(36);
      renameSync(temporary, join(this.#root, name));
      await syncDirectory(this.#root);
      this.#add({ ...record, name });
    } catch (error) {
      await rm(temporary, { recursive: true, force: true });
      throw error;
    }
  }

  /** Forgets the layer at once, then deletes its files. */
  async remove(layer: Layer): Promise<void> {
    const trash = this.#scratch();
    renameSync(join(this.#root, layer.name), trash);
    this.#byChain.delete(layer.chainId);
    this.#byName.delete(layer.name);
    await rm(trash, { recursive: true, force: true });
  }
}

function readRecord(path: string): Omit<Layer, 'name'> | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Omit<Layer, 'name'>;
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
