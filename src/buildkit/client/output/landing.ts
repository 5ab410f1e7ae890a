/** What is taken of a build, beside where it is to be: in place when the build is done, gone when it failed. */
export interface Landing {
  /** @throws Fault */
  land(): void;
  /** At any time, after `land` too. */
  discard(): void;
}

/** Of one build, from the moment that something is written. */
export class Landings implements Disposable {
  readonly #all: Landing[] = [];
  /** However this process ends. */
  readonly #discard = (): void => {
    for (const landing of this.#all) landing.discard();
  };

  constructor() {
    process.on('exit', this.#discard);
  }

  add(landing: Landing): void {
    this.#all.push(landing);
  }

  /** @throws Fault */
  land(): void {
    for (const landing of this.#all) landing.land();
  }

  [Symbol.dispose](): void {
    process.off('exit', this.#discard);
    this.#discard();
  }
}
