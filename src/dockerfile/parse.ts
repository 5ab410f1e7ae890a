/** A Dockerfile's text to instructions and stages. Nothing is thrown for what stands in the file: problems are all collected. */
import type { InstructionContext } from './instruction/context.ts';
import { checkLexically, takesHeredocs } from './instruction/lexical-check.ts';
import { isInstructionName, parseInstruction } from './instruction/parse-instruction.ts';
import type { ArgInstruction, FromInstruction, Instruction } from './instruction/types.ts';
import { DockerfileFault, LexicalProblem, type Problem, SyntaxProblem } from './source/problem.ts';
import type { Range } from './source/range.ts';
import { type Line, SourceText } from './source/source-text.ts';
import { trimSpace } from './text/characters.ts';
import { type Directives, readDirectives } from './text/directives.ts';
import { findHeredocMarks, type Heredoc, readHeredocBody } from './text/heredoc.ts';
import { type ReadLine, readInstructionLine, textStart } from './text/read-lines.ts';
import { type SplitCommand, splitCommand } from './text/split-command.ts';

export interface Stage {
  readonly index: number;
  /** In lower case; `undefined` where it has none. */
  readonly name: string | undefined;
  readonly from: FromInstruction;
  /** All after the FROM. */
  readonly instructions: readonly Instruction[];
}

export interface Dockerfile {
  readonly source: SourceText;
  readonly directives: Directives;
  /** Every instruction that could be read, in the file's order. */
  readonly instructions: readonly Instruction[];
  /** The ARGs before the first FROM. */
  readonly globalArgs: readonly ArgInstruction[];
  readonly stages: readonly Stage[];
  /** The last lines of the instructions that hold a blank line inside a continuation. */
  readonly emptyContinuations: readonly Range[];
  /** In the order BuildKit would come to them. */
  readonly problems: readonly Problem[];
}

/** Never throws, and reads on after what it cannot read. */
export function parse(source: string | Uint8Array, { name = 'Dockerfile' }: { name?: string } = {}): Dockerfile {
  return new Parser(new SourceText(name, source)).parse();
}

/** `parse`, for who builds. @throws DockerfileFault with all problems */
export function parseOrThrow(source: string | Uint8Array, options: { name?: string } = {}): Dockerfile {
  const file = parse(source, options);
  const [first, ...more] = file.problems;
  if (first !== undefined) throw new DockerfileFault(file.source, [first, ...more]);
  return file;
}

class Parser {
  readonly #source: SourceText;
  readonly #directives: Directives;
  readonly #instructions: Instruction[] = [];
  readonly #emptyContinuations: Range[] = [];
  readonly #lexical: Problem[] = [];
  readonly #semantic: Problem[] = [];
  #comments: string[] = [];
  /** What follows a FROM that could not be read has a stage, only not one we know. */
  #hasBrokenFrom = false;

  constructor(source: SourceText) {
    this.#source = source;
    this.#directives = readDirectives(source);
  }

