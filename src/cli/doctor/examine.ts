/** Runs checks. One that fails to come to an end tells so, and harms no other. */
import { messageOf } from '../../std/index.ts';
import type { Check, Finding, Patient, State } from './check.ts';

export interface Result extends Finding {
  readonly id: string;
  readonly title: string;
}

export interface Tally {
  readonly ok: number;
  readonly warnings: number;
  readonly failures: number;
  readonly skipped: number;
}

/** In the order of the table, whichever is done first. */
export function examine(checks: readonly Check[], patient: Patient): Promise<Result[]> {
  return Promise.all(
    checks.map(async (check) => ({ id: check.id, title: check.title, ...(await look(check, patient)) })),
  );
}

async function look(check: Check, patient: Patient): Promise<Finding> {
  try {
    return await check.run(patient);
  } catch (error) {
    return { state: 'skip', found: `the check itself failed: ${messageOf(error)}`, mend: [] };
  }
}

export function tally(results: readonly Result[]): Tally {
  const count = (wanted: State): number => results.filter(({ state }) => state === wanted).length;
  return { ok: count('ok'), warnings: count('warn'), failures: count('fail'), skipped: count('skip') };
}
