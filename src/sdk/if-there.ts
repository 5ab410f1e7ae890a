/** For clean-up: what is gone already is as it should be. */
import { ApiFault } from '../client/index.ts';

/** @returns undefined when the daemon answered that it is not there */
export async function ifThere<T>(call: Promise<T>): Promise<T | undefined> {
  try {
    return await call;
  } catch (error) {
    if (error instanceof ApiFault && error.status === 404) return undefined;
    throw error;
  }
}
