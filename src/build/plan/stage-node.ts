/** The stages of a build and what they need: those of the file, and an unnamed one for each image that only a `--from` names. */
import {
  baseStage,
  type Dockerfile,
  expand,
  type GlobalScope,
  type Instruction,
  type RunInstruction,
  settledFrom,
  type Stage,
  stageByName,
  stageNumber,
  SyntaxProblem,
  type Word,
} from '../../dockerfile/index.ts';
import { type NamedContext, namedContext } from './named-context.ts';

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
  readonly platform: string | undefined;
  /** Stands in for the whole of it: a context of the stage's name, or of what a `--from` names. */
  readonly context: NamedContext | undefined;
  /** Stands in for its base image only. */
  readonly baseContext: NamedContext | undefined;
  readonly base: StageNode | undefined;
  instructions: readonly NodeInstruction[];
}

export interface StageGraph {
  /** Those of the file, in its order. */
  readonly nodes: readonly StageNode[];
  /** Adds the instructions ONBUILD brings, before the stage's own. @throws SyntaxProblem */
  readonly addTriggers: (node: StageNode, triggers: readonly StageInstruction[]) => void;
  /** How many there are with the unnamed ones. */
  readonly count: () => number;
}

export interface StageGraphOptions {
  readonly file: Dockerfile;
  readonly global: GlobalScope;
  readonly contexts: ReadonlyMap<string, string>;
  readonly onProblem: (error: unknown) => void;
}

/** Stages that cannot be linked are reported and left out. */
export function stageGraph({ file, global, contexts, onProblem }: StageGraphOptions): StageGraph {
  const byStage = new Map<Stage, StageNode>();
  let unnamed = 0;
  const scope = { variables: global.variables, escape: file.directives.escape };
  for (const stage of file.stages) {
    try {
      const { image, platform } = settledFrom(stage.from, scope);
      const base = baseStage(file.stages, stage.index, image);
      byStage.set(stage, {
        stage,
        place: stage.from.image,
        label: stage.name ?? `stage-${stage.index}`,
        image,
        platform,
        context: stage.name === undefined ? undefined : namedContext(contexts, stage.name),
        baseContext: base === undefined ? namedContext(contexts, image) : undefined,
        base: base === undefined ? undefined : byStage.get(base),
        instructions: [],
      });
    } catch (error) {
      onProblem(error);
    }
  }
  const imageNode = (name: Word): StageNode => {
    unnamed++;
    const context = namedContext(contexts, name.text);
    const rest = { stage: undefined, label: '', platform: undefined, base: undefined, baseContext: undefined };
    return { ...rest, place: name, image: name.text, context, instructions: [] };
  };
  const find = (name: Word): StageNode => {
    const stage = stageByName(file.stages, name.text);
    return (stage === undefined ? undefined : byStage.get(stage)) ?? imageNode(name);
  };
  const link = (instruction: StageInstruction, isTrigger: boolean): NodeInstruction => ({
    instruction,
    isTrigger,
    sources: sourcesOf(instruction, {
      find,
      byNumber: (number) => byStage.get(file.stages[number]!),
      count: file.stages.length,
    }),
  });
  for (const [stage, node] of byStage) {
    try {
      node.instructions = stage.instructions.map((instruction) => link(instruction as StageInstruction, false));
    } catch (error) {
      onProblem(error);
    }
  }
  return {
    nodes: [...byStage.values()],
    count: () => byStage.size + unnamed,
    addTriggers: (node, triggers) => {
      node.instructions = [...triggers.map((trigger) => link(trigger, true)), ...node.instructions];
    },
  };
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
  if (expand(from.text, new Map()).text !== from.text) {
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
