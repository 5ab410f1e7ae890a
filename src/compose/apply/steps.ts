/** Does steps: each as soon as what it needs is done, no more than a limit at once. */
import { Slots } from '../../std/index.ts';
import type { Step } from '../plan/step.ts';

/**
 * The first failure ends it: what goes on comes to its end, what has not begun does not begin.
 * @throws what the first step to fail threw, or the signal's reason
 */
export async function runSteps(
  steps: readonly Step[],
  act: (step: Step, signal: AbortSignal) => Promise<void>,
  options: { limit: number; signal: AbortSignal },
): Promise<void> {
  const failed = new AbortController();
  const signal = AbortSignal.any([options.signal, failed.signal]);
  const slots = new Slots(options.limit);
  const known = new Set(steps);
  const running = new Map<Step, Promise<void>>();
  let failure: { error: unknown } | undefined;
  const run = async (step: Step): Promise<void> => {
    await Promise.all(step.needs.filter((need) => known.has(need)).map((need) => running.get(need)!));
    // A wait takes long and does nothing: it takes no slot.
    using _slot = step.kind === 'wait' ? undefined : await slots.take(signal);
    signal.throwIfAborted();
    try {
      await act(step, signal);
    } catch (error) {
      failure ??= { error };
      failed.abort(error);
      throw error;
    }
  };
  // In the order of the plan a step comes after what it needs.
  for (const step of steps) running.set(step, run(step));
  await Promise.allSettled(running.values());
  if (failure !== undefined) throw failure.error;
  options.signal.throwIfAborted();
}
