/** Why a build failed, where the Dockerfile or one of its steps is to blame: the cause of what a build throws. */
import type { BuildFailure } from './build.ts';

export function buildFailureOf(error: unknown): BuildFailure | undefined {
  if (!(error instanceof Error)) return undefined;
  const { cause } = error;
  const isFailure = typeof cause === 'object' && cause !== null && 'message' in cause && 'exitCode' in cause;
  return isFailure ? (cause as BuildFailure) : undefined;
}
