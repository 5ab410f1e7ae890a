/**
 * Build events as the classic builder tells its steps (moby, builder/dockerfile): one after the other in the file's order, whatever
 * order they are done in. What a step says before its turn is held back. Pure.
 */
import { createHash } from 'node:crypto';
import { StringDecoder } from 'node:string_decoder';
import { type BuildEvent, buildFailureOf, type BuildResult, type ProgressMessage } from '../../api/index.ts';
import type { ClassicBuild } from './parameters.ts';
import { failureText } from './failure-text.ts';
import { HeldOutput, type Piece } from './held-output.ts';

export interface ClassicStyle extends Pick<ClassicBuild, 'removes' | 'tags'> {
  /** Those asked for beside the Dockerfile's: a step more for each. */
  readonly labels: ReadonlyMap<string, string>;
  /** Whether the image's id is told by itself, too. */
  readonly aux: boolean;
}

type Instruction = Extract<BuildEvent, { kind: 'instructions' }>['instructions'][number];

type Vertex = Extract<BuildEvent, { kind: 'vertex' }>;

export class ClassicRenderer {
  readonly #style: ClassicStyle;
  readonly #vertices = new Map<string, Vertex>();
  readonly #decoders = new Map<string, { stdout: StringDecoder; stderr: StringDecoder }>();
  readonly #held = new HeldOutput();
  /** What each stage came to, by its name in lower case. */
  readonly #stages = new Map<string, string>();
  #instructions: readonly Instruction[] = [];
  /** Of which ONBUILD brings some: they have no number. */
  #total = 0;
  #number = 0;
  /** The instruction whose turn it is. */
  #turn = 0;
  #isOpen = false;
  #isRunning = false;
  /** After the last instruction told. */
  #id = '';
  #stage: string | undefined;
  #wasCached = false;
  #messages: ProgressMessage[] = [];

  constructor(style: ClassicStyle) {
    this.#style = style;
  }

  tell(event: BuildEvent): ProgressMessage[] {
    if (event.kind === 'instructions') {
      this.#instructions = [...event.instructions, ...labelInstructions(this.#style.labels)];
      this.#total = this.#instructions.filter(({ isTrigger }) => isTrigger !== true).length;
      this.#advance();
    } else if (event.kind === 'vertex') {
      this.#vertices.set(event.digest, event);
      if (event.completed !== undefined) this.#endOutput(event.digest);
      this.#advance();
    } else if (event.kind === 'log') {
      this.#output(event.vertex, event.stream, this.#decoder(event.vertex)[event.stream].write(event.data));
    } else if (event.kind === 'status') this.#progress(event);
    return this.#take();
  }

