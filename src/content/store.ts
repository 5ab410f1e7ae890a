/**
 * Blobs by digest under `<root>/blobs/<algorithm>/<hex>`. A blob is verified while its bytes land in `<root>/ingest`, synced and
 * then renamed: what has a blob's name has a blob's content. Which blobs there are is read once; deletion is decided in one
 * turn of the event loop, by renaming out of the way, so that no ingest or hold can come in between.
 */
import { createReadStream, mkdirSync, openSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Digest, digestAlgorithm, Digester, digestHex, isDigest } from '../oci/index.ts';
import { Background, errorCode, Fault, SpaceGuard, syncDirectory } from '../std/index.ts';
import { type BlobProblem, checkBlobs } from './check.ts';
import type { Content, StoredFile, Unfinished } from './door.ts';
import { type Blob, type Hold, type Ingest, type IngestOptions, type IngestPlace, PartWriter } from './ingest.ts';
import { isDownload, keptMs, UnfinishedDownloads } from './unfinished.ts';

const pieceSize = 256 * 1024;
const readLimit = 8 << 20;
const turnMs = 10;

export async function openContent(options: { root: string; now?: () => number }): Promise<Content> {
  return new FileContent(options.root, options.now ?? Date.now);
}

interface HeldBlobs {
  digests: Set<Digest>;
  /** A disk ran full while it was held: unfinished downloads are given back. */
  givesBack: boolean;
}

class FileContent implements Content {
  readonly #blobs: string;
  readonly #ingest: string;
  readonly #now: () => number;
  /** Every blob with its size, -1 until somebody asks for it. */
  readonly #sizes = new Map<Digest, number>();
  readonly #holds = new Set<HeldBlobs>();
  readonly #owners: (() => Iterable<string>)[] = [];
  /** Files of the ingest folder that are being written, or deleted. */
  readonly #busy = new Set<string>();
  readonly #unfinished: UnfinishedDownloads;
  readonly #guard: SpaceGuard;
  /** A file that cannot be deleted now is deleted by the next daemon, which clears the folder. */
  readonly #background = new Background(() => {});
  #collects = false;
  #counter = 0;

