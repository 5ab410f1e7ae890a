/**
 * What came through the cache: manifests and tags under the name of the repository they are of, and the blobs that are kept. It
 * decides what may be seen: under a repository's name only what a manifest of that repository, fetched through here, refers to, or
 * what its registry said it has. What else is in the store of this machine is nobody's business.
 */
import { join } from 'node:path';
import type { Blob, Content } from '../content/index.ts';
import type { Digest, ManifestOrIndex } from '../oci/index.ts';
import { Fault, type Logger } from '../std/index.ts';
import { type Bounds, type Entry, planEviction } from './retention.ts';
import { type Used, UsedRecords } from './used-records.ts';
import { Visible } from './visible.ts';

export interface ManifestRecord extends Used, Blob {
  /** `docker.io/library/busybox`. */
  repository: string;
  mediaType: string;
  /** Config and layers. */
  blobs: Blob[];
}

export interface TagRecord extends Used {
  repository: string;
  tag: string;
  digest: Digest;
}

export interface BlobRecord extends Used, Blob {
  /** Where it came from, or was said to be. */
  repositories: string[];
}

/** Something that can be evicted. */
export interface Droppable extends Entry {
  /** Of a blob of the store. */
  digest?: Digest;
  drop: () => Promise<void>;
}

export interface CatalogOptions {
  root: string;
  content: Content;
  log: Logger;
  now: () => number;
}

/** Beyond this the oldest go, however small they are: every record is in memory. */
const mostWeight = 20_000;
const blobsPerWeight = 10;
/** No honest manifest names more. */
const mostBlobs = 10_000;
/** More names are not remembered for one blob. */
const mostRepositories = 50;

export class Catalog {
  readonly #content: Content;
  readonly #now: () => number;
  readonly #manifests: UsedRecords<ManifestRecord>;
  readonly #tags: UsedRecords<TagRecord>;
  readonly #blobs: UsedRecords<BlobRecord>;
  readonly #visible = new Visible();

  private constructor(
    { content, now }: CatalogOptions,
    manifests: UsedRecords<ManifestRecord>,
    tags: UsedRecords<TagRecord>,
    blobs: UsedRecords<BlobRecord>,
  ) {
    this.#content = content;
    this.#now = now;
    this.#manifests = manifests;
    this.#tags = tags;
    this.#blobs = blobs;
  }

