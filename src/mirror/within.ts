/** Waiting that ends before what is waited for. */
import { Refusal, soonMs } from './refusal.ts';

/** What `work`, which has an owner of its own, comes to. @throws Refusal when it takes longer than `ms`; the signal's reason */
export async function within<T>(work: Promise<T>, ms: number, signal: AbortSignal): Promise<T> {
  const late = AbortSignal.timeout(ms);
  const left = Promise.withResolvers<never>();
  left.promise.catch(() => {});
  const leave = (): void => left.reject(signal.reason);
  const giveUp = (): void =>
    left.reject(new Refusal(503, 'UNAVAILABLE', `no answer within ${ms / 1000} seconds`, { retryAfterMs: soonMs }));
  signal.addEventListener('abort', leave, { once: true });
  late.addEventListener('abort', giveUp, { once: true });
  try {
    signal.throwIfAborted();
    return await Promise.race([work, left.promise]);
  } finally {
    signal.removeEventListener('abort', leave);
    late.removeEventListener('abort', giveUp);
  }
}
