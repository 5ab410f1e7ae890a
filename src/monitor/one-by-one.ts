/**
 * Closes the connections of one monitor one after the other: conmon 2.1 that is writing to many of them can crash when several break at
 * once, and what it alone knows (the exit code) is lost with it.
 */
import type { Closer } from './attach.ts';

const gapMs = 25;

export class OneByOne {
  readonly #waiting: (() => void)[] = [];
  #timer: NodeJS.Timeout | undefined;

  readonly close: Closer = (close) => {
    if (this.#timer !== undefined) {
      this.#waiting.push(close);
      return;
    }
    close();
    this.#next();
  };

  #next(): void {
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      const close = this.#waiting.shift();
      if (close === undefined) return;
      close();
      this.#next();
    }, gapMs);
  }
}
