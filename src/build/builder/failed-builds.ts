/** The last builds that failed at a step, and what the step would have stood on: for a look inside. They are forgotten with the process. */
import type { FailedBuild } from '../../api/index.ts';
import type { ImageConfig } from '../../oci/index.ts';
import { Fault } from '../../std/index.ts';
import type { BuiltRoot } from '../result/root.ts';

const kept = 16;

export interface FailedState {
  root: BuiltRoot;
  /** With the step's environment, user and working directory. */
  config: ImageConfig;
}

export class FailedBuilds {
  readonly #failed: { build: FailedBuild; state: FailedState }[] = [];

  add(build: FailedBuild, state: FailedState): void {
    this.#failed.unshift({ build, state });
    this.#failed.length = Math.min(this.#failed.length, kept);
  }

  list(): FailedBuild[] {
    return this.#failed.map(({ build }) => build);
  }

  /** By id or the beginning of one; undefined is the last. @throws Fault not-found */
  get(id: string | undefined): { build: FailedBuild; state: FailedState } {
    const found = this.#failed.find(({ build }) => id === undefined || build.id.startsWith(id));
    if (found !== undefined) return found;
    if (id === undefined) throw new Fault('not-found', 'No build has failed at a RUN since the engine started');
    throw new Fault('not-found', `No such failed build: ${id}`);
  }
}
