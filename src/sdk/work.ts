/**
 * Something that takes long: iterate it and it tells of its steps, await it and it gives its outcome. It begins with whichever comes first,
 * and is done once. Leaving the iteration early cancels it.
 */
import { Fault } from '../std/index.ts';

export class Work<Step, Result> implements AsyncIterable<Step>, Promise<Result> {
  readonly [Symbol.toStringTag] = 'Work';
  readonly #what: string;
  readonly #begin: () => AsyncGenerator<Step, Result, void>;
  readonly #outcome = Promise.withResolvers<Result>();
  #isBegun = false;

  /** @param what for messages: "the pull of busybox". */
  constructor(what: string, begin: () => AsyncGenerator<Step, Result, void>) {
    this.#what = what;
    this.#begin = begin;
    // Who only iterates is told by the iteration.
    this.#outcome.promise.catch(() => {});
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Step, void, void> {
    if (this.#isBegun) throw new Fault('invalid', `Cannot iterate ${this.#what} twice: it is done once`);
    this.#isBegun = true;
    const source = this.#begin();
    try {
      for (let next = await source.next(); ; next = await source.next()) {
        if (next.done === true) return this.#outcome.resolve(next.value);
        yield next.value;
      }
    } catch (error) {
      this.#outcome.reject(error);
      throw error;
    } finally {
      this.#outcome.reject(new Fault('unavailable', `${this.#what} was left before its end`));
      await source.return?.(undefined as never);
    }
  }

  // oxlint-disable-next-line unicorn/no-thenable -- awaiting it is what it is for: a pull that nobody awaits would do nothing.
  then<A = Result, B = never>(
    fulfilled?: ((value: Result) => A | PromiseLike<A>) | null,
    rejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    if (!this.#isBegun) void this.#drain();
    return this.#outcome.promise.then(fulfilled, rejected);
  }

  catch<B = never>(rejected?: ((reason: unknown) => B | PromiseLike<B>) | null): Promise<Result | B> {
    return this.then(undefined, rejected);
  }

  finally(always?: (() => void) | null): Promise<Result> {
    return this.then((result) => result).finally(always);
  }

  async #drain(): Promise<void> {
    try {
      for await (const step of this) void step;
    } catch {
      // The outcome tells.
    }
  }
}
