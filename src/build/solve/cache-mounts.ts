/** The folders behind `RUN --mount=type=cache`: they outlive builds, and are in no layer. */
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, renameSync, statSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { digestHex, sha256 } from '../../oci/index.ts';
import { formatNanos, KeyedMutex, type Logger, type Nanos, type RecordFault, Records, Slots } from '../../std/index.ts';
import type { ExecMount } from '../plan/step.ts';

export type CacheMount = Extract<ExecMount, { type: 'cache' }>;

/** A cache as it lies on disk. */
export interface CacheFolder {
  /** Of its folder. */
  name: string;
  path: string;
  /** As the Dockerfile calls it, with its namespace. */
  id: string;
  /** Where the last step that used it had it. */
  target: string;
  createdAt: string;
  lastUsedAt: string;
  usageCount: number;
  inUse: boolean;
}

/** Puts what it begins with into an empty folder. */
export type FillFolder = (folder: string, signal: AbortSignal) => Promise<void>;

type CacheRecord = Omit<CacheFolder, 'name' | 'path' | 'inUse'>;

export class CacheMounts {
  readonly #root: string;
  readonly #making = new KeyedMutex();
  readonly #users = new Map<string, Slots>();
  readonly #lent = new Map<string, number>();
  readonly #records: Records<CacheRecord>;
  readonly #now: () => Nanos;

  private constructor(root: string, records: Records<CacheRecord>, now: () => Nanos) {
    this.#root = root;
    this.#records = records;
    this.#now = now;
  }

  /** Throws away what a crash left half made. */
  static async open(root: string, { log, now }: { log: Logger; now: () => Nanos }): Promise<CacheMounts> {
    mkdirSync(root, { recursive: true, mode: 0o700 });
    for (const name of readdirSync(root)) {
      if (!/^[0-9a-f]{64}\.(?:new|gone)$/.test(name)) continue;
      await rm(join(root, name), { recursive: true, force: true });
    }
    const broken = (path: string): void =>
      log.error('the record of a build cache folder cannot be read and was set aside', { path });
    return new CacheMounts(root, await Records.open<CacheRecord>(join(root, 'records'), broken), now);
  }

  /** What is wrong with the folder: records, and what is none of ours. */
  async check(): Promise<RecordFault[]> {
    const own = /^(?:[0-9a-f]{64}(?:\.new|\.gone)?|records)$/;
    const strays = readdirSync(this.#root)
      .filter((name) => !own.test(name))
      .map((name): RecordFault => {
        const path = join(this.#root, name);
        return { kind: 'stray', path, id: undefined, size: statSync(path, { throwIfNoEntry: false })?.size ?? 0 };
      });
    return [...(await this.#records.check()), ...strays];
  }

  list(): CacheFolder[] {
    const names = readdirSync(this.#root).filter((name) => /^[0-9a-f]{64}$/.test(name));
    return names.map((name) => {
      const path = join(this.#root, name);
      const made = formatNanos(BigInt(Math.round(statSync(path).birthtimeMs)) * 1_000_000n);
      const unknown = { id: name, target: '', createdAt: made, lastUsedAt: made, usageCount: 0 };
      return { name, path, ...(this.#records.get(name) ?? unknown), inUse: (this.#lent.get(name) ?? 0) > 0 };
    });
  }

  /** Deletes the cache's folder; one that a step uses stays. Returns whether it went. */
  async remove(name: string): Promise<boolean> {
    return this.#making.run(name, async () => {
      const folder = join(this.#root, name);
      if ((this.#lent.get(name) ?? 0) > 0 || !existsSync(folder)) return false;
      renameSync(folder, `${folder}.gone`);
      await this.#records.delete(name, { durable: false });
      await rm(`${folder}.gone`, { recursive: true, force: true });
      return true;
    });
  }

  /**
   * The mount's folder, for as long as `loans` last. `locked` and `private` ones are one step's at a time: whoever comes second waits, and
   * finds what the first left. Take several in the order of their ids, lest two steps wait for each other. `fill` puts into a new one what
   * it begins with.
   */
  async lend(
    mount: CacheMount,
    fill: FillFolder | undefined,
    loans: AsyncDisposableStack,
    signal: AbortSignal,
  ): Promise<string> {
    const name = nameOf(mount);
    const folder = join(this.#root, name);
    await this.#take(name, mount, loans, signal);
    await this.#making.run(name, async () => {
      await make(folder, mount, fill, signal);
      this.#count(name, loans);
      await this.#note(name, mount);
    });
    return folder;
  }

  /** The folder where it is there, to be read, for as long as `loans` last; whose turn it is as with `lend`. */
  async lendExisting(mount: CacheMount, loans: AsyncDisposableStack, signal: AbortSignal): Promise<string | undefined> {
    const name = nameOf(mount);
    const folder = join(this.#root, name);
    await this.#take(name, mount, loans, signal);
    return this.#making.run(name, async () => {
      if (!existsSync(folder)) return undefined;
      this.#count(name, loans);
      return folder;
    });
  }

  async #take(name: string, { sharing }: CacheMount, loans: AsyncDisposableStack, signal: AbortSignal): Promise<void> {
    if (sharing === 'shared') return;
    let users = this.#users.get(name);
    if (users === undefined) {
      users = new Slots(1);
      this.#users.set(name, users);
    }
    loans.use(await users.take(signal));
  }

  #count(name: string, loans: AsyncDisposableStack): void {
    this.#lent.set(name, (this.#lent.get(name) ?? 0) + 1);
    loans.defer(() => {
      this.#lent.set(name, this.#lent.get(name)! - 1);
    });
  }

  async #note(name: string, { id, target }: CacheMount): Promise<void> {
    const now = formatNanos(this.#now());
    const before = this.#records.get(name);
    const record = {
      id,
      target,
      createdAt: before?.createdAt ?? now,
      lastUsedAt: now,
      usageCount: (before?.usageCount ?? 0) + 1,
    };
    await this.#records.put(name, record, { durable: before === undefined });
  }
}

/** There whole or not at all. */
async function make(
  folder: string,
  mount: CacheMount,
  fill: FillFolder | undefined,
  signal: AbortSignal,
): Promise<void> {
  if (existsSync(folder)) return;
  const half = `${folder}.new`;
  await rm(half, { recursive: true, force: true });
  mkdirSync(half);
  chownSync(half, mount.owner?.uid ?? 0, mount.owner?.gid ?? 0);
  chmodSync(half, mount.owner?.mode ?? 0o755);
  await fill?.(half, signal);
  renameSync(half, folder);
}

function nameOf(mount: Pick<CacheMount, 'id' | 'from' | 'source'>): string {
  return digestHex(sha256(JSON.stringify([mount.id, mount.from, mount.source])));
}
