/** Keeps the cache within its bounds: after every transfer, and from time to time. */
import { Background, KeyedMutex, type Logger, messageOf } from '../std/index.ts';
import type { Catalog } from './catalog.ts';
import type { Transfers } from './transfers.ts';

export interface KeeperOptions {
  catalog: Catalog;
  transfers: Transfers;
  bounds: { maxBytes: number; maxAgeMs: number };
  log: Logger;
}

const intervalMs = 60_000;

export class Keeper implements AsyncDisposable {
  readonly #options: KeeperOptions;
  readonly #timer: NodeJS.Timeout;
  readonly #background: Background;
  readonly #mutex = new KeyedMutex();
  #wanted = false;

  constructor(options: KeeperOptions) {
    this.#options = options;
    this.#background = new Background((error) =>
      options.log.error('the pull-through cache cannot be kept within its bounds', { error: messageOf(error) }),
    );
    this.#timer = setInterval(() => this.#background.run(this.#regularly()), intervalMs);
    this.#timer.unref();
  }

  /** A transfer found the disk full: what it needs is taken from what is of least use. */
  releaseSoon(bytes: number): void {
    this.#background.run(this.release(bytes));
  }

  /** Soon, and once for all who want it meanwhile. */
  trimSoon(): void {
    if (this.#wanted) return;
    this.#wanted = true;
    this.#background.run(this.trim());
  }

  /** Lets go of what does not fit: of blobs, manifests and what broken transfers left, the least recently used. */
  trim(): Promise<void> {
    return this.#mutex.run('trim', async () => {
      this.#wanted = false;
      await this.#trimTo(this.#options.bounds.maxBytes);
    });
  }

  /** Lets go of so many bytes more than it has to, for the disk is full. @returns how many of them it found */
  release(bytes: number): Promise<number> {
    return this.#mutex.run('trim', async () => {
      const { catalog, transfers } = this.#options;
      const { running, left } = transfers.parts();
      const all = [...catalog.kept(), ...running, ...left].reduce((sum, { size }) => sum + size, 0);
      return this.#trimTo(Math.max(0, Math.min(all, this.#options.bounds.maxBytes) - bytes));
    });
  }

  async #trimTo(maxBytes: number): Promise<number> {
    const { catalog, transfers, bounds, log } = this.#options;
    const { running, left } = transfers.parts();
    const parts = left.map((part) => ({ ...part, weight: 1, drop: () => transfers.dropPart(part) }));
    const beside = running.reduce((sum, { size }) => sum + size, 0);
    const evicted = await catalog.trim({ ...bounds, maxBytes }, parts, beside);
    if (evicted.entries > 0) log.info('the pull-through cache let go of what was of least use', { ...evicted });
    return evicted.bytes;
  }

  async #regularly(): Promise<void> {
    await this.trim();
    await this.#options.catalog.flush();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    await this.#background.settled();
    await this.#options.catalog.flush();
  }
}
