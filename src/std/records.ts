/**
 * A folder of JSON records, one file per id, each written whole. The whole folder is read once at open; a file that does
 * not parse (power failed before its first sync) is set aside as `<id>.json.broken` and reported, never deleted.
 */
import { lstat, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ensureDirectory, syncDirectory, writeFileAtomic } from './files.ts';

export interface RecordFault {
  kind: 'stray' | 'set-aside' | 'missing';
  path: string;
  /** Of a missing record. */
  id: string | undefined;
  size: number;
}

const writingMs = 60_000;

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

  /** What is wrong with the folder: files that are none of its records, and records whose file is gone. */
  async check(now = Date.now()): Promise<RecordFault[]> {
    const faults: RecordFault[] = [];
    const names = new Set(await readdir(this.#directory));
    for (const name of names) {
      const id = name.endsWith('.json') ? name.slice(0, -'.json'.length) : undefined;
      if (id !== undefined && this.#items.has(id)) continue;
      const path = join(this.#directory, name);
      const stat = await lstat(path).catch(() => undefined);
      // It may be being written, and is renamed or deleted soon.
      if (stat === undefined || (name.endsWith('.tmp') && now - stat.mtimeMs < writingMs)) continue;
      faults.push({
        path,
        id: undefined,
        kind: name.endsWith('.json.broken') ? 'set-aside' : 'stray',
        size: stat.size,
      });
    }
    for (const id of this.#items.keys()) {
      const path = join(this.#directory, `${id}.json`);
      const gone = !names.has(`${id}.json`) && (await lstat(path).catch(() => undefined)) === undefined;
      if (gone && this.#items.has(id)) faults.push({ path, id, kind: 'missing', size: 0 });
    }
    return faults;
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

  /** With `durable: false` a power cut may bring the record back. */
  async delete(id: string, options: { durable?: boolean } = {}): Promise<void> {
    const known = this.#items.delete(id);
    await rm(join(this.#directory, `${id}.json`), { force: true });
    if (known && options.durable !== false) await syncDirectory(this.#directory);
  }
}
