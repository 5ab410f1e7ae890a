/** A bound on how much goes on at once; who waits is served in order. */
export class Slots {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(count: number) {
    this.#free = count;
  }

  /** A slot until it is disposed. @throws the signal's reason when it is cancelled before its turn */
  async take(signal: AbortSignal): Promise<Disposable> {
    signal.throwIfAborted();
    if (this.#free > 0) this.#free--;
    else await this.#turn(signal);
    let given = false;
    return {
      [Symbol.dispose]: () => {
        if (given) return;
        given = true;
        const next = this.#waiting.shift();
        if (next === undefined) this.#free++;
        else next();
      },
    };
  }

  /** Runs `task` when there is a slot for it. @throws as `take`, and what the task throws */
  async run<T>(task: () => Promise<T>, signal: AbortSignal): Promise<T> {
    using _slot = await this.take(signal);
    return await task();
  }

  async #turn(signal: AbortSignal): Promise<void> {
    const turn = Promise.withResolvers<void>();
    const leave = (): void => {
      const place = this.#waiting.indexOf(turn.resolve);
      // Its turn came before the cancellation: the slot is its own, and it gives it back as any.
      if (place < 0) return;
      this.#waiting.splice(place, 1);
      turn.reject(signal.reason);
    };
    this.#waiting.push(turn.resolve);
    signal.addEventListener('abort', leave, { once: true });
    try {
      await turn.promise;
    } finally {
      signal.removeEventListener('abort', leave);
    }
  }
}
