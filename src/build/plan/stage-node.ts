/** The stages of a build and what they need: those of the file, and an unnamed one for each image that only a `--from` names. */
import {
  type BuildPlatform,
  type Dockerfile,
  Expander,
  type GlobalScope,
  type Instruction,
  type RunInstruction,
  settledFrom,
  type Stage,
  stageNumber,
  stagesByName,
  SyntaxProblem,
  type Word,
} from '../../dockerfile/index.ts';
import { messageOf } from '../../std/index.ts';
import { type NamedContext, namedContext } from './named-context.ts';
import { parseStagePlatform } from './stage-platform.ts';

export type StageInstruction = Exclude<Instruction, { kind: 'FROM' }>;

export interface NodeInstruction {
  readonly instruction: StageInstruction;
  /** From the base image's ONBUILD. */
  readonly isTrigger: boolean;
  /** COPY: what `--from` names. RUN: what each mount's `from` does. `undefined`: the build context, or nothing. */
  readonly sources: readonly (StageNode | undefined)[];
}

export interface StageNode {
  /** `undefined` for an image that a `--from` names. */
  readonly stage: Stage | undefined;
  /** Where the name is written. */
  readonly place: Word;
  /** As progress shows it: the name, or `stage-0`; '' where there is only one. */
  readonly label: string;
  readonly image: string;
  readonly platform: BuildPlatform | undefined;
  /** Stands in for the whole of it: a context of the stage's name, or of what a `--from` names. */
  readonly context: NamedContext | undefined;
  /** Stands in for its base image only. */
  readonly baseContext: NamedContext | undefined;
  readonly base: StageNode | undefined;
  instructions: readonly NodeInstruction[];
}

export interface StageGraphOptions {
  readonly file: Dockerfile;
  readonly global: GlobalScope;
  readonly contexts: ReadonlyMap<string, string>;
  readonly onProblem: (error: unknown) => void;
}

/** Stages that cannot be linked are reported and left out. */
export class StageGraph {
  readonly #options: StageGraphOptions;
  readonly #byStage = new Map<Stage, StageNode>();
  readonly #byName: ReadonlyMap<string, Stage>;
  #unnamed = 0;

  constructor(options: StageGraphOptions) {
    this.#options = options;
    const { stages } = options.file;
    this.#byName = stagesByName(stages);
    /** As the file goes on: a FROM means the last one of that name before it. */
    const named = new Map<string, StageNode>();
    for (const stage of stages) this.#attempt(() => this.#addStage(stage, named));
    for (const [stage, node] of this.#byStage) this.#attempt(() => this.#link(stage, node));
  }

  /** Those of the file, in its order. */
  get nodes(): readonly StageNode[] {
    return [...this.#byStage.values()];
  }

  /** How many there are with the unnamed ones. */
  get count(): number {
    return this.#byStage.size + this.#unnamed;
  }

  /** Adds the instructions ONBUILD brings, before the stage's own. @throws SyntaxProblem */
  addTriggers(node: StageNode, triggers: readonly StageInstruction[]): void {
    node.instructions = [...triggers.map((trigger) => this.#linked(trigger, true)), ...node.instructions];
  }

  #addStage(stage: Stage, named: Map<string, StageNode>): void {
    const { file, global, contexts } = this.#options;
    const scope = { variables: global.variables, escape: file.directives.escape };
    const { image, platform } = settledFrom(stage.from, scope);
    const base = named.get(image);
    const node: StageNode = {
      stage,
      place: stage.from.image,
      label: stage.name ?? `stage-${stage.index}`,
      image,
      platform: platform === undefined ? undefined : this.#platform(stage, platform),
      context: stage.name === undefined ? undefined : namedContext(contexts, stage.name),
      baseContext: base === undefined ? namedContext(contexts, image) : undefined,
      base,
      instructions: [],
    };
    this.#byStage.set(stage, node);
    if (stage.name !== undefined) named.set(stage.name, node);
  }

  #platform({ from }: Stage, text: string): BuildPlatform {
    const { text: expression, range } = from.platform!;
    try {
      return parseStagePlatform(expression, text);
    } catch (error) {
      throw new SyntaxProblem('bad-platform', messageOf(error), range);
    }
  }

  #link(stage: Stage, node: StageNode): void {
    node.instructions = stage.instructions.map((one) => this.#linked(one as StageInstruction, false));
  }

  #linked(instruction: StageInstruction, isTrigger: boolean): NodeInstruction {
    const { stages } = this.#options.file;
    const lookup: Lookup = {
      find: (name) => this.#find(name),
      byNumber: (number) => this.#byStage.get(stages[number]!),
      count: stages.length,
    };
    return { instruction, isTrigger, sources: sourcesOf(instruction, lookup) };
  }

  #find(name: Word): StageNode {
    const stage = this.#byName.get(name.text.toLowerCase());
    return (stage === undefined ? undefined : this.#byStage.get(stage)) ?? this.#unnamedNode(name);
  }

  #unnamedNode(name: Word): StageNode {
    this.#unnamed++;
    const context = namedContext(this.#options.contexts, name.text);
    const rest = { stage: undefined, label: '', platform: undefined, base: undefined, baseContext: undefined };
    return { ...rest, place: name, image: name.text, context, instructions: [] };
  }

  #attempt(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#options.onProblem(error);
    }
  }
}

interface Lookup {
  readonly find: (name: Word) => StageNode;
  readonly byNumber: (number: number) => StageNode | undefined;
  readonly count: number;
}

function sourcesOf(instruction: StageInstruction, lookup: Lookup): readonly (StageNode | undefined)[] {
  if (instruction.kind === 'RUN') return mountSources(instruction, lookup);
  if (instruction.kind !== 'COPY' || instruction.from === undefined) return [];
  const { from } = instruction;
  if (new Expander(new Map(), '\\').word(from).text !== from.text) {
    const message =
      'variable expansion is not supported for --from, define a new stage with FROM using ARG from global scope as a workaround';
    throw new SyntaxProblem('bad-from', message, from.range);
  }
  const number = stageNumber(from.text);
  if (number === undefined) return [lookup.find(from)];
  if (number < 0 || number >= lookup.count) {
    throw new SyntaxProblem('bad-from', `invalid stage index ${number}`, from.range);
  }
  return [lookup.byNumber(number)];
}

/** A mount that names no stage counts as one more, as in BuildKit; a cache begins empty, that is, from `scratch`. */
function mountSources({ mounts }: RunInstruction, { find }: Lookup): (StageNode | undefined)[] {
  return mounts.map(({ fields, word }) => {
    const type = fields.find(({ key }) => key === 'type')?.value?.toLowerCase();
    const from = fields.findLast(({ key, value }) => key === 'from' && value !== undefined && value !== '');
    const isRooted = type === undefined || type === 'bind' || type === 'cache';
    if (isRooted && from !== undefined) return find({ text: from.value!, range: from.word.range });
    const nothing = find({ text: 'scratch', range: word.range });
    return type === 'cache' ? nothing : undefined;
  });
}
