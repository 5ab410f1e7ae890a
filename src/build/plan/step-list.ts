/** The steps of a plan as they are found; the same source is one step, whoever asks for it. */
import type { Range } from '../../dockerfile/index.ts';
import type { LocalStep, Step, StepId } from './step.ts';

export class StepList {
  readonly #steps = new Map<StepId, Step>();
  /** Paths used of each folder the client sends; `undefined` where all of it is. */
  readonly #paths = new Map<string, Set<string> | undefined>();

  /** The first step of an id stays. */
  add(step: Step): StepId {
    if (!this.#steps.has(step.id)) this.#steps.set(step.id, step);
    return step.id;
  }

  /** Files of the client's folder `context`, of which `path` is used. */
  local(context: string, path: string): StepId {
    const relative = path.replace(/^\/+/, '');
    const used = this.#paths.has(context) ? this.#paths.get(context) : new Set<string>();
    this.#paths.set(context, relative === '' || relative === '.' ? undefined : used?.add(relative));
    const name = context === 'context' ? '[internal] load build context' : `[context ${context}] load from client`;
    const range: Range | undefined = undefined;
    const id = `local:${context}`;
    return this.add({ kind: 'local', id, name, range, ignoreCache: false, context, paths: undefined });
  }

  all(): Step[] {
    return [...this.#steps.values()].map((step) => (step.kind === 'local' ? this.#withPaths(step) : step));
  }

  #withPaths(step: LocalStep): LocalStep {
    const paths = this.#paths.get(step.context);
    return paths === undefined ? step : { ...step, paths: [...paths].sort() };
  }
}
