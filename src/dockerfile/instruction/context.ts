/** What the parser of one kind of instruction is given. */
import { SyntaxProblem } from '../source/problem.ts';
import type { Range } from '../source/range.ts';
import type { Fragment } from '../text/fragment.ts';
import type { EscapeToken } from '../text/read-lines.ts';
import { readJsonForm } from '../text/json-form.ts';
import type { CommandLine, InstructionBase } from './types.ts';

export interface InstructionContext {
  readonly base: InstructionBase;
  /** What follows the flags. */
  readonly rest: Fragment;
  readonly escape: EscapeToken;
}

export function tooFewArguments({ base }: InstructionContext): SyntaxProblem {
  const name = base.keyword.text.toUpperCase();
  return new SyntaxProblem('missing-argument', `${name} requires at least one argument`, base.keyword.range);
}

/** The whole rest as the one argument. @throws SyntaxProblem where there is none */
export function onlyArgument(context: InstructionContext): { text: string; range: Range } {
  if (context.rest.text !== '') return context.rest.word();
  const name = context.base.keyword.text.toUpperCase();
  throw new SyntaxProblem('missing-argument', `${name} requires exactly one argument`, context.base.keyword.range);
}

/** A command's two forms. An empty rest is an empty line for the shell. */
export function commandLine(rest: Fragment): CommandLine {
  const args = readJsonForm(rest);
  return args === undefined ? { form: 'shell', line: rest.word() } : { form: 'exec', args };
}
