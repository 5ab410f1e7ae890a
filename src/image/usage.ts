/**
 * What is remembered of images beside their records: when a name was last put on them, when they were last used, and what
 * each name meant before it moved. It is a memory, not a record: written after a while, and nothing depends on its being there.
 */
import type { Digest } from '../oci/index.ts';
import { readFileIfExists, writeFileAtomic } from '../std/index.ts';

interface Memory {
  /** RFC 3339. */
  tagged?: string;
  /** Milliseconds since the epoch: pulled, loaded, built, tagged, or a container made from it. */
  used?: number;
  /** When a container of it was last started, as `used`. */
  ran?: number;
}

interface Saved {
  images: Record<string, Memory>;
  /** By name (with its tag): the image it meant before, from which a container ran. */
  lastGood: Record<string, string>;
}

const writeAfterMs = 5000;

export class ImageUsage implements AsyncDisposable {
  readonly #file: string;
  readonly #images: Map<string, Memory>;
  readonly #lastGood: Map<string, string>;
  readonly #now: () => number;
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> = Promise.resolve();

  private constructor(file: string, saved: Saved, now: () => number) {
    this.#file = file;
    this.#images = new Map(Object.entries(saved.images));
    this.#lastGood = new Map(Object.entries(saved.lastGood));
    this.#now = now;
  }

  static async open(file: string, now: () => number = Date.now): Promise<ImageUsage> {
    return new ImageUsage(file, parse(await readFileIfExists(file)), now);
  }

  tagged(id: Digest): string | undefined {
    return this.#images.get(id)?.tagged;
  }

  /** 0 for an image that nobody has used since this is remembered. */
  used(id: Digest): number {
    return this.#images.get(id)?.used ?? 0;
  }

  markTagged(id: Digest, at: string): void {
    this.#remember(id, { tagged: at, used: this.#now() });
  }

  markUsed(id: Digest): void {
    this.#remember(id, { used: this.#now() });
  }

  markRan(id: Digest): void {
    this.#remember(id, { used: this.#now(), ran: this.#now() });
  }

  /** A name moved from one image to another. What a container ran from is the way back if the new one is no good. */
  moved(name: string, from: Digest, to: Digest): void {
    if (this.#images.get(from)?.ran !== undefined) this.#lastGood.set(name, from);
    if (this.#lastGood.get(name) === to) this.#lastGood.delete(name);
    this.#changed();
  }

  /** The name is given up: there is nothing to go back to. */
  unnamed(name: string): void {
    if (this.#lastGood.delete(name)) this.#changed();
  }

  /** The names whose last good deployment the image is. */
  lastGoodOf(id: Digest): string[] {
    return [...this.#lastGood].filter(([, image]) => image === id).map(([name]) => name);
  }

  forget(id: Digest): void {
    for (const name of this.lastGoodOf(id)) this.#lastGood.delete(name);
    if (this.#images.delete(id)) this.#changed();
  }

  /** Writes what has changed. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#timer !== undefined) this.#write();
    await this.#writing;
  }

  #remember(id: Digest, memory: Memory): void {
    this.#images.set(id, { ...this.#images.get(id), ...memory });
    this.#changed();
  }

  #changed(): void {
    this.#timer ??= setTimeout(() => this.#write(), writeAfterMs).unref();
  }

  #write(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const saved: Saved = { images: Object.fromEntries(this.#images), lastGood: Object.fromEntries(this.#lastGood) };
    // A full disk costs the memory of some minutes; the next change tries again.
    this.#writing = this.#writing.then(() => writeFileAtomic(this.#file, JSON.stringify(saved))).catch(() => {});
  }
}

/** What cannot be read is forgotten. */
function parse(bytes: Buffer | undefined): Saved {
  const none: Saved = { images: {}, lastGood: {} };
  if (bytes === undefined) return none;
  try {
    const { images, lastGood } = JSON.parse(bytes.toString()) as Partial<Saved>;
    return { images: { ...images }, lastGood: { ...lastGood } };
  } catch {
    return none;
  }
}
