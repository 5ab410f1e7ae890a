/** Does something to each named thing; says the name of each done, and every refusal, and fails if there was one. */
import { Exit } from './usage-fault.ts';
import { explain } from './explain.ts';
import type { Session } from './session.ts';

/** @param act returns false to stay silent about a name. */
export async function forEachName(
  session: Session,
  names: readonly string[],
  act: (name: string) => Promise<unknown>,
): Promise<void> {
  let failed = false;
  // Up to 50 at once, answers in the order asked, as Docker has it.
  const limit = 50;
  for (let from = 0; from < names.length; from += limit) {
    const batch = names.slice(from, from + limit);
    const results = await Promise.allSettled(batch.map(act));
    results.forEach((result, index) => {
      if (result.status === 'fulfilled') {
        if (result.value !== false) session.out.write(`${batch[index]}\n`);
      } else {
        failed = true;
        session.err.write(`${explain(result.reason, session.options.debug)}\n`);
      }
    });
  }
  if (failed) throw new Exit(1);
}
