/** What is wrong with a Dockerfile: a stable code, BuildKit's words, and where. */
import { Fault } from '../../std/index.ts';
import { renderExcerpt } from './excerpt.ts';
import type { Range } from './range.ts';
import type { SourceText } from './source-text.ts';

export interface Problem {
  /** Stable, for programs: `unknown-instruction`. */
  readonly code: string;
  /** Whole, as clients of BuildKit see it. */
  readonly message: string;
  /** The exact place; absent when it is the file as a whole. */
  readonly range: Range | undefined;
}

/** Thrown inside one instruction's parser; becomes a `Problem` where the instruction's line is known. */
export class SyntaxProblem extends Error {
  readonly code: string;
  readonly range: Range | undefined;

  constructor(code: string, message: string, range?: Range) {
    super(message);
    this.name = 'SyntaxProblem';
    this.code = code;
    this.range = range;
  }
}

/** A problem of cutting the file into words, which BuildKit does for the whole file before it looks at any instruction. */
export class LexicalProblem extends SyntaxProblem {
  constructor(code: string, message: string, range?: Range) {
    super(code, message, range);
    this.name = 'LexicalProblem';
  }
}

/** A Dockerfile that cannot be built. Its message is that of the first problem, as BuildKit has it; `report` shows them all. */
export class DockerfileFault extends Fault {
  readonly problems: readonly Problem[];
  readonly source: SourceText;

  constructor(source: SourceText, problems: readonly [Problem, ...Problem[]]) {
    super('invalid', problems[0].message);
    this.name = 'DockerfileFault';
    this.problems = problems;
    this.source = source;
  }

  /** Every problem with file, line, excerpt and caret; for a terminal with `color`. */
  report({ color = false }: { color?: boolean } = {}): string {
    return renderProblems(this.source, this.problems, { color });
  }
}

/** Problems one after the other, each with file, place, excerpt and caret. */
export function renderProblems(
  source: SourceText,
  problems: readonly Problem[],
  { color }: { color: boolean },
): string {
  const red = (text: string): string => (color ? `\u001b[31m${text}\u001b[39m` : text);
  return problems
    .map(({ message, range }) => {
      if (range === undefined) return `${source.name}: ${red(message)}\n`;
      const place = `${source.name}:${range.start.line}:${range.start.column}`;
      return `${place}: ${red(message)}\n${renderExcerpt(source, range, { color })}`;
    })
    .join('\n');
}
