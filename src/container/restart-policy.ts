/** Whether a container that ended comes back, and when. Pure. */
import type { RestartPolicy } from '../api/index.ts';

const FIRST_DELAY_MS = 100;
const LONGEST_DELAY_MS = 60_000;
/** A run of this length forgives the earlier failures. */
const STEADY_MS = 10_000;

export interface EndOfRun {
  exitCode: number;
  ranMs: number;
  /** A person stopped or killed it. */
  manuallyStopped: boolean;
  restartCount: number;
  /** The delay that was waited before this run; 0 for a run that a person started. */
  delayMs: number;
}

/** The delay until the next start, or undefined when it stays down. */
export function nextRestart(policy: RestartPolicy | null | undefined, end: EndOfRun): number | undefined {
  if (end.manuallyStopped) return undefined;
  const wants =
    policy?.Name === 'always' ||
    policy?.Name === 'unless-stopped' ||
    (policy?.Name === 'on-failure' &&
      end.exitCode !== 0 &&
      (!policy.MaximumRetryCount || end.restartCount < policy.MaximumRetryCount));
  if (!wants) return undefined;
  if (end.delayMs === 0 || end.ranMs >= STEADY_MS) return FIRST_DELAY_MS;
  return Math.min(end.delayMs * 2, LONGEST_DELAY_MS);
}

/** Whether a container comes up with the daemon (after a reboot, or when it ended while no daemon watched). */
export function restartsAtBoot(
  policy: RestartPolicy | null | undefined,
  state: { manuallyStopped: boolean; exitCode: number; wasRunning: boolean },
): boolean {
  switch (policy?.Name) {
    case 'always':
      return true;
    case 'unless-stopped':
      return !state.manuallyStopped;
    case 'on-failure':
      return state.wasRunning && !state.manuallyStopped && state.exitCode !== 0;
    default:
      return false;
  }
}
