import { type Digest, sha256 } from '../../oci/index.ts';
import type { Step } from '../plan/step.ts';

/** What a step is called in progress: unique in its build. */
export function vertexOf(step: Pick<Step, 'id'>): Digest {
  return sha256(`vertex ${step.id}`);
}
