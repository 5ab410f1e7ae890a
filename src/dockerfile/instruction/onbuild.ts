import { SyntaxProblem } from '../source/problem.ts';
import { splitCommand } from '../text/split-command.ts';
import { type InstructionContext, tooFewArguments } from './context.ts';
import { refuseFlags } from './flags.ts';
import type { OnbuildInstruction } from './types.ts';

/** `ONBUILD instruction`: kept as text, read when an image is built on this one. */
export function parseOnbuild(context: InstructionContext): OnbuildInstruction {
  const { base, rest } = context;
  if (rest.text === '') throw tooFewArguments(context);
  refuseFlags(base.flags);
  const trigger = splitCommand(rest).keyword.word();
  const name = trigger.text.toUpperCase();
  if (name === 'ONBUILD') {
    const message = "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed";
    throw new SyntaxProblem('bad-onbuild', message, trigger.range);
  }
  if (name === 'FROM' || name === 'MAINTAINER') {
    throw new SyntaxProblem('bad-onbuild', `${name} isn't allowed as an ONBUILD trigger`, trigger.range);
  }
  const line = base.original.replace(/^\s*ONBUILD\s*/i, '');
  const bodies = base.heredocs.map(({ content, name }) => `\n${content}${name}`);
  return { ...base, kind: 'ONBUILD', trigger, expression: line + bodies.join('') };
}
