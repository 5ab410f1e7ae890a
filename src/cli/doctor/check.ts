/** One check of `system doctor`, and what it can come to. */
import type { Host } from './host.ts';

export type State = 'ok' | 'warn' | 'fail';

export interface Finding {
  state: State;
  /** What was found, in one line. */
  found: string;
  /** A command to type, or what to do. */
  mend?: string;
}

export interface Check {
  id: string;
  title: string;
  readonly run: (host: Host) => Finding | Promise<Finding>;
}

export interface Result extends Finding {
  id: string;
  title: string;
}

export const ok = (found: string): Finding => ({ state: 'ok', found });
export const warn = (found: string, mend: string): Finding => ({ state: 'warn', found, mend });
export const fail = (found: string, mend: string): Finding => ({ state: 'fail', found, mend });

/** All at once, told in order. A check that cannot be done is a warning, never an end. */
export function runChecks(checks: readonly Check[], host: Host): Promise<Result[]> {
  return Promise.all(
    checks.map(async ({ id, title, run }) => {
      try {
        return { id, title, ...(await run(host)) };
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        return { id, title, ...warn(`cannot be told: ${why}`, `wherry system doctor ${id}`) };
      }
    }),
  );
}
