/**
 * What this machine has images of: one record per image id, and the references that name them. Configs are read once and kept,
 * for lists and lookups are asked all the time.
 */
import { join } from 'node:path';
import type { Content } from '../content/index.ts';
import {
  chainIds,
  type Descriptor,
  type Digest,
  familiarReference,
  formatReference,
  type ImageConfig,
  parseImageConfig,
  parseReference,
  type Reference,
} from '../oci/index.ts';
import {
  ensureDirectory,
  formatNanos,
  nowNanos,
  readFileIfExists,
  Records,
  writeFileAtomic,
  zeroTime,
} from '../std/index.ts';

/** How an image came to be here first; a registry's is not marked. */
export type ImageOrigin = 'load' | 'import' | 'commit';

export interface ImageRecord {
  /** The digest of the config blob. */
  id: Digest;
  /** The manifest that names config and layers; ours where the image came without one. */
  manifest: Digest;
  layers: Descriptor[];
  /** The image it was committed or built from here. */
  parent: Digest | undefined;
  origin?: ImageOrigin | undefined;
  /** RFC 3339. */
  lastTagged: string;
}

export interface StoredImage extends ImageRecord {
  config: ImageConfig;
  /** Of every prefix of the layers, the bottom's first. */
  chain: Digest[];
}

export class ImageRecords {
  readonly #records: Records<ImageRecord>;
  readonly #file: string;
  readonly #images = new Map<Digest, StoredImage>();
  readonly #references: Map<string, { reference: Reference; id: Digest }>;

  private constructor(
    records: Records<ImageRecord>,
    file: string,
    references: Map<string, { reference: Reference; id: Digest }>,
  ) {
    this.#records = records;
    this.#file = file;
    this.#references = references;
  }

  /** An image whose config blob is gone (the disk was tampered with) is dropped. */
  static async open(root: string, content: Content): Promise<ImageRecords> {
    await ensureDirectory(root, 0o700);
    const records = await Records.open<ImageRecord>(join(root, 'images'));
    const file = join(root, 'references.json');
    const saved = JSON.parse((await readFileIfExists(file))?.toString() ?? '{}') as Record<string, Digest>;
    const references = new Map(
      Object.entries(saved).map(([text, id]) => [text, { reference: parseReference(text), id }]),
    );
    const opened = new ImageRecords(records, file, references);
    for (const record of records.values()) {
      if (content.has(record.id)) opened.#remember(record, parseImageConfig(await content.read(record.id)));
      else await records.delete(fileName(record.id));
    }
    for (const [text, { id }] of references) if (!opened.#images.has(id)) references.delete(text);
    return opened;
  }

  #remember(record: ImageRecord, config: ImageConfig): StoredImage {
    const image = { ...record, config, chain: chainIds(config.rootfs.diff_ids) };
    this.#images.set(record.id, image);
    return image;
  }

  get(id: string): StoredImage | undefined {
    return this.#images.get(id as Digest);
  }

  all(): StoredImage[] {
    return [...this.#images.values()];
  }

  /** Adds an image, or refreshes one: a known parent, origin and tag time stay. */
  async put(record: Omit<ImageRecord, 'lastTagged'>, config: ImageConfig): Promise<StoredImage> {
    const known = this.#images.get(record.id);
    const whole: ImageRecord = {
      ...record,
      parent: record.parent ?? known?.parent,
      origin: known === undefined ? record.origin : known.origin,
      lastTagged: known?.lastTagged ?? zeroTime,
    };
    await this.#records.put(fileName(record.id), whole);
    return this.#remember(whole, config);
  }

  async delete(id: Digest): Promise<void> {
    this.#images.delete(id);
    await this.#records.delete(fileName(id));
  }

  children(id: Digest): StoredImage[] {
    return this.all().filter((image) => image.parent === id);
  }

  /** References to an image, tags first, each in order of their text. */
  references(id: Digest): Reference[] {
    return [...this.#references.values()]
      .filter((entry) => entry.id === id)
      .map((entry) => entry.reference)
      .sort(
        (a, b) =>
          Number(a.digest !== undefined) - Number(b.digest !== undefined) ||
          (familiarReference(a) < familiarReference(b) ? -1 : 1),
      );
  }

  allReferences(): Reference[] {
    return [...this.#references.values()].map((entry) => entry.reference);
  }

  lookup(reference: Reference): Digest | undefined {
    return this.#references.get(formatReference(reference))?.id;
  }

  /** Points `reference` (with a tag or a digest) to the image. Returns the image it pointed to before. */
  async point(reference: Reference, id: Digest): Promise<Digest | undefined> {
    const text = formatReference(reference);
    const before = this.#references.get(text)?.id;
    if (before !== id) {
      this.#references.set(text, { reference, id });
      await this.#save();
    }
    const image = this.#images.get(id);
    if (reference.digest === undefined && image !== undefined) {
      image.lastTagged = formatNanos(nowNanos());
      const { config: _, chain: __, ...record } = image;
      await this.#records.put(fileName(id), record, { durable: false });
    }
    return before;
  }

  async unpoint(references: readonly Reference[]): Promise<void> {
    for (const reference of references) this.#references.delete(formatReference(reference));
    await this.#save();
  }

  async #save(): Promise<void> {
    const sorted = [...this.#references].sort(([a], [b]) => (a < b ? -1 : 1)).map(([text, { id }]) => [text, id]);
    await writeFileAtomic(this.#file, JSON.stringify(Object.fromEntries(sorted)));
  }
}

function fileName(id: Digest): string {
  return id.slice(id.indexOf(':') + 1);
}
