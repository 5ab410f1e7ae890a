/** Work that goes on after its call has returned, with an owner who can wait for it. */

export class Background {
  readonly #tasks = new Set<Promise<void>>();
  readonly #onError: (error: unknown) => void;

  constructor(onError: (error: unknown) => void) {
    this.#onError = onError;
  }

  run(task: Promise<unknown>): void {
    const watched = task.then(
      () => void this.#tasks.delete(watched),
      (error: unknown) => {
        this.#tasks.delete(watched);
        this.#onError(error);
      },
    );
    this.#tasks.add(watched);
  }

  /** When all work of now is done. */
  async settled(): Promise<void> {
    await Promise.all(this.#tasks);
  }
}
