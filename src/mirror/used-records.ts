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

export class UsedRecords<T extends Used> {
  readonly #records: Records<T>;
  readonly #now: () => number;
  /** Ids of records whose time of use is not written yet. */
  #stale = new Set<string>();

  private constructor(records: Records<T>, now: () => number) {
    this.#records = records;
    this.#now = now;
  }

  static async open<T extends Used>(folder: string, now: () => number, log: Logger): Promise<UsedRecords<T>> {
    const records = await Records.open<T>(folder, (path) =>
      log.error('a record of the pull-through cache cannot be read and was set aside', { path }),
    );
    return new UsedRecords(records, now);
  }

  get(key: string): T | undefined {
    return this.#records.get(idOf(key));
  }

  values(): IterableIterator<T> {
    return this.#records.values();
  }

  /** Durable when it returns. */
  async put(key: string, value: T): Promise<void> {
    this.#stale.delete(idOf(key));
    await this.#records.put(idOf(key), value);
  }

  touch(key: string): void {
    const value = this.get(key);
    if (value === undefined) return;
    value.usedAt = this.#now();
    this.#stale.add(idOf(key));
  }

  async delete(key: string): Promise<void> {
    this.#stale.delete(idOf(key));
    await this.#records.delete(idOf(key));
  }

  /** Writes the times of use. */
  async flush(): Promise<void> {
    const stale = this.#stale;
    this.#stale = new Set();
    for (const id of stale) {
      const value = this.#records.get(id);
      if (value !== undefined) await this.#records.put(id, value, { durable: false });
    }
  }
}

/** Keys hold names from outside: a file is called by what they hash to. */
function idOf(key: string): string {
  return createHash('sha256').update(key).digest('hex').slice(0, 40);
}
