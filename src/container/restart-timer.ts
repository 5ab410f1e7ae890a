/** A restart that is waiting for its delay. */
import type { Live } from './context.ts';
import { settleWaiters } from './wait.ts';

/** Stops it; the container then rests as exited. @returns whether one was waiting */
export function cancelRestart(live: Live): boolean {
  if (live.restart === undefined) return false;
  clearTimeout(live.restart.timer);
  live.restart = undefined;
  settleWaiters(live, ['not-running', 'next-exit'], { StatusCode: live.record.state.exitCode, Error: null });
  return true;
}
