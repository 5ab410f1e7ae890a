/** The same work wanted by several at once is done once. It ends early only when all who want it have left. */

interface Work<T> {
  done: Promise<T>;
  controller: AbortController;
  wanted: number;
}

export class Shared<T> {
  readonly #running = new Map<string, Work<T>>();

  /** Joins the work of `key` or starts it. @throws what the work throws; the signal's reason when this caller leaves */
  async run(key: string, task: (signal: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<T> {
    signal.throwIfAborted();
    let work = this.#running.get(key);
    if (work === undefined || work.controller.signal.aborted) work = this.#start(key, task);
    const { done, controller } = work;
    work.wanted++;
    const joined = work;
    const left = Promise.withResolvers<never>();
    left.promise.catch(() => {});
    const leave = (): void => {
      if (--joined.wanted === 0) controller.abort(signal.reason);
      left.reject(signal.reason);
    };
    signal.addEventListener('abort', leave, { once: true });
    try {
      return await Promise.race([done, left.promise]);
    } finally {
      signal.removeEventListener('abort', leave);
      // The last one out sees the work end.
      if (controller.signal.aborted) await done.catch(() => {});
    }
  }

  /** Whether work of `key` goes on that others may join. */
  busy(key: string): boolean {
    return this.#running.get(key)?.controller.signal.aborted === false;
  }

  #start(key: string, task: (signal: AbortSignal) => Promise<T>): Work<T> {
    const controller = new AbortController();
    const work: Work<T> = { done: task(controller.signal), controller, wanted: 0 };
    work.done = work.done.finally(() => {
      if (this.#running.get(key) === work) this.#running.delete(key);
    });
    work.done.catch(() => {});
    this.#running.set(key, work);
    return work;
  }
}
