/**
 * Blobs by digest under `<root>/blobs/<algorithm>/<hex>`. A blob is verified while its bytes land in `<root>/ingest`, synced and
 * then renamed: what has a blob's name has a blob's content.
 */
import { createReadStream, existsSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { open, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Digest, digestAlgorithm, Digester, digestHex, isDigest } from '../oci/index.ts';
import { Fault, syncDirectory } from '../std/index.ts';
import { type Adopt, type Blob, type Hold, type Ingest, type IngestOptions, PartWriter } from './ingest.ts';

export interface Content {
  has(digest: Digest): boolean;
  /** The blob's size; undefined when it is not there. */
  size(digest: Digest): number | undefined;
  /** The bytes from `start` on. @throws Fault not-found */
  open(digest: Digest, options?: { start?: number; signal?: AbortSignal | undefined }): AsyncIterable<Uint8Array>;
  /** The whole of a small blob. @throws Fault not-found; invalid beyond `limit` (8 MiB) */
  read(digest: Digest, limit?: number): Promise<Buffer>;
  ingest(bytes: AsyncIterable<Uint8Array>, options?: IngestOptions, signal?: AbortSignal): Promise<Blob>;
  /** Stores a small blob. */
  put(bytes: Uint8Array, hold?: Hold): Promise<Digest>;
  /** Opens, or resumes, the ingest of a blob whose digest is known. One at a time per digest. */
  openIngest(options: { digest: Digest; size: number; hold?: Hold | undefined }): Promise<Ingest>;
  delete(digest: Digest): Promise<void>;
  list(): Blob[];
  hold(): Hold;
  /** Registers an owner of blobs: what `live` names when a collection runs stays. All owners must be known before the first. */
  addOwner(live: () => Iterable<string>): void;
  /** Deletes every blob that no owner names and nobody holds; returns the bytes freed. */
  collect(): Promise<number>;
}

const pieceSize = 256 * 1024;
const readLimit = 8 << 20;
/** A part left by a crash is of use for a day. */
const partAgeMs = 24 * 3600 * 1000;

export async function openContent(options: { root: string; now?: () => number }): Promise<Content> {
  return new FileContent(options.root, (options.now ?? Date.now)());
}

class FileContent implements Content {
  readonly #blobs: string;
  readonly #parts: string;
  readonly #holds = new Set<Set<Digest>>();
  readonly #owners: (() => Iterable<string>)[] = [];
  readonly #busy = new Set<string>();
  #counter = 0;

  constructor(root: string, now: number) {
    this.#blobs = join(root, 'blobs');
    this.#parts = join(root, 'ingest');
    mkdirSync(join(this.#blobs, 'sha256'), { recursive: true, mode: 0o700 });
    mkdirSync(this.#parts, { recursive: true, mode: 0o700 });
    for (const name of readdirSync(this.#parts)) {
      const path = join(this.#parts, name);
      if (!name.endsWith('.part') || now - statSync(path).mtimeMs > partAgeMs) rmSync(path, { force: true });
    }
  }

  #path(digest: Digest): string {
    return join(this.#blobs, digestAlgorithm(digest), digestHex(digest));
  }

  has(digest: Digest): boolean {
    return existsSync(this.#path(digest));
  }

  size(digest: Digest): number | undefined {
    return statSync(this.#path(digest), { throwIfNoEntry: false })?.size;
  }

  open(digest: Digest, options: { start?: number; signal?: AbortSignal | undefined } = {}): AsyncIterable<Uint8Array> {
    if (!this.has(digest)) throw missing(digest);
    const settings = {
      highWaterMark: pieceSize,
      start: options.start ?? 0,
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    };
    // Opened by the first read: a stream that nobody reads must not keep a descriptor.
    return { [Symbol.asyncIterator]: () => createReadStream(this.#path(digest), settings)[Symbol.asyncIterator]() };
  }

  async read(digest: Digest, limit = readLimit): Promise<Buffer> {
    const size = this.size(digest);
    if (size === undefined) throw missing(digest);
    if (size > limit) throw new Fault('invalid', `Cannot read blob ${digest}: ${size} bytes are more than ${limit}`);
    return readFile(this.#path(digest));
  }

  async ingest(bytes: AsyncIterable<Uint8Array>, options: IngestOptions = {}, signal?: AbortSignal): Promise<Blob> {
    const path = join(this.#parts, `${process.pid}-${this.#counter++}.tmp`);
    const file = await open(path, 'wx', 0o600);
    const writer = new PartWriter(this.#adopt, path, file, options, new Digester(algorithmOf(options.digest)), 0);
    try {
      for await (const chunk of bytes) {
        signal?.throwIfAborted();
        await writer.write(chunk);
      }
      return await writer.commit();
    } catch (error) {
      await writer.discard();
      throw error;
    }
  }

  async put(bytes: Uint8Array, hold?: Hold): Promise<Digest> {
    async function* once(): AsyncGenerator<Uint8Array> {
      yield bytes;
    }
    return (await this.ingest(once(), { hold })).digest;
  }

  async openIngest(options: { digest: Digest; size: number; hold?: Hold | undefined }): Promise<Ingest> {
    const path = join(this.#parts, `${options.digest.replace(':', '-')}.part`);
    if (this.#busy.has(path)) throw new Fault('conflict', `Cannot fetch blob ${options.digest}: it is being fetched`);
    this.#busy.add(path);
    try {
      const digester = new Digester(digestAlgorithm(options.digest));
      const partial = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
      if (partial > options.size) rmSync(path, { force: true });
      else if (partial > 0)
        for await (const chunk of createReadStream(path, { highWaterMark: pieceSize }))
          digester.update(chunk as Buffer);
      const file = await open(path, 'a', 0o600);
      const release = (): void => {
        this.#busy.delete(path);
      };
      return new PartWriter(this.#adopt, path, file, options, digester, digester.size, release);
    } catch (error) {
      this.#busy.delete(path);
      throw error;
    }
  }

  readonly #adopt: Adopt = async (path, digest, hold) => {
    hold?.add(digest);
    const target = this.#path(digest);
    const directory = join(this.#blobs, digestAlgorithm(digest));
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    await rename(path, target);
    await syncDirectory(directory);
  };

  async delete(digest: Digest): Promise<void> {
    await rm(this.#path(digest), { force: true });
  }

  list(): Blob[] {
    return readdirSync(this.#blobs).flatMap((algorithm) =>
      readdirSync(join(this.#blobs, algorithm)).flatMap((hex) => {
        const digest = `${algorithm}:${hex}`;
        const size = statSync(join(this.#blobs, algorithm, hex), { throwIfNoEntry: false })?.size;
        return isDigest(digest) && size !== undefined ? [{ digest, size }] : [];
      }),
    );
  }

  hold(): Hold {
    const held = new Set<Digest>();
    this.#holds.add(held);
    return {
      add: (digest) => {
        held.add(digest);
      },
      [Symbol.dispose]: () => {
        this.#holds.delete(held);
      },
    };
  }

  addOwner(live: () => Iterable<string>): void {
    this.#owners.push(live);
  }

  async collect(): Promise<number> {
    const live = new Set<string>();
    for (const owner of this.#owners) for (const digest of owner()) live.add(digest);
    let freed = 0;
    for (const { digest, size } of this.list()) {
      if (live.has(digest) || [...this.#holds].some((held) => held.has(digest))) continue;
      rmSync(this.#path(digest), { force: true });
      freed += size;
    }
    return freed;
  }
}

function algorithmOf(digest: Digest | undefined): string {
  return digest === undefined ? 'sha256' : digestAlgorithm(digest);
}

function missing(digest: Digest): Fault {
  return new Fault('not-found', `Cannot read blob ${digest}: it is not in the store`);
}
