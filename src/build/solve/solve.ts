/**
 * Does what a plan says: each step once, after those it needs, as many at a time as there are slots. A step whose key has a result is not
 * done again. When one fails the others are cancelled and waited for.
 */
import type { BuildEvent } from '../../api/index.ts';
import { chainIds, type Digest } from '../../oci/index.ts';
import { Fault, faultKind, formatNanos, messageOf } from '../../std/index.ts';
import { definedPart, sourceKey, stackedKey, stepKey } from '../plan/cache-key.ts';
import type { Plan } from '../plan/plan.ts';
import {
  type CopyStep,
  type ExecStep,
  inputsOf,
  type MkdirStep,
  type Root,
  type Step,
  type StepId,
  type StepInput,
} from '../plan/step.ts';
import { commitLayer, stackLayers } from '../result/commit-layer.ts';
import { type BuiltRoot, rootChain, scratch } from '../result/root.ts';
import type { BuildInputs, SolveContext } from './context.ts';
import { fetchStep } from './fetch-step.ts';
import { folderRoot, folderRootKey } from './folder-root.ts';
import { inputDigest, type Solved, type SolvedFolder, type SolvedRoot } from './lend.ts';
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
  /** Of what inputs hold, so that no folder is read twice for the same. */
  readonly #digests = new Map<string, Promise<Digest | 'scratch'>>();
  readonly #fresh = new Map<StepId, boolean>();
  readonly #definitions = new Map<StepId, Promise<Digest | undefined>>();
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
    await this.#tellUnneeded();
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
    const found = isMade(step) ? await this.#adopt(step) : undefined;
    if (found !== undefined) return found;
    await Promise.all(rootsOf(step).map((root) => this.#need(root)));
    const started = this.#time();
    this.#tell(step, { started, cached: false });
    try {
      const { solved, cached } = await this.#do(step);
      this.#solved.set(step.id, solved);
      const result = solved.key === undefined || solved.key === 'scratch' ? {} : { result: solved.key };
      this.#tell(step, { started, cached, completed: this.#time(), ...result });
      return solved;
    } catch (error) {
      // One that ends because another failed, or the client left, did not fail itself.
      const isCancelled = this.#signal.aborted && error === this.#signal.reason;
      const completed = this.#time();
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
    const known = step.ignoreCache ? undefined : ((await results.find(key)) ?? (await this.#import(step, key)));
    // Without the cache it is this build's own affair.
    const name = step.ignoreCache ? this.#context.newId() : key;
    const made = known ?? (await this.#together(name, (signal) => this.#build(step, key, base, signal)));
    const root = await this.#on(step, base, made);
    await this.#tellSolved(step, key, made, root);
    return { solved: { kind: 'root', key: await this.#rootKey(step, key), root }, cached: known !== undefined };
  }

  /**
   * The step's result where one is known by how it is made: then nothing that it stands on or reads from has to be done. Asked of builds that
   * have results of other builders only: it wants all sources at once.
   */
  async #adopt(step: MadeStep): Promise<Solved | undefined> {
    const { imported } = this.#inputs;
    const { results } = this.#context;
    if (imported === undefined && !results.hasImported()) return undefined;
    if (this.#isFresh(step)) return undefined;
    const key = await this.#definition(step);
    if (key === undefined || !(results.has(key) || imported?.has(key) === true)) return undefined;
    // What goes on any base goes on this one.
    if (isLinked(step)) await this.#need(step.root);
    const started = this.#time();
    this.#tell(step, { started, cached: false });
    const made = (await results.find(key)) ?? (await this.#import(step, key));
    if (made === undefined) return undefined;
    const base = isLinked(step) ? await this.#rootOf(step.root) : made;
    const root = await this.#on(step, base, made);
    const solved: SolvedRoot = { kind: 'root', key: await this.#rootKey(step, key), root };
    this.#solved.set(step.id, solved);
    this.#tell(step, { started, cached: true, completed: this.#time(), result: key });
    await this.#tellSolved(step, this.#foreignKey(key), made, root);
    if (!isLinked(step)) await this.#adoptBelow(step, root);
    return solved;
  }

  /** What the adopted result stands on is here with it. Each step has made one layer. */
  async #adoptBelow(top: MadeStep, root: BuiltRoot): Promise<void> {
    const { imported } = this.#inputs;
    const { results } = this.#context;
    let { diffIds, layers } = root;
    for (let step = this.#steps.get(top.root); step !== undefined && isMade(step); step = this.#steps.get(step.root)) {
      const definition = await this.#definition(step);
      const key = await this.#rootDefinition(step);
      if (definition === undefined || key === undefined || this.#started.has(step.id)) return;
      [diffIds, layers] = [diffIds.slice(0, -1), layers.slice(0, -1)];
      const { createdAt } = results.get(definition) ?? imported?.get(definition) ?? { createdAt: undefined };
      const below: BuiltRoot = { diffIds, layers, createdAt };
      const solved: Solved = { kind: 'root', key, root: below };
      this.#started.set(step.id, Promise.resolve(solved));
      this.#solved.set(step.id, solved);
      if (!isLinked(step) && !results.has(key)) await results.keep(key, below, step.name, this.#foreignKey(key));
      const time = this.#time();
      this.#tell(step, { started: time, cached: true, completed: time, result: key });
      // On its own it is not here.
      if (isLinked(step)) this.#tellUnneededOne(step, definition);
      else await this.#tellSolved(step, this.#foreignKey(key), below, below);
    }
  }

  /** A result of another builder; undefined where it has none, or none that can be had. */
  async #import(step: MadeStep, key: Digest): Promise<BuiltRoot | undefined> {
    const { hold, imported } = this.#inputs;
    if (imported?.has(key) !== true) return undefined;
    const base = isLinked(step) ? scratch : await this.#bottomOf(step);
    const begun = this.#time();
    const report = (id: string, current: number, total: number): void => {
      const timestamp = this.#time();
      const completed = current >= total ? timestamp : undefined;
      const vertex = vertexOf(step);
      this.#inputs.emit({
        kind: 'status',
        vertex,
        id,
        name: id,
        current,
        total,
        timestamp,
        started: begun,
        completed,
      });
    };
    const root = await imported.root(key, base, { hold, report }, this.#signal);
    if (root !== undefined) await this.#context.results.keep(key, root, step.name, this.#foreignKey(key));
    return root;
  }

  /** Of what it read, as its maker says. */
  #foreignKey(key: Digest): Digest {
    return this.#context.results.get(key)?.foreignKey ?? this.#inputs.imported?.get(key)?.key ?? key;
  }

  /** The image that the step's root begins with; nothing where it begins with nothing, or with files. */
  async #bottomOf(step: MadeStep): Promise<BuiltRoot> {
    let below: Step | undefined = step;
    while (below !== undefined && isMade(below)) below = this.#steps.get(below.root);
    if (below?.kind !== 'image') return scratch;
    const solved = await this.#need(below.id);
    return solved.kind === 'root' ? solved.root : scratch;
  }

  /** Whether it, or something that it needs, is to be done whatever is known. */
  #isFresh(step: Step): boolean {
    let isFresh = this.#fresh.get(step.id);
    if (isFresh === undefined) {
      isFresh =
        step.ignoreCache || rootsOf(step).some((root) => root !== 'scratch' && this.#isFresh(this.#steps.get(root)!));
      this.#fresh.set(step.id, isFresh);
    }
    return isFresh;
  }

  /** The key of how it is made. Needs the sources that it comes from, and no more; undefined where something in them is missing. */
  #definition(step: MadeStep): Promise<Digest | undefined> {
    let definition = this.#definitions.get(step.id);
    if (definition === undefined) this.#definitions.set(step.id, (definition = this.#define(step)));
    return definition;
  }

  async #define(step: MadeStep): Promise<Digest | undefined> {
    const withParents = keepsParents(step);
    const parts = await Promise.all(inputsOf(step).map((input) => this.#definedInput(input, withParents)));
    const known = parts.filter((part) => part !== undefined);
    return known.length < parts.length ? undefined : this.#stepKey(step, known);
  }

  async #definedInput(input: StepInput, withParents: boolean): Promise<Digest | 'scratch' | undefined> {
    const below = this.#steps.get(input.root);
    if (below !== undefined && isMade(below)) {
      const definition = await this.#rootDefinition(below);
      if (definition === undefined || input.by === 'key') return definition;
      return definedPart(definition, { ...input, withParents });
    }
    const solved = await this.#need(input.root);
    try {
      return await this.#inputDigest(solved, input, withParents);
    } catch (error) {
      if (faultKind(error) !== 'not-found') throw error;
      return undefined;
    }
  }

  /** Of what the step made on what it stands on. */
  async #rootDefinition(step: MadeStep): Promise<Digest | undefined> {
    const definition = await this.#definition(step);
    if (!isLinked(step) || definition === undefined) return definition;
    const base = await this.#definedInput({ root: step.root, by: 'key' }, false);
    return base === undefined ? undefined : stackedKey(definition, base);
  }

  async #rootKey(step: MadeStep, key: Digest): Promise<Digest> {
    if (!isLinked(step)) return key;
    return stackedKey(key, await this.#inputDigest(this.#solvedOf(step.root), { root: step.root, by: 'key' }, false));
  }

  async #tellSolved(step: MadeStep, key: Digest, made: BuiltRoot, root: BuiltRoot): Promise<void> {
    const { solved } = this.#inputs;
    if (solved === undefined) return;
    const definition = await this.#definition(step);
    if (definition === undefined) return;
    const baseLayers = isLinked(step) ? 0 : (await this.#bottomOf(step)).diffIds.length;
    solved({ name: step.name, key, definition, result: { made, root, baseLayers } });
  }

  #tellUnneededOne(step: MadeStep, definition: Digest): void {
    this.#inputs.solved?.({ name: step.name, key: this.#foreignKey(definition), definition, result: undefined });
  }

  /** Steps that nothing waits for any more, as what needs them was known. */
  async #tellUnneeded(): Promise<void> {
    for (const step of this.#steps.values()) {
      if (!isMade(step) || this.#started.has(step.id)) continue;
      const time = this.#time();
      this.#tell(step, { started: time, cached: true, completed: time });
      const definition = await this.#definition(step);
      if (definition !== undefined) this.#tellUnneededOne(step, definition);
    }
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
    const withParents = keepsParents(step);
    const digests: (Digest | 'scratch')[] = [];
    for (const input of inputsOf(step)) {
      try {
        digests.push(await this.#inputDigest(this.#solvedOf(input.root), input, withParents));
      } catch (error) {
        if (faultKind(error) !== 'not-found') throw error;
        const message = `failed to compute cache key: failed to calculate checksum of ref: ${messageOf(error)}`;
        throw new Fault('not-found', message, { cause: error });
      }
    }
    return this.#stepKey(step, digests);
  }

  #stepKey(step: MadeStep, inputs: readonly (Digest | 'scratch')[]): Digest {
    const { limits, extraHosts } = this.#inputs;
    return stepKey(step, inputs, { ...limits, extraHosts });
  }

  #inputDigest(solved: Solved, input: StepInput, withParents: boolean): Promise<Digest | 'scratch'> {
    const name = JSON.stringify([input, withParents]);
    let digest = this.#digests.get(name);
    if (digest === undefined) {
      digest = inputDigest(this.#context, solved, { ...input, withParents }, this.#signal);
      this.#digests.set(name, digest);
    }
    return digest;
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
    await this.#write(step, { id, path: snapshots.mount(id), base: below }, signal);
    const made = await commitLayer({ snapshots }, { id, base: below, hold: { blobs, layers }, now: now() }, signal);
    await results.keep(key, made, step.name);
    return made;
  }

  async #write(
    step: MadeStep,
    target: { id: string; path: string; base: BuiltRoot },
    signal: AbortSignal,
  ): Promise<void> {
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

  #time(): string {
    return formatNanos(this.#context.now());
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

function isMade(step: Step): step is MadeStep {
  return step.kind === 'exec' || step.kind === 'copy' || step.kind === 'mkdir';
}

/** What it needs. Those that go on any base stand on theirs all the same. */
function rootsOf(step: Step): Root[] {
  return [...new Set([...('root' in step ? [step.root] : []), ...inputsOf(step).map(({ root }) => root)])];
}

function isLinked(step: MadeStep): boolean {
  return step.kind === 'copy' && step.link;
}

function keepsParents(step: MadeStep): boolean {
  return step.kind === 'copy' && step.sources.some((one) => one.kind === 'path' && one.keepParents);
}