  parse(): Dockerfile {
    const source = this.#source;
    for (const problem of this.#directives.problems) this.#lexical.push(problem);
    if (source.text === '') this.#fileProblem('empty-file', 'the Dockerfile cannot be empty');
    const long = source.lines.find((line) => isTooLong(source.text, line));
    if (long !== undefined) this.#fileProblem('line-too-long', tooLong, source.range(long.start, long.start));
    let count = 0;
    const end = long === undefined ? source.lines.length : 0;
    for (let number = 1; number <= end && source.text !== ''; ) {
      if (this.#isNoInstruction(number)) number++;
      else {
        number = this.#readInstruction(number);
        count++;
      }
    }
    if (source.text !== '' && count === 0 && long === undefined) {
      this.#fileProblem('no-instructions', 'file with no instructions', source.lineRange(source.lines.length));
    }
    const { globalArgs, stages } = this.#groupStages();
    const hasOwnProblems = this.#lexical.length + this.#semantic.length > 0;
    if (stages.length === 0 && !hasOwnProblems)
      this.#fileProblem('no-stages', 'dockerfile contains no stages to build');
    return {
      source,
      directives: this.#directives,
      instructions: this.#instructions,
      globalArgs,
      stages,
      emptyContinuations: this.#emptyContinuations,
      problems: [this.#lexical, this.#semantic].flatMap((part) => part.sort((a, b) => offset(a) - offset(b))),
    };
  }

  /** Blank lines and comments; a lone continuation is an instruction's beginning. */
  #isNoInstruction(number: number): boolean {
    const line = this.#source.lines[number - 1]!;
    const start = textStart(this.#source, line);
    if (start === line.end) return true;
    if (this.#source.text[start] !== '#') return false;
    if (this.#directives.all.some((directive) => directive.line === number)) return true;
    // BuildKit drops the first character of the line, not that of the comment.
    const comment = trimSpace(this.#source.lineText(number).slice(1));
    if (comment === '') this.#comments = [];
    else this.#comments.push(comment);
    return true;
  }

  /** @returns the number of the line after it */
  #readInstruction(first: number): number {
    const read = readInstructionLine(this.#source, first, this.#directives.escape);
    const whole = read.line.whole();
    const split = splitCommand(whole);
    let next = read.last + 1;
    try {
      checkLexically(split.keyword.text, split.rest, this.#directives.escape);
      const heredocs = takesHeredocs(split.keyword.text, split.rest) ? this.#readHeredocs(read) : [];
      next = (heredocs.at(-1)?.range.end.line ?? read.last) + 1;
      this.#add(this.#context(read, split, heredocs, next - 1));
    } catch (error) {
      this.#report(error, first);
      if (split.keyword.text.toUpperCase() === 'FROM') this.#hasBrokenFrom = true;
      next = Math.max(next, this.#afterUnread(read, split, error));
    }
    if (read.hasEmptyContinuation) {
      this.#emptyContinuations.push(this.#source.lineRange(read.last));
    }
    this.#comments = [];
    return next;
  }

  #add(context: InstructionContext): void {
    this.#instructions.push(parseInstruction(context));
  }

  #context(read: ReadLine, split: SplitCommand, heredocs: readonly Heredoc[], last: number): InstructionContext {
    const line = read.line.whole().trim();
    const body = heredocs.at(-1)?.range.end ?? line.range.end;
    return {
      base: {
        keyword: split.keyword.word(),
        range: { start: line.range.start, end: body },
        lines: { first: read.first, last },
        original: line.text,
        flags: split.flags,
        heredocs,
        comments: this.#comments,
      },
      rest: split.rest,
      escape: this.#directives.escape,
    };
  }

  #readHeredocs(read: ReadLine): Heredoc[] {
    const heredocs: Heredoc[] = [];
    let next = read.last + 1;
    for (const { mark, word } of findHeredocMarks(read.line.whole())) {
      const body = readHeredocBody(this.#source, next, mark);
      // It would have ended somewhere in all that follows.
      const until = { start: word.range.start, end: this.#source.position(this.#source.text.length) };
      if (body === undefined) throw new LexicalProblem('unterminated-heredoc', 'unterminated heredoc', until);
      const { next: after, ...rest } = body;
      heredocs.push({ ...mark, ...rest, word });
      next = after;
    }
    return heredocs;
  }

  /** Where to read on: past the body of a heredoc that was not read, so that its lines are no errors of their own. */
  #afterUnread(read: ReadLine, { keyword }: SplitCommand, error: unknown): number {
    if (error instanceof SyntaxProblem && error.code === 'unterminated-heredoc') return this.#source.lines.length + 1;
    let next = read.last + 1;
    if (isInstructionName(keyword.text.toUpperCase())) return next;
    for (const { mark } of findHeredocMarks(read.line.whole())) {
      next = readHeredocBody(this.#source, next, mark)?.next ?? next;
    }
    return next;
  }

  #report(error: unknown, line: number): void {
    if (!(error instanceof SyntaxProblem)) throw error;
    const { code, message, range = this.#source.lineRange(line) } = error;
    if (error instanceof LexicalProblem) this.#lexical.push({ code, message, range });
    else this.#semantic.push({ code, message: `dockerfile parse error on line ${line}: ${message}`, range });
  }

  #fileProblem(code: string, message: string, range?: Range): void {
    this.#semantic.push({ code, message, range });
  }

  #groupStages(): { globalArgs: ArgInstruction[]; stages: Stage[] } {
    const globalArgs: ArgInstruction[] = [];
    const stages: (Stage & { instructions: Instruction[] })[] = [];
    for (const instruction of this.#instructions) {
      const stage = stages.at(-1);
      if (instruction.kind === 'FROM') {
        const name = instruction.as?.name.text.toLowerCase();
        stages.push({ index: stages.length, name, from: instruction, instructions: [] });
      } else if (stage !== undefined) stage.instructions.push(instruction);
      else if (instruction.kind === 'ARG') globalArgs.push(instruction);
      else if (!this.#hasBrokenFrom)
        this.#fileProblem('no-stage', 'no build stage in current context', instruction.range);
    }
    return { globalArgs, stages };
  }
}

/** Bytes: what BuildKit's reader of lines takes. */
const longestLine = 65_535;
const tooLong = `dockerfile line greater than max allowed size of ${longestLine}`;

function isTooLong(text: string, { start, next }: Line): boolean {
  if ((next - start) * 3 <= longestLine) return false;
  return Buffer.byteLength(text.slice(start, next).replace(/\n$/, '')) > longestLine;
}

/** Problems of the file as a whole come last. */
function offset({ range }: Problem): number {
  return range?.start.offset ?? Infinity;
}
