import { SyntaxProblem } from '../source/problem.ts';
import { readJsonForm } from '../text/json-form.ts';
import { commandLine, type InstructionContext, tooFewArguments } from './context.ts';
import { refuseFlags } from './flags.ts';
import type { CmdInstruction, EntrypointInstruction, ShellInstruction } from './types.ts';

export function parseCmd(context: InstructionContext): CmdInstruction {
  refuseFlags(context.base.flags);
  return { ...context.base, kind: 'CMD', command: commandLine(context.rest) };
}

export function parseEntrypoint(context: InstructionContext): EntrypointInstruction {
  refuseFlags(context.base.flags);
  return { ...context.base, kind: 'ENTRYPOINT', command: commandLine(context.rest) };
}

/** `SHELL ["program", "argument"]`, in JSON only. */
export function parseShell(context: InstructionContext): ShellInstruction {
  refuseFlags(context.base.flags);
  const args = readJsonForm(context.rest);
  if (context.rest.text === '' || args?.length === 0) throw tooFewArguments(context);
  if (args === undefined) {
    throw new SyntaxProblem('not-json', 'SHELL requires the arguments to be in JSON form', context.rest.range);
  }
  return { ...context.base, kind: 'SHELL', args };
}
