/**
 * Does what a plan says: each step once, after those it needs, as many at a time as there are slots. A step whose key has a result is not
 * done again. When one fails the others are cancelled and waited for.
 */
import type { BuildEvent } from '../../api/index.ts';
import { chainIds, type Digest } from '../../oci/index.ts';
import { Fault, faultKind, formatNanos, messageOf } from '../../std/index.ts';
import { sourceKey, stepKey } from '../plan/cache-key.ts';
import type { Plan } from '../plan/plan.ts';
import {
  type CopyStep,
  type ExecStep,
  inputsOf,
  type MkdirStep,
  type Root,
  type Step,
  type StepId,
} from '../plan/step.ts';
import { commitLayer, stackLayers } from '../result/commit-layer.ts';
import { type BuiltRoot, rootChain, scratch } from '../result/root.ts';
import type { BuildInputs, SolveContext } from './context.ts';
import { fetchStep } from './fetch-step.ts';
import { folderRoot, folderRootKey } from './folder-root.ts';
import { inputDigest, type Solved, type SolvedFolder } from './lend.ts';
import { runExec } from './run-exec.ts';
import { vertexOf } from './vertex.ts';
import { writeCopy, writeFolder } from './write-step.ts';

type MadeStep = ExecStep | CopyStep | MkdirStep;

interface Told {
  started: string;
  cached: boolean;
  completed?: string;
  error?: string;
  result?: Digest;
}

/** The roots that the plan's steps made, by step. @throws what the first step that failed threw; the signal's reason */
export async function solve(
  context: SolveContext,
  plan: Pick<Plan, 'steps' | 'root'>,
  inputs: BuildInputs,
  signal: AbortSignal,
): Promise<ReadonlyMap<StepId, BuiltRoot>> {
  return new Solver(context, plan, inputs, signal).solve();
}

const nothing: Solved = { kind: 'root', key: 'scratch', root: scratch };
/** As BuildKit's clients know it. */
const cancelled = 'context canceled';

class Solver {
  readonly #context: SolveContext;
  readonly #inputs: BuildInputs;
  readonly #root: Root;
  readonly #steps: ReadonlyMap<StepId, Step>;
  readonly #started = new Map<StepId, Promise<Solved>>();
  readonly #solved = new Map<StepId, Solved>([['scratch', nothing]]);
  /** Folders that something stands on, as roots. */
  readonly #folderRoots = new Map<StepId, Promise<BuiltRoot>>();
  readonly #loans = new AsyncDisposableStack();
  readonly #failed = new AbortController();
  readonly #signal: AbortSignal;

  constructor(context: SolveContext, plan: Pick<Plan, 'steps' | 'root'>, inputs: BuildInputs, signal: AbortSignal) {
    this.#context = context;
    this.#inputs = inputs;
    this.#root = plan.root;
    this.#steps = new Map(plan.steps.map((step) => [step.id, step]));
    this.#signal = AbortSignal.any([signal, this.#failed.signal]);
  }

