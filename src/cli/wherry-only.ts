/** Calls that only Wherry answers: other daemons say that there is no such page. */
import { ApiFault } from '../client/index.ts';
import { Fault } from '../std/index.ts';

/** Undefined when the daemon is not Wherry. */
export async function ifWherry<T>(call: Promise<T>): Promise<T | undefined> {
  try {
    return await call;
  } catch (error) {
    if (error instanceof ApiFault && error.message === 'page not found') return undefined;
    throw error;
  }
}

/** @param what "verify the store" */
export function notWherry(what: string): Fault {
  return new Fault('not-implemented', `Cannot ${what}: this daemon is not Wherry, and only Wherry can`);
}
