/** Order per key: tasks with the same key run one after another, in the order asked. */

export class KeyedMutex {
  readonly #tails = new Map<string, Promise<void>>();

  /** Runs `task` after every earlier task of `key` has settled; returns its result. */
  async run<T>(key: string, task: () => Promise<T> | T): Promise<T> {
    const release = await this.acquire(key);
    try {
      return await task();
    } finally {
      release();
    }
  }

  /** Waits for its turn on `key`; the caller must call the returned function exactly once. */
  async acquire(key: string): Promise<() => void> {
    const previous = this.#tails.get(key);
    const { promise, resolve } = Promise.withResolvers<void>();
    const tail = previous === undefined ? promise : previous.then(() => promise);
    this.#tails.set(key, tail);
    if (previous !== undefined) await previous;
    return () => {
      resolve();
      if (this.#tails.get(key) === tail) this.#tails.delete(key);
    };
  }

  /** Whether a task of `key` runs or waits now. */
  busy(key: string): boolean {
    return this.#tails.has(key);
  }
}
