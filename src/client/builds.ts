/** Wherry's own calls about builds: those that failed, and a look inside. Other daemons answer 404. */
import type { FailedBuild } from '../api/index.ts';
import type { Caller } from './caller.ts';

export type BuildCalls = ReturnType<typeof buildCalls>;

export function buildCalls(caller: Caller) {
  return {
    /** The last builds that failed at a step, newest first. */
    failed: () => caller.json<FailedBuild[]>('buildFailed'),
    /** An image of the state before the step that failed; `id` is of a failed build, the last one if not said. Remove it afterwards. */
    debugImage: (id?: string) =>
      caller.json<{ image: string; failed: FailedBuild }>('buildDebugImage', { query: { id } }),
  };
}
