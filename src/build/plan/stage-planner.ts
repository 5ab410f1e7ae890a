/** One stage's instructions, one after the other, to steps and to an image. */
import {
  cleanPath,
  type CommandLine,
  type EscapeToken,
  type ExpandedInstruction,
  expandInstruction,
  type Range,
  type StageScope,
  SyntaxProblem,
} from '../../dockerfile/index.ts';
import { planCopy } from './copy.ts';
import { ImageFold, type PlannedImage } from './image-fold.ts';
import type { ResolvedPlanOptions } from './options.ts';
import { absolutePath } from './path.ts';
import { exposedPorts } from './ports.ts';
import { planRun } from './run.ts';
import { isSignal } from './signal.ts';
import type { NodeInstruction, StageNode } from './stage-node.ts';
import type { Root, Step, StepId } from './step.ts';
import type { StepList } from './step-list.ts';
import { instructionText, type StepNames } from './step-name.ts';

/** What is known of a stage when it has been planned, or of an image that is only copied from. */
export interface PlannedRoot {
  readonly root: Root;
  readonly image: PlannedImage;
}

/** One instruction of the Dockerfile and what came of it; those of ONBUILD included. */
export interface PlannedInstruction {
  readonly text: string;
  readonly range: Range;
  readonly isTrigger: boolean;
  /** The step that does it; `undefined` where it only changes the configuration. */
  readonly step: StepId | undefined;
}

export interface StageContext {
  readonly node: StageNode;
  /** Comes before the ids of its steps. */
  readonly prefix: string;
  readonly steps: StepList;
  readonly names: StepNames;
  readonly scope: StageScope;
  readonly escape: EscapeToken;
  readonly options: ResolvedPlanOptions;
  readonly ignoreCache: boolean;
  /** What a COPY or a mount takes from. @throws SyntaxProblem where it is not there yet */
  readonly rootOf: (source: StageNode, instruction: NodeInstruction) => Root;
  readonly onProblem: (error: unknown) => void;
}

export class StagePlanner {
  readonly context: StageContext;
  root: Root;
  readonly image: ImageFold;
  readonly instructions: PlannedInstruction[] = [];
  #count = 0;

  constructor(context: StageContext, begin: PlannedRoot) {
    this.context = context;
    this.root = begin.root;
    this.image = new ImageFold(begin.image);
  }

  run(): void {
    for (const one of this.context.node.instructions) {
      const { original: text, range } = one.instruction;
      const before = this.root;
      try {
        this.#plan(one);
      } catch (error) {
        this.context.onProblem(error);
      }
      const step = this.root === before || this.root === 'scratch' ? undefined : this.root;
      this.instructions.push({ text, range, isTrigger: one.isTrigger, step });
    }
  }

  get workingDir(): string {
    return this.image.workingDir;
  }

  /** A step of this stage, whose result is what the next one begins with. */
  push(step: (base: Pick<Step, 'id' | 'ignoreCache'>) => Step): StepId {
    const id = `${this.context.prefix}${++this.#count}`;
    this.root = this.context.steps.add(step({ id, ignoreCache: this.context.ignoreCache }));
    return id;
  }

  #plan(one: NodeInstruction): void {
    const { instruction } = one;
    const expander = this.context.scope.expander();
    if (instruction.kind === 'ARG') {
      this.image.declareArgs(this.context.scope.declare(instruction, expander));
      return;
    }
    const expanded = expandInstruction(instruction, expander);
    if (expanded.kind === 'RUN') planRun(this, expanded, one);
    else if (expanded.kind === 'COPY' || expanded.kind === 'ADD') planCopy(this, expanded, one);
    else if (expanded.kind === 'WORKDIR') this.#workdir(expanded, one);
    else this.#configure(expanded);
  }

  #configure(one: Exclude<ExpandedInstruction, { kind: 'RUN' | 'COPY' | 'ADD' | 'WORKDIR' }>): void {
    const { image } = this;
    switch (one.kind) {
      case 'ENV':
        for (const { key, value } of one.pairs) this.context.scope.setEnv(key.text, value.text);
        image.setEnv(texts(one.pairs));
        break;
      case 'LABEL':
        image.setLabels(texts(one.pairs));
        break;
      case 'CMD':
        image.setCmd(this.commandArgs(one.command));
        break;
      case 'ENTRYPOINT':
        image.setEntrypoint(this.commandArgs(one.command));
        break;
      case 'SHELL':
        image.setShell(one.args.map(({ text }) => text));
        break;
      case 'USER':
        image.setUser(one.user.text);
        break;
      case 'VOLUME':
        this.#volume(one);
        break;
      case 'EXPOSE':
        image.addPorts(one.ports.flatMap(({ text, range }) => located(range, () => exposedPorts(text))));
        break;
      case 'STOPSIGNAL':
        if (!isSignal(one.signal.text))
          throw new SyntaxProblem('bad-signal', `invalid signal: ${one.signal.text}`, one.signal.range);
        image.setStopSignal(one.signal.text);
        break;
      case 'HEALTHCHECK':
        image.setHealthcheck(one.health);
        break;
      case 'ONBUILD':
        image.addTrigger(one.expression);
        break;
      case 'MAINTAINER':
        image.setAuthor(one.name.text);
        break;
    }
  }

  /** The exec form as it is; the shell form behind the image's shell. */
  commandArgs(command: CommandLine): string[] {
    if (command.form === 'exec') return command.args.map(({ text }) => text);
    return this.shellArgs(command.line.text);
  }

  shellArgs(line: string): string[] {
    return [...this.image.shell, line];
  }

  #volume({ paths }: Extract<ExpandedInstruction, { kind: 'VOLUME' }>): void {
    const empty = paths.find(({ text }) => text === '');
    if (empty !== undefined) {
      throw new SyntaxProblem('empty-volume', 'VOLUME specified can not be an empty string', empty.range);
    }
    this.image.addVolumes(paths.map(({ text }) => text));
  }

  #workdir({ path, original, range }: Extract<ExpandedInstruction, { kind: 'WORKDIR' }>, one: NodeInstruction): void {
    // What is absolute is remembered as it was written.
    const absolute = path.text.startsWith('/') ? path.text : absolutePath(this.workingDir, path.text);
    if (absolute === '/') {
      this.image.setWorkdir(absolute, undefined);
      return;
    }
    const { names, scope, escape } = this.context;
    const name = names.next(instructionText(original, scope.values, escape), one);
    const { root } = this;
    const owner = this.image.user === '' ? undefined : this.image.user;
    const step = this.push((base) => ({
      ...base,
      kind: 'mkdir',
      name,
      range,
      root,
      path: cleanPath(absolute),
      mode: 0o755,
      owner,
    }));
    this.image.setWorkdir(absolute, step);
  }
}

function texts(pairs: readonly { key: { text: string }; value: { text: string } }[]): [string, string][] {
  return pairs.map(({ key, value }) => [key.text, value.text]);
}

/** An error of a value, at its place. */
function located<Result>(range: Range, work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    throw new SyntaxProblem('bad-value', (error as Error).message, range);
  }
}
