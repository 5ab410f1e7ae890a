/**
 * Folders of what was fetched, kept for the next build that wants the same. One is there whole or not at all, nobody writes to it once it
 * is recorded, and one in use outlives its record.
 */
import { mkdirSync, readdirSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { bootId, diskUsage } from '../../linux/index.ts';
import { formatNanos, type Logger, type Nanos, randomId, Records, shortId } from '../../std/index.ts';
import type { FetchedRecord } from './door.ts';

export interface FolderRecord extends Omit<FetchedRecord, 'inUse'> {
  /** What it is found by, within its kind. */
  readonly key: string;
  readonly facts: Readonly<Record<string, string>>;
  /** Of files that were not synced: the boot that they were written in. After another they may be half there. */
  readonly boot: string | undefined;
}

export interface NewFolder {
  readonly kind: FolderRecord['kind'];
  readonly key: string;
  readonly description: string;
  readonly facts: FolderRecord['facts'];
  readonly synced: boolean;
}

export interface LentFolder extends AsyncDisposable {
  readonly path: string;
  readonly record: FolderRecord;
}

export interface FetchedFoldersOptions {
  root: string;
  log: Logger;
  now: () => Nanos;
}

export class FetchedFolders {
  readonly #root: string;
  readonly #now: () => Nanos;
  readonly #records: Records<FolderRecord>;
  readonly #users = new Map<string, number>();

  private constructor(root: string, now: () => Nanos, records: Records<FolderRecord>) {
    this.#root = root;
    this.#now = now;
    this.#records = records;
  }

  static async open({ root, log, now }: FetchedFoldersOptions): Promise<FetchedFolders> {
    const broken = (path: string): void =>
      log.error('a record of a fetched source cannot be read and was set aside', { path });
    const records = await Records.open<FolderRecord>(join(root, 'records'), broken);
    const folders = join(root, 'folders');
    mkdirSync(folders, { recursive: true, mode: 0o700 });
    const boot = bootId();
    const there = new Set(readdirSync(folders));
    for (const [id, record] of records.entries())
      if (!there.has(id) || (record.boot ?? boot) !== boot) await records.delete(id, { durable: false });
    // What a killed daemon was at, and what it had forgotten while it was in use.
    for (const name of there)
      if (records.get(name) === undefined) await rm(join(folders, name), { recursive: true, force: true });
    return new FetchedFolders(folders, now, records);
  }

  /** The newest of that key. */
  find(kind: FolderRecord['kind'], key: string): FolderRecord | undefined {
    let newest: FolderRecord | undefined;
    for (const record of this.#records.values()) {
      if (record.kind === kind && record.key === key && (newest === undefined || record.createdAt > newest.createdAt))
        newest = record;
    }
    return newest;
  }

  /** The folder, for as long as it is not disposed; its use is noted. */
  async lend(record: FolderRecord): Promise<LentFolder> {
    const lent = this.#take(record);
    const used = { lastUsedAt: formatNanos(this.#now()), usageCount: record.usageCount + 1 };
    if (this.#records.get(record.id) !== undefined)
      await this.#records.put(record.id, { ...record, ...used }, { durable: false });
    return lent;
  }

  /**
   * A new folder: `fill` makes it at the path it is given, where nothing is yet; what it leaves beside it, under the path with an ending,
   * goes. It takes the place of those of the same key.
   */
  async make(fill: (path: string) => Promise<NewFolder>): Promise<LentFolder> {
    const id = shortId(randomId());
    const making = join(this.#root, `${id}.new`);
    try {
      const { synced, ...rest } = await fill(making);
      const path = join(this.#root, id);
      const size = await diskUsage(making);
      await rename(making, path);
      const now = formatNanos(this.#now());
      const boot = synced ? undefined : bootId();
      const record = { id, ...rest, boot, size, createdAt: now, lastUsedAt: now, usageCount: 1 };
      const lent = this.#take(record);
      await this.#records.put(id, record, { durable: synced });
      const older = [...this.#records.values()].filter(
        (each) => each.id !== id && each.kind === rest.kind && each.key === rest.key,
      );
      await this.forget(older.map((each) => each.id));
      return lent;
    } catch (error) {
      await rm(join(this.#root, id), { recursive: true, force: true });
      throw error;
    } finally {
      for (const name of readdirSync(this.#root))
        if (name.startsWith(`${id}.`)) await rm(join(this.#root, name), { recursive: true, force: true });
    }
  }

  /** The folder grew, or shrank, while it was lent. */
  async weigh(id: string): Promise<void> {
    const size = await diskUsage(join(this.#root, id));
    const record = this.#records.get(id);
    if (record !== undefined) await this.#records.put(id, { ...record, size }, { durable: false });
  }

  list(): FetchedRecord[] {
    return [...this.#records.values()].map(({ key: _key, facts: _facts, boot: _boot, ...record }) => ({
      ...record,
      inUse: this.#users.has(record.id),
    }));
  }

  async forget(ids: Iterable<string>): Promise<void> {
    for (const id of ids) {
      if (this.#records.get(id) === undefined) continue;
      await this.#records.delete(id, { durable: false });
      if (!this.#users.has(id)) await rm(join(this.#root, id), { recursive: true, force: true });
    }
  }

  #take(record: FolderRecord): LentFolder {
    const { id } = record;
    this.#users.set(id, (this.#users.get(id) ?? 0) + 1);
    let given = false;
    return {
      path: join(this.#root, id),
      record,
      [Symbol.asyncDispose]: async () => {
        if (given) return;
        given = true;
        const left = this.#users.get(id)! - 1;
        if (left > 0) this.#users.set(id, left);
        else this.#users.delete(id);
        if (left === 0 && this.#records.get(id) === undefined)
          await rm(join(this.#root, id), { recursive: true, force: true });
      },
    };
  }
}