  async solve(): Promise<ReadonlyMap<StepId, BuiltRoot>> {
    await using _loans = this.#loans;
    let last: BuiltRoot;
    try {
      await this.#need(this.#root);
      last = await this.#rootOf(this.#root);
    } catch (error) {
      this.#failed.abort(error);
      await Promise.allSettled(this.#started.values());
      // Of several that failed the first is the reason of all.
      this.#signal.throwIfAborted();
      throw error;
    }
    const roots = new Map<StepId, BuiltRoot>([[this.#root, last]]);
    for (const [id, solved] of this.#solved) if (solved.kind === 'root') roots.set(id, solved.root);
    return roots;
  }

  /** Starts it, or joins who has. */
  #need(root: Root): Promise<Solved> {
    if (root === 'scratch') return Promise.resolve(nothing);
    let started = this.#started.get(root);
    if (started === undefined) {
      started = this.#start(this.#steps.get(root)!);
      this.#started.set(root, started);
    }
    return started;
  }

  async #start(step: Step): Promise<Solved> {
    // Those that are copied over stand on their base all the same.
    const roots = new Set([...('root' in step ? [step.root] : []), ...inputsOf(step).map(({ root }) => root)]);
    const needed = [...roots].map((root) => this.#need(root));
    await Promise.all(needed);
    const started = formatNanos(this.#context.now());
    this.#tell(step, { started, cached: false });
    try {
      const { solved, cached } = await this.#do(step);
      this.#solved.set(step.id, solved);
      const result = solved.key === undefined || solved.key === 'scratch' ? {} : { result: solved.key };
      this.#tell(step, { started, cached, completed: formatNanos(this.#context.now()), ...result });
      return solved;
    } catch (error) {
      // One that ends because another failed, or the client left, did not fail itself.
      const isCancelled = this.#signal.aborted && error === this.#signal.reason;
      const completed = formatNanos(this.#context.now());
      this.#tell(step, { started, cached: false, completed, error: isCancelled ? cancelled : messageOf(error) });
      this.#failed.abort(error);
      throw error;
    }
  }

  async #do(step: Step): Promise<{ solved: Solved; cached: boolean }> {
    this.#signal.throwIfAborted();
    switch (step.kind) {
      case 'image': {
        const { resolved, root } = await this.#inputs.image(step, this.#signal);
        return { solved: { kind: 'root', key: sourceKey(step, resolved), root }, cached: false };
      }
      case 'local': {
        const folder = await this.#inputs.local(step.context, this.#signal);
        return { solved: { kind: 'folder', step, key: undefined, folder }, cached: false };
      }
      case 'http':
      case 'git':
        return { solved: await fetchStep(this.#context, step, this.#inputs, this.#loans, this.#signal), cached: false };
      default:
        return this.#make(step);
    }
  }

  async #make(step: MadeStep): Promise<{ solved: Solved; cached: boolean }> {
    const { results } = this.#context;
    const base = await this.#rootOf(step.root);
    const key = await this.#keyOf(step);
    const solved = (root: BuiltRoot): Solved => ({ kind: 'root', key, root });
    if (!step.ignoreCache) {
      const known = await results.find(key);
      if (known !== undefined) return { solved: solved(await this.#on(step, base, known)), cached: true };
    }
    // Without the cache it is this build's own affair.
    const name = step.ignoreCache ? this.#context.newId() : key;
    const made = await this.#together(name, (signal) => this.#build(step, key, base, signal));
    return { solved: solved(await this.#on(step, base, made)), cached: false };
  }

  /** Does it, or waits for another build that is at it. */
  async #together(name: string, task: (signal: AbortSignal) => Promise<BuiltRoot>): Promise<BuiltRoot> {
    for (;;) {
      let isOurs = false;
      const ours = (signal: AbortSignal): Promise<BuiltRoot> => {
        isOurs = true;
        return task(signal);
      };
      try {
        return await this.#context.running.run(name, ours, this.#signal);
      } catch (error) {
        // What another build failed at may be its own affair, its client's above all: then it is our turn.
        if (isOurs || this.#signal.aborted) throw error;
      }
    }
  }

  /** What `--link` made has no base of its own: it goes on any. */
  async #on(step: MadeStep, base: BuiltRoot, made: BuiltRoot): Promise<BuiltRoot> {
    const { hold } = this.#inputs;
    const root = isLinked(step) ? await stackLayers(this.#context, { base, above: made, hold }, this.#signal) : made;
    this.#hold(root);
    return root;
  }

  async #keyOf(step: MadeStep): Promise<Digest> {
    const withParents = step.kind === 'copy' && step.sources.some((one) => one.kind === 'path' && one.keepParents);
    const digests: (Digest | 'scratch')[] = [];
    for (const input of inputsOf(step)) {
      const solved = this.#solvedOf(input.root);
      try {
        digests.push(await inputDigest(this.#context, solved, { ...input, withParents }, this.#signal));
      } catch (error) {
        if (faultKind(error) !== 'not-found') throw error;
        const message = `failed to compute cache key: failed to calculate checksum of ref: ${messageOf(error)}`;
        throw new Fault('not-found', message, { cause: error });
      }
    }
    const { limits, extraHosts } = this.#inputs;
    return stepKey(step, digests, { ...limits, extraHosts });
  }

  async #build(step: MadeStep, key: Digest, base: BuiltRoot, signal: AbortSignal): Promise<BuiltRoot> {
    const { content, snapshots, results, slots, newId, now } = this.#context;
    using _slot = await slots.take(signal);
    using blobs = content.hold();
    using layers = snapshots.hold();
    const below = isLinked(step) ? scratch : base;
    const id = newId();
    await using loans = new AsyncDisposableStack();
    loans.defer(() => snapshots.remove(id));
    await snapshots.prepare(id, rootChain(below));
    await this.#write(step, { path: snapshots.mount(id), base: below }, signal);
    const made = await commitLayer({ snapshots }, { id, base: below, hold: { blobs, layers }, now: now() }, signal);
    await results.keep(key, made, step.name);
    return made;
  }

  async #write(step: MadeStep, target: { path: string; base: BuiltRoot }, signal: AbortSignal): Promise<void> {
    const solvedOf = (root: Root): Solved => this.#solvedOf(root);
    const scope = { context: this.#context, inputs: this.#inputs, solvedOf };
    if (step.kind === 'exec') await runExec(scope, step, target, signal);
    else if (step.kind === 'copy') await writeCopy(this.#context, step, target.path, solvedOf, signal);
    else await writeFolder(this.#context, step, target.path, signal);
  }

  /** Of a step that is done. */
  #solvedOf(root: Root): Solved {
    return this.#solved.get(root)!;
  }

  /** What steps stand on, of a step that is done. */
  #rootOf(root: Root): Promise<BuiltRoot> {
    const solved = this.#solvedOf(root);
    if (solved.kind === 'root') return Promise.resolve(solved.root);
    let made = this.#folderRoots.get(root);
    if (made === undefined) this.#folderRoots.set(root, (made = this.#folderRoot(solved)));
    return made;
  }

  async #folderRoot(solved: SolvedFolder): Promise<BuiltRoot> {
    const key = await folderRootKey(this.#context, solved, this.#signal);
    const known = await this.#context.results.find(key);
    const root = known ?? (await this.#together(key, (signal) => folderRoot(this.#context, solved, key, signal)));
    this.#hold(root);
    return root;
  }

  /** Whoever made it, this build needs it until its end. */
  #hold(root: BuiltRoot): void {
    const { hold } = this.#inputs;
    for (const chain of chainIds(root.diffIds)) hold.layers.add(chain);
    for (const { digest } of root.layers) hold.blobs.add(digest);
  }

  #tell(step: Step, state: Told): void {
    const event: BuildEvent = {
      kind: 'vertex',
      digest: vertexOf(step),
      name: step.name,
      inputs: inputsOf(step)
        .filter(({ root }) => root !== 'scratch')
        .map(({ root }) => vertexOf({ id: root })),
      cached: state.cached,
      started: state.started,
      completed: state.completed,
      error: state.error,
      ...(state.result === undefined ? {} : { result: state.result }),
      source: step.range === undefined ? undefined : { file: '', start: step.range.start, end: step.range.end },
    };
    this.#inputs.emit(event);
  }
}

function isLinked(step: MadeStep): boolean {
  return step.kind === 'copy' && step.link;
}