  /** Registers as an owner of blobs. Records whose bytes are gone are dropped. */
  static async open(options: CatalogOptions): Promise<Catalog> {
    const { root, content, now, log } = options;
    const open = <T extends Used>(name: string, keyOf: (value: T) => string): Promise<UsedRecords<T>> =>
      UsedRecords.open({ folder: join(root, name), keyOf, now, log });
    const manifests = await open<ManifestRecord>('manifests', (record) =>
      manifestKey(record.repository, record.digest),
    );
    const tags = await open<TagRecord>('tags', (record) => tagKey(record.repository, record.tag));
    const blobs = await open<BlobRecord>('blobs', (record) => record.digest);
    const catalog = new Catalog(options, manifests, tags, blobs);
    for (const record of manifests.values()) {
      if (content.has(record.digest)) catalog.#visible.add(record.repository, record.blobs);
      else await manifests.delete(manifestKey(record.repository, record.digest));
    }
    for (const { repository, tag } of tags.values())
      if (catalog.tag(repository, tag) === undefined) await catalog.dropTag(repository, tag);
    for (const { digest } of blobs.values()) if (!content.has(digest)) await blobs.delete(digest);
    content.addOwner(() => catalog.#live());
    return catalog;
  }

  /** A manifest of the repository whose bytes are in the store. */
  manifest(repository: string, digest: Digest): ManifestRecord | undefined {
    const record = this.#manifests.get(manifestKey(repository, digest));
    return record !== undefined && this.#content.has(digest) ? record : undefined;
  }

  /** Its bytes must be in the store, and held. */
  async addManifest(
    repository: string,
    { digest, size, mediaType }: Blob & { mediaType: string },
    parsed: ManifestOrIndex,
  ): Promise<ManifestRecord> {
    const known = this.#manifests.get(manifestKey(repository, digest));
    if (known !== undefined) return known;
    const blobs = parsed.kind === 'index' ? [] : blobsOf(parsed.manifest);
    if (blobs.length > mostBlobs) {
      throw new Fault('invalid', `Cannot keep manifest ${digest}: it names more than ${mostBlobs} blobs`);
    }
    const record: ManifestRecord = { repository, digest, size, mediaType, blobs, usedAt: this.#now() };
    const stored = this.#manifests.put(record);
    // In the same turn, so that whoever finds the record finds its blobs, too.
    this.#visible.add(repository, blobs);
    try {
      await stored;
    } catch (error) {
      this.#visible.remove(repository, blobs);
      throw error;
    }
    return record;
  }

  /** What the tag was last known to mean, of what is here. */
  tag(repository: string, tag: string): ManifestRecord | undefined {
    const record = this.#tags.get(tagKey(repository, tag));
    return record === undefined ? undefined : this.manifest(repository, record.digest);
  }

  async setTag(repository: string, tag: string, digest: Digest): Promise<void> {
    const key = tagKey(repository, tag);
    if (this.#tags.get(key)?.digest === digest) this.#tags.touch(key);
    else await this.#tags.put({ repository, tag, digest, usedAt: this.#now() });
  }

  async dropTag(repository: string, tag: string): Promise<void> {
    await this.#tags.delete(tagKey(repository, tag));
  }

  /** The tags of what is here, in order. */
  tags(repository: string): string[] {
    return [...this.#tags.values()]
      .filter((record) => record.repository === repository && this.manifest(repository, record.digest) !== undefined)
      .map(({ tag }) => tag)
      .sort((a, b) => (a < b ? -1 : 1));
  }

  /** The size of a blob that may be seen under the repository's name; undefined for any other. */
  blobSize(repository: string, digest: Digest): number | undefined {
    const record = this.#blobs.get(digest);
    return record?.repositories.includes(repository) === true ? record.size : this.#visible.size(repository, digest);
  }

  /** The registry said that the repository has the blob. */
  confirm(repository: string, blob: Blob): void {
    this.#visible.confirm(repository, blob);
  }

  /** Keeps a blob, which must be in the store and held, because it was asked for under the repository's name. */
  async keep(repository: string, { digest, size }: Blob): Promise<void> {
    const known = this.#blobs.get(digest);
    if (
      known !== undefined &&
      (known.repositories.includes(repository) || known.repositories.length >= mostRepositories)
    ) {
      this.#blobs.touch(digest);
      return;
    }
    const repositories = [...(known?.repositories ?? []), repository];
    await this.#blobs.put({ digest, size, repositories, usedAt: this.#now() });
  }

  /** Somebody asked for the manifest: whoever has its blobs already uses them, too. */
  used({ repository, digest, blobs }: ManifestRecord): void {
    this.#manifests.touch(manifestKey(repository, digest));
    for (const blob of blobs) this.#blobs.touch(blob.digest);
  }

  /**
   * Lets go of what does not fit the bounds; what images need stays in the store without being the cache's.
   * @param others what goes by the same rules, and is not the catalog's @param beside bytes that count, and have to stay
   */
  async trim(
    bounds: Omit<Bounds, 'maxWeight'>,
    others: readonly Droppable[],
    beside: number,
  ): Promise<{ entries: number; bytes: number }> {
    const limits = { ...bounds, maxWeight: mostWeight };
    const now = this.#now();
    const blobs = [...this.#blobs.values()].map((record): Droppable => {
      const drop = (): Promise<void> => this.#blobs.delete(record.digest);
      return { digest: record.digest, size: record.size, usedAt: record.usedAt, weight: 1, drop };
    });
    const manifests = [...this.#manifests.values()].map((record): Droppable => {
      const weight = 1 + record.blobs.length / blobsPerWeight;
      const drop = (): Promise<void> => this.#dropManifest(record);
      return { digest: record.digest, size: record.size, usedAt: record.usedAt, weight, drop };
    });
    const evicted = planEviction([...blobs, ...manifests, ...others], limits, { now, beside });
    for (const { drop } of evicted) await drop();
    await this.#trimTags(limits, now);
    await this.#content.collect(evicted.flatMap(({ digest }) => digest ?? []));
    return { entries: evicted.length, bytes: evicted.reduce((sum, { size }) => sum + size, 0) };
  }

  async #trimTags(limits: Bounds, now: number): Promise<void> {
    const tags = [...this.#tags.values()].map((record) => ({ ...record, size: 0, weight: 1 }));
    const lost = tags.filter(({ repository, tag }) => this.tag(repository, tag) === undefined);
    const old = planEviction(tags, limits, { now, beside: 0 });
    for (const { repository, tag } of [...lost, ...old]) await this.dropTag(repository, tag);
  }

  async #dropManifest({ repository, digest, blobs }: ManifestRecord): Promise<void> {
    const key = manifestKey(repository, digest);
    if (this.#manifests.get(key) === undefined) return;
    this.#visible.remove(repository, blobs);
    await this.#manifests.delete(key);
  }

  /** Everything that is kept, each once. */
  *kept(): Generator<Blob & Used> {
    yield* this.#blobs.values();
    yield* new Map([...this.#manifests.values()].map((record) => [record.digest, record])).values();
  }

  *#live(): Generator<string> {
    for (const { digest } of this.#blobs.values()) yield digest;
    for (const { digest } of this.#manifests.values()) yield digest;
  }

  /** Writes when things were last of use. */
  async flush(): Promise<void> {
    await this.#blobs.flush();
    await this.#manifests.flush();
    await this.#tags.flush();
  }
}

/** A layer that lies elsewhere (`urls`) need not be in the repository: that it is named proves nothing. */
function blobsOf({ config, layers }: Extract<ManifestOrIndex, { kind: 'manifest' }>['manifest']): Blob[] {
  const own = [config, ...layers].filter(({ urls }) => urls === undefined || urls.length === 0);
  return own.map(({ digest, size }) => ({ digest, size }));
}

function manifestKey(repository: string, digest: Digest): string {
  return `${repository}@${digest}`;
}

function tagKey(repository: string, tag: string): string {
  return `${repository}:${tag}`;
}
