/** Asks before what cannot be undone. */
import type { Session } from './session.ts';
import { Exit } from './usage-fault.ts';

/** "y" and "yes" agree, the rest does not. */
export async function confirm(session: Session, question: string): Promise<boolean> {
  session.out.write(`${question} [y/N] `);
  const answer = await session.in.line();
  session.in.stop();
  return /^y(es)?$/i.test((answer ?? '').trim());
}

/** @throws Exit 1 when the answer is no. */
export async function mustConfirm(session: Session, force: boolean, warning: string): Promise<void> {
  if (force) return;
  const agreed = await confirm(session, `${warning}\nAre you sure you want to continue?`);
  if (!agreed) throw new Exit(1, 'operation cancelled');
}
