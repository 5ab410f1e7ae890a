/**
 * Records that know when they were last of use. That is kept in memory and written from time to time, not with every use: a crash
 * loses minutes of it, and no record.
 */
import { createHash } from 'node:crypto';
import { type Logger, Records } from '../std/index.ts';

export interface Used {
  /** Milliseconds since the epoch. */
  usedAt: number;
}

export interface UsedRecordsOptions<T> {
  folder: string;
  /** What a record is found by. */
  keyOf: (value: T) => string;
  now: () => number;
  log: Logger;
}

export class UsedRecords<T extends Used> {
  readonly #records: Records<T>;
  readonly #options: UsedRecordsOptions<T>;
  readonly #byKey = new Map<string, T>();
  /** Keys of records whose time of use is not written yet. */
  #stale = new Set<string>();

  private constructor(records: Records<T>, options: UsedRecordsOptions<T>) {
    this.#records = records;
    this.#options = options;
    for (const value of records.values()) this.#byKey.set(options.keyOf(value), value);
  }

  static async open<T extends Used>(options: UsedRecordsOptions<T>): Promise<UsedRecords<T>> {
    const records = await Records.open<T>(options.folder, (path) =>
      options.log.error('a record of the pull-through cache cannot be read and was set aside', { path }),
    );
    return new UsedRecords(records, options);
  }

  get(key: string): T | undefined {
    return this.#byKey.get(key);
  }

  values(): IterableIterator<T> {
    return this.#byKey.values();
  }

  /** Found at once, durable when it returns. When it cannot be written, it is as if it had not been put. */
  async put(value: T): Promise<void> {
    const key = this.#options.keyOf(value);
    const before = this.#byKey.get(key);
    this.#byKey.set(key, value);
    this.#stale.delete(key);
    try {
      await this.#records.put(fileOf(key), value);
    } catch (error) {
      if (this.#byKey.get(key) === value) {
        if (before === undefined) this.#byKey.delete(key);
        else this.#byKey.set(key, before);
      }
      throw error;
    }
  }

  touch(key: string): void {
    const value = this.#byKey.get(key);
    if (value === undefined) return;
    value.usedAt = this.#options.now();
    this.#stale.add(key);
  }

  async delete(key: string): Promise<void> {
    this.#stale.delete(key);
    this.#byKey.delete(key);
    await this.#records.delete(fileOf(key), { durable: false });
  }

  /** Writes the times of use. */
  async flush(): Promise<void> {
    const stale = this.#stale;
    this.#stale = new Set();
    for (const key of stale) {
      const value = this.#byKey.get(key);
      if (value !== undefined) await this.#records.put(fileOf(key), value, { durable: false });
    }
  }
}

/** Keys hold names from outside: a file is called by what they hash to. */
function fileOf(key: string): string {
  return createHash('sha256').update(key).digest('hex').slice(0, 40);
}
