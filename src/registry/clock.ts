/** Time and chance as this room knows them: a test brings its own and waits for nothing. */
import { setTimeout as delay } from 'node:timers/promises';

export interface Clock {
  /** Milliseconds since the Unix epoch. */
  now(): number;
  /** @throws the signal's reason when it ends first */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
  /** From 0 up to, without, 1. */
  random(): number;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  sleep: async (ms, signal) => {
    try {
      await delay(ms, undefined, { signal });
    } catch (error) {
      signal.throwIfAborted();
      throw error;
    }
  },
  random: () => Math.random(),
};
