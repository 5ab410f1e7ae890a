/**
 * When to try again, and how long to wait before it: exponential back-off with jitter, what the registry asks for in Retry-After, and
 * an end to both attempts and time. One `Retry` is one operation's memory of its failures.
 */
import type { Clock } from './clock.ts';
import { isPassing, RegistryFault } from './fault.ts';
import { TransportFault } from './transport-fault.ts';

export interface RetryOptions {
  /** Tries in a row that may fail, the first one counted. */
  attempts: number;
  /** Waits also for a network or registry that cannot be reached: for work that had begun. */
  unreachable?: boolean;
  /** Told once a second, while a wait of a second or more goes on, how many seconds are left. */
  onWait?: (secondsLeft: number) => void;
}

const firstDelayMs = 200;
const delayFactor = 4;
const longestDelayMs = 20_000;
/** A registry that wants to be left alone for longer is left alone: the person decides. */
const longestRetryAfterMs = 60_000;
/** All waiting of one operation without progress. */
const budgetMs = 180_000;

export class Retry {
  readonly #clock: Clock;
  readonly #options: RetryOptions;
  #failures = 0;
  #waitedMs = 0;

  constructor(clock: Clock, options: RetryOptions) {
    this.#clock = clock;
    this.#options = options;
  }

  /** The work went on: earlier failures no longer count. */
  progress(): void {
    this.#failures = 0;
    this.#waitedMs = 0;
  }

  /** Returns when it is time for the next try. @throws `error` itself when there should be none; the signal's reason */
  async after(error: unknown, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const least = this.#leastWaitMs(error);
    if (least === undefined || ++this.#failures >= this.#options.attempts) throw error;
    const full = Math.min(firstDelayMs * delayFactor ** (this.#failures - 1), longestDelayMs);
    // Many clients that failed together must not come back together.
    const waitMs = Math.max(full / 2, least) + (this.#clock.random() * full) / 2;
    this.#waitedMs += waitMs;
    if (this.#waitedMs > budgetMs) throw error;
    await this.#wait(waitMs, signal);
  }

  /** undefined: another try would end the same way. */
  #leastWaitMs(error: unknown): number | undefined {
    if (error instanceof TransportFault) {
      if (error.stage === 'refused' || (error.stage === 'connect' && this.#options.unreachable !== true))
        return undefined;
      return 0;
    }
    if (!(error instanceof RegistryFault) || !isPassing(error.status)) return undefined;
    const asked = error.retryAfterMs ?? 0;
    return asked > longestRetryAfterMs || (error.exhausted && error.retryAfterMs === undefined) ? undefined : asked;
  }

  async #wait(waitMs: number, signal: AbortSignal): Promise<void> {
    let left = waitMs;
    while (left > 0) {
      if (waitMs >= 1000) this.#options.onWait?.(Math.ceil(left / 1000));
      const step = Math.min(left, 1000);
      await this.#clock.sleep(step, signal);
      left -= step;
    }
  }
}

/** Runs a task that may be repeated whole. */
export async function withRetries<T>(
  clock: Clock,
  options: RetryOptions,
  task: () => Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  const retry = new Retry(clock, options);
  for (;;) {
    try {
      return await task();
    } catch (error) {
      await retry.after(error, signal);
    }
  }
}
