/** Which mirrors to leave alone for a while: those that just failed to answer. What merely lacks an image is healthy. */
import type { Clock } from './clock.ts';
import { RegistryFault } from './fault.ts';
import { TransportFault } from './transport-fault.ts';

const restMs = 30_000;
const longestRestMs = 300_000;

export class MirrorHealth {
  readonly #clock: Clock;
  readonly #restUntil = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  resting(url: string): boolean {
    const until = this.#restUntil.get(url);
    if (until === undefined) return false;
    if (until > this.#clock.now()) return true;
    this.#restUntil.delete(url);
    return false;
  }

  /** Takes note of what a mirror failed with. @returns whether it now rests */
  failed(url: string, error: unknown): boolean {
    const rest = restAfter(error);
    if (rest === undefined) return false;
    this.#restUntil.set(url, this.#clock.now() + rest);
    return true;
  }
}

function restAfter(error: unknown): number | undefined {
  if (error instanceof TransportFault) return restMs;
  // A cache whose own registry is gone or refuses is well, and has what it fetched before.
  if (!(error instanceof RegistryFault) || error.relayed || (error.status < 500 && error.status !== 429))
    return undefined;
  return Math.min(Math.max(error.retryAfterMs ?? 0, restMs), longestRestMs);
}
