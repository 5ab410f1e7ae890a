/** Things by id that may be asked for before they are there: the calls of one build come over several connections, in any order. */

export class Arrivals<T> {
  readonly #there = new Map<string, T>();
  readonly #waiting = new Set<() => void>();

  has(id: string): boolean {
    return this.#there.has(id);
  }

  peek(id: string): T | undefined {
    return this.#there.get(id);
  }

  set(id: string, value: T): void {
    this.#there.set(id, value);
    for (const wake of this.#waiting) wake();
  }

  delete(id: string): void {
    this.#there.delete(id);
  }

  /** undefined when it does not come in time. @throws the signal's reason */
  async get(id: string, patienceMs: number, signal: AbortSignal): Promise<T | undefined> {
    const deadline = AbortSignal.any([signal, AbortSignal.timeout(patienceMs)]);
    for (;;) {
      const found = this.#there.get(id);
      if (found !== undefined) return found;
      signal.throwIfAborted();
      if (deadline.aborted) return undefined;
      await this.#change(deadline);
    }
  }

  #change(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        this.#waiting.delete(wake);
        signal.removeEventListener('abort', wake);
        resolve();
      };
      this.#waiting.add(wake);
      signal.addEventListener('abort', wake, { once: true });
    });
  }
}
