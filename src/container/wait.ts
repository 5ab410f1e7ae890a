/** `wait` with its three conditions (API §1.3). */
import type { WaitCondition } from '../api/index.ts';
import type { Context, Live, Waiter } from './context.ts';
import { isRunning } from './find.ts';

export interface WaitResult {
  StatusCode: number;
  Error: { Message: string } | null;
}

/** Registers before it returns; `result` settles when the condition is met or rejects when `signal` aborts. */
export function waitFor(
  _context: Context,
  live: Live,
  condition: WaitCondition,
  signal: AbortSignal,
): { result: Promise<WaitResult> } {
  if (condition === 'not-running' && !isRunning(live) && !live.starting) {
    return { result: Promise.resolve({ StatusCode: live.record.state.exitCode, Error: null }) };
  }
  const { promise, resolve, reject } = Promise.withResolvers<WaitResult>();
  const waiter: Waiter = { condition, resolve };
  live.waiters.add(waiter);
  const abort = (): void => {
    live.waiters.delete(waiter);
    reject(signal.reason as Error);
  };
  signal.addEventListener('abort', abort, { once: true });
  const clear = (): void => signal.removeEventListener('abort', abort);
  promise.then(clear, clear);
  return { result: promise };
}

/** Releases every waiter of these conditions. */
export function settleWaiters(live: Live, conditions: readonly WaitCondition[], result: WaitResult): void {
  for (const waiter of live.waiters) {
    if (!conditions.includes(waiter.condition)) continue;
    live.waiters.delete(waiter);
    waiter.resolve(result);
  }
}