  /** The build is done. */
  finish({ image, unusedArgs }: BuildResult): ProgressMessage[] {
    while (this.#turn < this.#instructions.length) this.#close(this.#open());
    // The last step's result is the image itself.
    if (this.#instructions.length > 0) this.#stream(` ---> ${short(image ?? this.#id)}\n`);
    if (image !== undefined && this.#style.aux) this.#messages.push({ aux: { ID: image } });
    if (unusedArgs.length > 0) {
      this.#stream(`[Warning] One or more build-args [${unusedArgs.join(' ')}] were not consumed\n`);
    }
    if (image !== undefined) {
      this.#stream(`Successfully built ${short(image)}\n`);
      for (const tag of this.#style.tags) this.#stream(`Successfully tagged ${tag}\n`);
    }
    return this.#take();
  }

  /** The build failed: the step that is to blame, though its turn had not come, and why. */
  fail(error: unknown): ProgressMessage[] {
    const failure = buildFailureOf(error);
    const at =
      failure?.vertex === undefined ? -1 : this.#instructions.findIndex(({ vertex }) => vertex === failure.vertex);
    if (at >= this.#turn) {
      if (at > this.#turn) {
        this.#isOpen = false;
        this.#number = this.#instructions.slice(0, at).filter(({ isTrigger }) => isTrigger !== true).length;
      }
      this.#turn = at;
      const one = this.#open();
      if (failure?.exitCode !== undefined) this.#startRunning(one);
      if (this.#isRunning && this.#style.removes === 'always') this.#removed(one);
    }
    const message = failureText(error, this.#instructions[at]?.text);
    const code = failure?.exitCode;
    this.#messages.push({ errorDetail: { ...(code === undefined ? {} : { code }), message }, error: message });
    return this.#take();
  }

  #advance(): void {
    while (this.#turn < this.#instructions.length) {
      const one = this.#open();
      if (!this.#isOver(one)) return;
      this.#close(one);
    }
  }

  #isOver({ vertex }: Instruction): boolean {
    if (vertex === undefined) return true;
    const state = this.#vertices.get(vertex);
    return state?.completed !== undefined && state.error === undefined;
  }

  /** Its headline, once, and what it has said. */
  #open(): Instruction {
    const one = this.#instructions[this.#turn]!;
    if (this.#isOpen) return one;
    this.#isOpen = true;
    this.#isRunning = false;
    if (one.isTrigger !== true) {
      this.#stream(`Step ${++this.#number}/${this.#total} : ${one.text}`);
      this.#stream('\n');
      this.#countTriggers();
    }
    if (one.vertex !== undefined) for (const piece of this.#held.take(one.vertex)) this.#say(one, piece);
    return one;
  }

  /** Those that the image of this FROM brings. */
  #countTriggers(): void {
    let count = 0;
    while (this.#instructions[this.#turn + 1 + count]?.isTrigger === true) count++;
    if (count > 0) this.#stream(`# Executing ${count} build trigger${count > 1 ? 's' : ''}\n`);
  }

  #close(one: Instruction): void {
    const state = one.vertex === undefined ? undefined : this.#vertices.get(one.vertex);
    const from = fromLine(one.text);
    if (from !== undefined) {
      if (this.#stage !== undefined) this.#stages.set(this.#stage, this.#id);
      this.#stage = from.name;
      this.#wasCached = false;
      this.#id = state?.result ?? this.#begun(from.base, one);
    } else {
      // What only changes the configuration follows the step before it.
      if (state !== undefined) this.#wasCached = state.cached;
      if (this.#wasCached) this.#stream(' ---> Using cache\n');
      else if (state !== undefined) this.#startRunning(one);
      if (this.#isRunning && this.#style.removes !== 'never') this.#removed(one);
      this.#id = state?.result ?? idAfter(this.#id, one.text);
    }
    this.#turn++;
    this.#isOpen = false;
    const next = this.#instructions[this.#turn];
    if (next !== undefined && next.isTrigger !== true) this.#stream(` ---> ${short(this.#id)}\n`);
  }

  /** What a stage begins with, where no step brings it. */
  #begun(base: string, one: Instruction): string {
    if (one.vertex === undefined && base === 'scratch') return '';
    return this.#stages.get(base.toLowerCase()) ?? idAfter('', one.text);
  }

  #output(vertex: string, stream: Piece['stream'], text: string): void {
    if (text === '') return;
    const one = this.#instructions[this.#turn];
    if (this.#isOpen && one?.vertex === vertex) this.#say(one, { stream, text });
    else if (this.#instructions.slice(this.#turn).some((each) => each.vertex === vertex)) {
      this.#held.add(vertex, { stream, text });
    }
  }

  /** Bytes at the end that are no whole character. */
  #endOutput(vertex: string): void {
    const decoder = this.#decoders.get(vertex);
    if (decoder === undefined) return;
    this.#decoders.delete(vertex);
    for (const stream of ['stdout', 'stderr'] as const) this.#output(vertex, stream, decoder[stream].end());
  }

  #decoder(vertex: string): { stdout: StringDecoder; stderr: StringDecoder } {
    let decoder = this.#decoders.get(vertex);
    if (decoder === undefined) {
      decoder = { stdout: new StringDecoder('utf8'), stderr: new StringDecoder('utf8') };
      this.#decoders.set(vertex, decoder);
    }
    return decoder;
  }

  #say(one: Instruction, { stream, text }: Piece): void {
    this.#startRunning(one);
    this.#stream(stream === 'stdout' ? text : `\u001b[91m${text}\u001b[0m`);
  }

  #startRunning(one: Instruction): void {
    if (this.#isRunning || !/^RUN\b/i.test(one.text)) return;
    this.#isRunning = true;
    this.#stream(` ---> Running in ${runningId(one)}\n`);
  }

  #removed(one: Instruction): void {
    this.#stream(` ---> Removed intermediate container ${runningId(one)}\n`);
  }

  /** Of the images that are pulled, which may be before the first step is told. */
  #progress({ vertex, id, current, total }: Extract<BuildEvent, { kind: 'status' }>): void {
    const name = this.#vertices.get(vertex)?.name ?? '';
    const what = /^(\S.*) (\S+)$/.exec(id);
    if (!name.startsWith('[internal] load metadata for ') || what === null) return;
    const status = `${what[1]![0]!.toUpperCase()}${what[1]!.slice(1)}`;
    this.#messages.push({ status, progressDetail: current > 0 || total > 0 ? { current, total } : {}, id: what[2]! });
  }

  #stream(text: string): void {
    this.#messages.push({ stream: text });
  }

  #take(): ProgressMessage[] {
    const messages = this.#messages;
    this.#messages = [];
    return messages;
  }
}

/** As the classic builder adds them to the file. */
function labelInstructions(labels: ReadonlyMap<string, string>): Instruction[] {
  return [...labels].map(([name, value]) => ({ text: `LABEL ${name}=${value}`, vertex: undefined }));
}

function fromLine(text: string): { base: string; name: string | undefined } | undefined {
  const match = /^FROM\s+(?:--\S+\s+)*(\S+)(?:\s+AS\s+(\S+))?/i.exec(text);
  return match === null ? undefined : { base: match[1]!, name: match[2]?.toLowerCase() };
}

/** Of what an instruction makes, where there is no better name for it. */
function idAfter(before: string, text: string): string {
  return createHash('sha256')
    .update(JSON.stringify([before, text]))
    .digest('hex');
}

/** There is no container of its own to name: the step's name stands for it. */
function runningId({ vertex, text }: Instruction): string {
  return short(vertex ?? idAfter('', text));
}

function short(id: string): string {
  return id.replace(/^sha256:/, '').slice(0, 12);
}
