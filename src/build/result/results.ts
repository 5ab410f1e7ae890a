/**
 * Results of steps by their keys, kept on disk: what makes the next build a no-op. A record names the layers of a whole root and owns them;
 * it is written after they are. What power failure took of either makes the step run again.
 */
import type { Content } from '../../content/index.ts';
import { chainIds, type Descriptor, type Digest, digestHex } from '../../oci/index.ts';
import type { Snapshots } from '../../snapshot/index.ts';
import { formatNanos, type Logger, type Nanos, type RecordFault, Records } from '../../std/index.ts';
import { type BuiltRoot, rootChain } from './root.ts';

export interface StepRecord {
  readonly key: Digest;
  readonly diffIds: readonly Digest[];
  readonly layers: readonly Descriptor[];
  /** As progress shows the step. */
  readonly description: string;
  /** RFC 3339. */
  readonly createdAt: string;
  readonly lastUsedAt: string;
  readonly usageCount: number;
  /** Made elsewhere, where it is known by this key, too: of what it read, as its own may be of how it is made. */
  readonly foreignKey?: Digest;
}

export interface ResultsOptions {
  /** The folder of the records. */
  root: string;
  content: Content;
  snapshots: Snapshots;
  log: Logger;
  now: () => Nanos;
}

export class Results {
  readonly #records: Records<StepRecord>;
  readonly #options: ResultsOptions;

  private constructor(records: Records<StepRecord>, options: ResultsOptions) {
    this.#records = records;
    this.#options = options;
    options.content.addOwner(() => this.#blobs());
    options.snapshots.addOwner(() => this.#chains());
  }

  /** Before the first collection of content and snapshots: it is one of their owners. */
  static async open(options: ResultsOptions): Promise<Results> {
    const broken = (path: string): void =>
      options.log.error('a build cache record cannot be read and was set aside', { path });
    return new Results(await Records.open<StepRecord>(options.root, broken), options);
  }

  /** The root that the step made, if it is known and still here whole; its use is noted. */
  async find(key: Digest): Promise<BuiltRoot | undefined> {
    const record = this.#records.get(digestHex(key));
    if (record === undefined) return undefined;
    const chain = rootChain(record);
    if (chain !== undefined && !this.#options.snapshots.has(chain)) {
      // Somebody has deleted the layer by hand, or the disk has lost it: the step runs again.
      await this.forget([key]);
      return undefined;
    }
    const used = { lastUsedAt: formatNanos(this.#options.now()), usageCount: record.usageCount + 1 };
    await this.#records.put(digestHex(key), { ...record, ...used }, { durable: false });
    return { diffIds: record.diffIds, layers: record.layers, createdAt: record.createdAt };
  }

  /** Whether `find` may find it: nothing is noted. */
  has(key: Digest): boolean {
    const record = this.#records.get(digestHex(key));
    if (record === undefined) return false;
    const chain = rootChain(record);
    return chain === undefined || this.#options.snapshots.has(chain);
  }

  /** What is noted of it; undefined where it is not known. */
  get(key: Digest): StepRecord | undefined {
    return this.#records.get(digestHex(key));
  }

  /** Whether results that were made elsewhere are here. */
  hasImported(): boolean {
    for (const { foreignKey } of this.#records.values()) if (foreignKey !== undefined) return true;
    return false;
  }

  /** Keeps a result that its maker still holds. */
  async keep(key: Digest, root: BuiltRoot, description: string, foreignKey?: Digest): Promise<void> {
    const now = formatNanos(this.#options.now());
    const made = foreignKey === undefined ? {} : { foreignKey };
    const record = { key, diffIds: root.diffIds, layers: root.layers, description, ...made };
    const times = { createdAt: root.createdAt ?? now, lastUsedAt: now, usageCount: 0 };
    const before = this.#records.get(digestHex(key));
    // Like the layer itself: power failure costs the step, not the store.
    await this.#records.put(digestHex(key), { ...record, ...times }, { durable: false });
    // Made again (`--no-cache`): what the key stood for is nobody's now.
    if (before !== undefined) await this.#collect([before]);
  }

  /** What is wrong with the folder of the records. */
  check(): Promise<RecordFault[]> {
    return this.#records.check();
  }

  /** Writes the record's file again. */
  async write(name: string): Promise<void> {
    const record = this.#records.get(name);
    if (record !== undefined) await this.#records.put(name, record);
  }

  /** All records, in no order. */
  list(): StepRecord[] {
    return [...this.#records.values()];
  }

  /** Forgets records, and deletes what only they needed. Returns the bytes that came free. */
  async forget(keys: Iterable<Digest>): Promise<number> {
    const forgotten: StepRecord[] = [];
    for (const key of keys) {
      const record = this.#records.get(digestHex(key));
      if (record === undefined) continue;
      await this.#records.delete(digestHex(key), { durable: false });
      forgotten.push(record);
    }
    return this.#collect(forgotten);
  }

  /** What records that are gone had, where nobody else has it. Returns the bytes that came free. */
  async #collect(gone: readonly StepRecord[]): Promise<number> {
    const { content, snapshots } = this.#options;
    const chains = new Set(gone.flatMap(({ diffIds }) => chainIds(diffIds)));
    const blobs = new Set(gone.flatMap(({ layers }) => layers.map(({ digest }) => digest)));
    // From the top: a layer goes when nothing stands on it.
    const sizes = new Map(
      [...chains].map((chain) => [chain as string, snapshots.has(chain) ? snapshots.layerSize(chain) : 0]),
    );
    const deleted = await snapshots.collect([...chains].toReversed());
    const freed = await content.collect(blobs);
    return deleted.reduce((sum, chain) => sum + (sizes.get(chain) ?? 0), freed);
  }

  *#blobs(): Generator<string> {
    for (const record of this.#records.values()) for (const { digest } of record.layers) yield digest;
  }

  *#chains(): Generator<string> {
    for (const record of this.#records.values()) yield* chainIds(record.diffIds);
  }
}