  constructor(root: string, now: () => number) {
    this.#blobs = join(root, 'blobs');
    this.#ingest = join(root, 'ingest');
    this.#now = now;
    mkdirSync(join(this.#blobs, 'sha256'), { recursive: true, mode: 0o700 });
    mkdirSync(this.#ingest, { recursive: true, mode: 0o700 });
    for (const algorithm of readdirSync(this.#blobs)) {
      for (const hex of namesIn(join(this.#blobs, algorithm))) {
        const digest = `${algorithm}:${hex}`;
        if (isDigest(digest)) this.#sizes.set(digest, -1);
      }
    }
    this.#unfinished = new UnfinishedDownloads(this.#ingest, (digest) => this.has(digest), now());
    this.#guard = new SpaceGuard(root);
  }

  #path(digest: Digest): string {
    return join(this.#blobs, digestAlgorithm(digest), digestHex(digest));
  }

  has(digest: Digest): boolean {
    return this.#sizes.has(digest);
  }

  size(digest: Digest): number | undefined {
    const known = this.#sizes.get(digest);
    if (known !== -1) return known;
    const size = statSync(this.#path(digest), { throwIfNoEntry: false })?.size;
    if (size === undefined) this.#sizes.delete(digest);
    else this.#sizes.set(digest, size);
    return size;
  }

  open(digest: Digest, options: { start?: number; signal?: AbortSignal | undefined } = {}): AsyncIterable<Uint8Array> {
    if (!this.has(digest)) throw missing(digest);
    const settings = {
      highWaterMark: pieceSize,
      start: options.start ?? 0,
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    };
    const path = this.#path(digest);
    // Opened by the first read: a stream that nobody reads must not keep a descriptor.
    return { [Symbol.asyncIterator]: () => this.#stream(digest, path, settings) };
  }

  async *#stream(
    digest: Digest,
    path: string,
    settings: { highWaterMark: number; start: number; signal?: AbortSignal },
  ): AsyncGenerator<Uint8Array, void, void> {
    // Node opens the file all the same, and forgets it.
    settings.signal?.throwIfAborted();
    try {
      for await (const chunk of createReadStream(path, settings)) yield chunk as Buffer;
    } catch (error) {
      throw this.#lost(digest, error);
    }
  }

  async read(digest: Digest, limit = readLimit): Promise<Buffer> {
    const size = this.size(digest);
    if (size === undefined) throw missing(digest);
    if (size > limit) throw new Fault('invalid', `Cannot read blob ${digest}: ${size} bytes are more than ${limit}`);
    try {
      return await readFile(this.#path(digest));
    } catch (error) {
      throw this.#lost(digest, error);
    }
  }

  /** Somebody deleted the file behind our back. */
  #lost(digest: Digest, error: unknown): unknown {
    if (errorCode(error) !== 'ENOENT') return error;
    this.#sizes.delete(digest);
    return missing(digest);
  }

  async ingest(bytes: AsyncIterable<Uint8Array>, options: IngestOptions = {}, signal?: AbortSignal): Promise<Blob> {
    const algorithm = options.digest === undefined ? 'sha256' : digestAlgorithm(options.digest);
    await using writer = await this.#writer(this.#temporary(), options, new Digester(algorithm), false);
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
    const path = this.#unfinished.partPath(options.digest);
    if (this.#busy.has(path)) throw new Fault('conflict', `Cannot fetch blob ${options.digest}: it is being fetched`);
    this.#busy.add(path);
    try {
      const digester = new Digester(digestAlgorithm(options.digest));
      const partial = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
      if (partial > options.size) rmSync(path, { force: true });
      else if (partial > 0)
        for await (const chunk of createReadStream(path, { highWaterMark: pieceSize }))
          digester.update(chunk as Buffer);
      return await this.#writer(path, options, digester, true);
    } catch (error) {
      this.#busy.delete(path);
      throw error;
    }
  }

  async #writer(path: string, options: IngestOptions, digester: Digester, download: boolean): Promise<PartWriter> {
    const place: IngestPlace = {
      path,
      spend: (bytes) => this.#guard.spend(bytes),
      full: () => this.outOfSpace(),
      adopt: (blob) => this.#adopt(path, blob, options.hold, download),
      release: () => void this.#busy.delete(path),
    };
    this.#busy.add(path);
    try {
      return new PartWriter(place, openSync(path, download ? 'a' : 'wx', 0o600), options, digester);
    } catch (error) {
      this.#busy.delete(path);
      throw error;
    }
  }

  async #adopt(path: string, { digest, size }: Blob, hold: Hold | undefined, download: boolean): Promise<void> {
    hold?.add(digest);
    const target = this.#path(digest);
    const directory = join(this.#blobs, digestAlgorithm(digest));
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    if (download) this.#unfinished.add(digest, this.#now());
    renameSync(path, target);
    this.#sizes.set(digest, size);
    await syncDirectory(directory);
  }

  adopt(path: string, blob: Blob, hold?: Hold): Promise<void> {
    return this.#adopt(path, blob, hold, false);
  }

  async delete(digest: Digest): Promise<void> {
    const path = this.#moveAway(digest);
    if (path !== undefined) await this.#drop(path);
  }

  async release(digest: Digest): Promise<boolean> {
    const path = this.#isHeld(digest) ? undefined : this.#moveAway(digest);
    if (path !== undefined) await this.#drop(path);
    return path !== undefined;
  }

  usage(digest: Digest): number {
    return (statSync(this.#path(digest), { throwIfNoEntry: false })?.blocks ?? 0) * 512;
  }

  list(): Blob[] {
    return [...this.#sizes.keys()].flatMap((digest) => {
      const size = this.size(digest);
      return size === undefined ? [] : [{ digest, size }];
    });
  }

  hold(): Hold {
    const held: HeldBlobs = { digests: new Set(), givesBack: false };
    this.#holds.add(held);
    return {
      add: (digest) => void held.digests.add(digest),
      [Symbol.dispose]: () => {
        if (!this.#holds.delete(held) || !this.#collects) return;
        if (held.givesBack) for (const digest of held.digests) this.#forsake(digest);
        const { paths } = this.#sweep(held.digests);
        for (const path of paths) this.#background.run(this.#drop(path));
      },
    };
  }

  addOwner(live: () => Iterable<string>): void {
    this.#owners.push(live);
  }

  needs(digest: Digest): boolean {
    return this.#isHeld(digest) || this.#live().has(digest);
  }

  async collect(digests?: Iterable<Digest>): Promise<number> {
    this.#collects = true;
    const { paths, freed } = this.#sweep(digests ?? this.#sizes.keys());
    if (digests === undefined) await this.#expireParts();
    for (const path of paths) await this.#drop(path);
    return freed;
  }

  unfinished(): Unfinished[] {
    const parts = this.#unfinished
      .parts()
      .filter(({ path }) => !this.#busy.has(path))
      .map(({ digest, size, at }) => ({ digest, size, at, whole: false }));
    const live = this.#live();
    const whole = [...this.#unfinished.whole()].flatMap(([digest, at]) => {
      const size = live.has(digest) || this.#isHeld(digest) ? undefined : this.size(digest);
      return size === undefined ? [] : [{ digest, size, at, whole: true }];
    });
    return [...parts, ...whole].sort((a, b) => a.at - b.at);
  }

  async discardUnfinished(digests?: Iterable<Digest>): Promise<number> {
    const chosen = digests === undefined ? undefined : new Set(digests);
    let freed = 0;
    for (const { digest, path, usage, unfinished } of await this.files()) {
      if (unfinished === undefined || (chosen !== undefined && !chosen.has(digest))) continue;
      // It may be gone on with by now.
      if (this.#busy.has(path)) continue;
      this.#forsake(digest);
      if (unfinished.whole) await this.collect([digest]);
      if (statSync(path, { throwIfNoEntry: false }) === undefined) freed += usage;
    }
    return freed;
  }

  async files(): Promise<StoredFile[]> {
    const unfinished = this.unfinished();
    const waiting = new Map(unfinished.filter(({ whole }) => whole).map((each) => [each.digest, each]));
    const files: StoredFile[] = [];
    let turn = performance.now();
    const add = async (digest: Digest, path: string, download: Unfinished | undefined): Promise<void> => {
      const blocks = statSync(path, { throwIfNoEntry: false })?.blocks;
      if (blocks !== undefined) files.push({ digest, path, usage: blocks * 512, unfinished: download });
      if (performance.now() - turn < turnMs) return;
      await new Promise(setImmediate);
      turn = performance.now();
    };
    for (const digest of this.#sizes.keys()) await add(digest, this.#path(digest), waiting.get(digest));
    for (const each of unfinished)
      if (!each.whole) await add(each.digest, this.#unfinished.partPath(each.digest), each);
    return files;
  }

  outOfSpace(): void {
    for (const held of this.#holds) held.givesBack = true;
  }

  check(
    options: { quick: boolean; progress?: (bytes: number) => void },
    signal: AbortSignal,
  ): AsyncIterable<BlobProblem> {
    const live = this.#live();
    const places = {
      blobs: this.#blobs,
      ingest: this.#ingest,
      needs: (digest: Digest) => live.has(digest) || this.#unfinished.keeps(digest, this.#now()) || this.needs(digest),
      knows: (name: string) => this.#busy.has(join(this.#ingest, name)) || isDownload(name),
    };
    return checkBlobs(places, options, signal);
  }

  #live(): Set<string> {
    const live = new Set<string>();
    for (const owner of this.#owners) for (const digest of owner()) live.add(digest);
    return live;
  }

  #isHeld(digest: Digest): boolean {
    for (const { digests } of this.#holds) if (digests.has(digest)) return true;
    return false;
  }

  /** An unfinished download whose bytes are not worth keeping: its part, or the mark of the whole blob. */
  #forsake(digest: Digest): void {
    this.#unfinished.remove(digest);
    const part = this.#unfinished.partPath(digest);
    if (!this.#busy.has(part)) rmSync(part, { force: true });
  }

  /** Takes away, in one turn, what of `digests` nobody needs. The files are still to be deleted. */
  #sweep(digests: Iterable<Digest>): { paths: string[]; freed: number } {
    const live = this.#live();
    const now = this.#now();
    const paths: string[] = [];
    let freed = 0;
    for (const digest of digests) {
      if (!this.#sizes.has(digest)) continue;
      if (live.has(digest)) this.#unfinished.remove(digest);
      else if (!this.#isHeld(digest) && !this.#unfinished.keeps(digest, now)) {
        freed += this.size(digest) ?? 0;
        const path = this.#moveAway(digest);
        if (path !== undefined) paths.push(path);
      }
    }
    return { paths, freed };
  }

  /** Out of the store, into the folder that the next daemon clears. */
  #moveAway(digest: Digest): string | undefined {
    this.#unfinished.remove(digest);
    if (!this.#sizes.delete(digest)) return undefined;
    const path = this.#temporary();
    try {
      renameSync(this.#path(digest), path);
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return undefined;
      throw error;
    }
    this.#busy.add(path);
    return path;
  }

  async #drop(path: string): Promise<void> {
    try {
      await rm(path, { force: true });
    } finally {
      this.#busy.delete(path);
    }
  }

  async #expireParts(): Promise<void> {
    const now = this.#now();
    for (const { path, at } of this.#unfinished.parts())
      if (now - at > keptMs && !this.#busy.has(path)) await rm(path, { force: true });
  }

  #temporary(): string {
    return join(this.#ingest, `${process.pid}-${this.#counter++}.tmp`);
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (errorCode(error) === 'ENOTDIR') return [];
    throw error;
  }
}

function missing(digest: Digest): Fault {
  return new Fault('not-found', `Cannot read blob ${digest}: it is not in the store`);
}
