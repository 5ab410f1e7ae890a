/**
 * What this machine has images of: one record per image id, and the references that name them. Configs are read once and kept,
 * for lists and lookups are asked all the time.
 */
import { readdir, rename, rm } from 'node:fs/promises';
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
  isDiskFull,
  type Logger,
  messageOf,
  nowNanos,
  readFileIfExists,
  type RecordFault,
  Records,
  writeFileAtomic,
  zeroTime,
} from '../std/index.ts';
import { Reserve } from './reserve.ts';
import { ImageUsage } from './usage.ts';

/** How an image came to be here first; a registry's is not marked. */
export type ImageOrigin = 'load' | 'import' | 'commit' | 'build';

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

/** An image that cannot be used: its config is missing or damaged. What else is here of it waits for the config. */
export interface LostImage {
  record: ImageRecord;
  references: Reference[];
}

interface Name {
  reference: Reference;
  id: Digest;
}

export class ImageRecords {
  readonly usage: ImageUsage;
  readonly #records: Records<ImageRecord>;
  readonly #file: string;
  readonly #reserve: Reserve;
  readonly #images = new Map<Digest, StoredImage>();
  readonly #lost = new Map<Digest, ImageRecord>();
  readonly #references: Map<string, Name>;
  /** Names given up that the disk had no room to forget. */
  #unsaved: [string, Name][] = [];

  private constructor(records: Records<ImageRecord>, file: string, references: Map<string, Name>, usage: ImageUsage) {
    this.#records = records;
    this.#file = file;
    this.#reserve = new Reserve(`${file}.room`);
    this.#references = references;
    this.usage = usage;
  }

  /** What cannot be read is set aside or lost, and told to `log`; the others are there. */
  static async open(root: string, content: Content, log: Logger): Promise<ImageRecords> {
    await ensureDirectory(root, 0o700);
    const broken = (path: string): void => log.error('an image record cannot be read and was set aside', { path });
    const records = await Records.open<ImageRecord>(join(root, 'images'), broken);
    for (const name of await readdir(root)) if (name.endsWith('.tmp')) await rm(join(root, name), { force: true });
    const file = join(root, 'references.json');
    const references = await readReferences(file, log);
    const opened = new ImageRecords(records, file, references, await ImageUsage.open(join(root, 'usage.json')));
    for (const record of records.values()) {
      try {
        opened.#remember(record, parseImageConfig(await content.read(record.id)));
      } catch (error) {
        opened.#lost.set(record.id, record);
        const names = opened.namesOf(record.id).map(familiarReference);
        log.warn('an image is lost; mend it with: wherry system verify --repair', {
          image: record.id,
          names,
          error: messageOf(error),
        });
      }
    }
    const known = (id: Digest): boolean => opened.#images.has(id) || opened.#lost.has(id);
    for (const [text, { id }] of references) if (!known(id)) references.delete(text);
    await opened.#reserve.fill(0);
    return opened;
  }

