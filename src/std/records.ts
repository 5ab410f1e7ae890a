/**
 * A folder of JSON records, one file per id, each written whole. The whole folder is read once at open; a file that does
 * not parse (power failed before its first sync) is set aside as `<id>.json.broken` and reported, never deleted.
 */
import { readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ensureDirectory, writeFileAtomic } from './files.ts';

export class Records<T> {
  readonly #directory: string;
  readonly #items: Map<string, T>;

  private constructor(directory: string, items: Map<string, T>) {
    this.#directory = directory;
    this.#items = items;
  }

  static async open<T>(directory: string, onBroken: (path: string) => void = () => {}): Promise<Records<T>> {
    await ensureDirectory(directory, 0o700);
    const items = new Map<string, T>();
    for (const name of await readdir(directory)) {
      const path = join(directory, name);
      if (name.endsWith('.tmp')) await rm(path, { force: true });
      if (!name.endsWith('.json')) continue;
      try {
        items.set(name.slice(0, -'.json'.length), JSON.parse(await readFile(path, 'utf8')) as T);
      } catch {
        await rename(path, `${path}.broken`);
        onBroken(path);
      }
    }
    return new Records(directory, items);
  }

  get(id: string): T | undefined {
    return this.#items.get(id);
  }

  values(): IterableIterator<T> {
    return this.#items.values();
  }

  entries(): IterableIterator<[string, T]> {
    return this.#items.entries();
  }

  /**
   * Stores `value` under `id` (a safe file name). With `durable: false` a power cut may lose this write, not older ones. When
   * it cannot be written, what was there before stands.
   */
  async put(id: string, value: T, options: { durable?: boolean } = {}): Promise<void> {
    const before = this.#items.get(id);
    this.#items.set(id, value);
    try {
      await writeFileAtomic(join(this.#directory, `${id}.json`), JSON.stringify(value), options);
    } catch (error) {
      if (this.#items.get(id) === value) {
        if (before === undefined) this.#items.delete(id);
        else this.#items.set(id, before);
      }
      throw error;
    }
  }

  async delete(id: string): Promise<void> {
    this.#items.delete(id);
    await rm(join(this.#directory, `${id}.json`), { force: true });
  }
}
