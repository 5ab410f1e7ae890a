import { Fault } from '../../std/index.ts';
import type { GitStep, HttpStep } from '../plan/step.ts';

/** Sources that this builder does not fetch. */
export function unsupported(step: HttpStep | GitStep): Fault {
  const what = step.kind === 'http' ? step.url : step.remote;
  return new Fault('not-implemented', `Cannot add ${what}: sources from the network are not in this version`);
}