  #remember(record: ImageRecord, config: ImageConfig): StoredImage {
    const lastTagged = this.usage.tagged(record.id) ?? record.lastTagged;
    const image = { ...record, lastTagged, config, chain: chainIds(config.rootfs.diff_ids) };
    this.#images.set(record.id, image);
    return image;
  }

  lost(): LostImage[] {
    return [...this.#lost.values()].map((record) => ({ record, references: this.namesOf(record.id) }));
  }

  /** Names of an image, lost ones' too. */
  namesOf(id: Digest): Reference[] {
    return [...this.#references.values()].filter((name) => name.id === id).map(({ reference }) => reference);
  }

  /** What is wrong with the folder of records. */
  check(): Promise<RecordFault[]> {
    return this.#records.check();
  }

  /** Writes the record of that file name again. */
  async write(name: string): Promise<void> {
    const record = this.#records.get(name);
    if (record !== undefined) await this.#records.put(name, record);
  }

  /** The config of a lost image is back: it is an image again. */
  find(record: ImageRecord, config: ImageConfig): void {
    this.#lost.delete(record.id);
    this.#remember(record, config);
  }

  /** The config of an image turned out to be damaged, and cannot be had again. */
  lose(id: Digest): void {
    const record = this.#records.get(fileName(id));
    this.#images.delete(id);
    if (record !== undefined) this.#lost.set(id, record);
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
    this.#lost.delete(record.id);
    this.usage.markUsed(record.id);
    return this.#remember(whole, config);
  }

  async delete(id: Digest): Promise<void> {
    this.#images.delete(id);
    this.#lost.delete(id);
    this.usage.forget(id);
    await this.#records.delete(fileName(id), { durable: false });
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

  /** Of the images there are. */
  allReferences(): Reference[] {
    return [...this.#references.values()].filter(({ id }) => this.#images.has(id)).map(({ reference }) => reference);
  }

  lookup(reference: Reference): Digest | undefined {
    const id = this.#references.get(formatReference(reference))?.id;
    return id !== undefined && this.#images.has(id) ? id : undefined;
  }

  /** Blobs of images, lost ones too, and the indexes by which they came. */
  *blobs(): Generator<string> {
    for (const records of [this.#images.values(), this.#lost.values()]) {
      for (const record of records) {
        yield record.id;
        yield record.manifest;
        for (const layer of record.layers) yield layer.digest;
      }
    }
    for (const { reference } of this.#references.values()) if (reference.digest !== undefined) yield reference.digest;
  }

  /** Points `reference` (with a tag or a digest) to the image. Returns the image it pointed to before. */
  async point(reference: Reference, id: Digest): Promise<Digest | undefined> {
    return (await this.pointAll([reference], id))[0];
  }

  /** Points several references to one image, all or none. Returns the images they pointed to before. */
  async pointAll(references: readonly Reference[], id: Digest): Promise<(Digest | undefined)[]> {
    const names = references.map((reference) => {
      const text = formatReference(reference);
      return { text, reference, before: this.#references.get(text) };
    });
    const moved = names.filter(({ before }) => before?.id !== id);
    for (const { text, reference } of moved) this.#references.set(text, { reference, id });
    if (moved.length > 0) {
      try {
        await this.#save();
      } catch (error) {
        for (const { text, before } of moved) {
          if (before === undefined) this.#references.delete(text);
          else this.#references.set(text, before);
        }
        throw error;
      }
    }
    for (const { text, before } of moved) if (before !== undefined) this.usage.moved(text, before.id, id);
    const image = this.#images.get(id);
    if (image !== undefined && references.some(({ digest }) => digest === undefined)) {
      image.lastTagged = formatNanos(nowNanos());
      this.usage.markTagged(id, image.lastTagged);
    }
    return names.map(({ before }) => before?.id);
  }

  /**
   * Gives up names, in room that was kept for it when the disk is full. Where that is taken, too, an image can be removed all
   * the same, which makes room: then the list is written by `flush`.
   */
  async unpoint(references: readonly Reference[]): Promise<void> {
    const removed = references.flatMap((reference): [string, Name][] => {
      const text = formatReference(reference);
      const name = this.#references.get(text);
      this.#references.delete(text);
      this.usage.unnamed(text);
      return name === undefined ? [] : [[text, name]];
    });
    this.#unsaved.push(...removed);
    try {
      await this.#save().catch(async (error: unknown) => {
        if (!isDiskFull(error)) throw error;
        await this.#reserve.release();
        await this.#save();
      });
      this.#unsaved = [];
    } catch (error) {
      if (isDiskFull(error)) return;
      this.#restore();
      throw error;
    }
  }

  /** Writes what `unpoint` could not. Where that fails again, images that are still there have their names back. */
  async flush(): Promise<void> {
    if (this.#unsaved.length === 0) return;
    try {
      await this.#save();
      this.#unsaved = [];
    } catch (error) {
      this.#restore();
      throw error;
    }
  }

  #restore(): void {
    for (const [text, name] of this.#unsaved) if (this.#images.has(name.id)) this.#references.set(text, name);
    this.#unsaved = [];
  }

  async #save(): Promise<void> {
    const sorted = [...this.#references].sort(([a], [b]) => (a < b ? -1 : 1)).map(([text, { id }]) => [text, id]);
    const bytes = JSON.stringify(Object.fromEntries(sorted));
    await writeFileAtomic(this.#file, bytes);
    await this.#reserve.fill(bytes.length);
  }
}

async function readReferences(file: string, log: Logger): Promise<Map<string, Name>> {
  const bytes = await readFileIfExists(file);
  try {
    const saved = JSON.parse(bytes?.toString() ?? '{}') as Record<string, Digest>;
    return new Map(Object.entries(saved).map(([text, id]) => [text, { reference: parseReference(text), id }]));
  } catch {
    await rename(file, `${file}.broken`);
    log.error('the names of images cannot be read and were set aside; images are there by their ids', {
      path: `${file}.broken`,
    });
    return new Map();
  }
}

function fileName(id: Digest): string {
  return id.slice(id.indexOf(':') + 1);
}
