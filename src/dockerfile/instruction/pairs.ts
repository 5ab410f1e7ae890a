import { SyntaxProblem } from '../source/problem.ts';
import type { Fragment } from '../text/fragment.ts';
import { splitQuoted } from '../text/split-words.ts';
import { type InstructionContext, tooFewArguments } from './context.ts';
import { refuseFlags } from './flags.ts';
import type { ArgInstruction, EnvInstruction, KeyValue, LabelInstruction } from './types.ts';

/** `ENV key=value …`, or the legacy `ENV key value`. */
export function parseEnv(context: InstructionContext): EnvInstruction {
  return { ...context.base, kind: 'ENV', pairs: readPairs(context, 'ENV') };
}

/** `LABEL key=value …`. */
export function parseLabel(context: InstructionContext): LabelInstruction {
  return { ...context.base, kind: 'LABEL', pairs: readPairs(context, 'LABEL') };
}

/** `ARG name[=value] …`. */
export function parseArg(context: InstructionContext): ArgInstruction {
  const words = splitQuoted(context.rest, context.escape);
  if (words.length === 0) throw tooFewArguments(context);
  const args = words.map(({ fragment, text }) => {
    const equals = text.indexOf('=');
    if (equals === 0) throw new SyntaxProblem('blank-name', 'ARG names can not be blank', fragment.range);
    if (equals < 0) return { name: fragment.word(text), value: undefined };
    return { name: fragment.slice(0, equals).word(), value: fragment.slice(equals + 1).word(text.slice(equals + 1)) };
  });
  return { ...context.base, kind: 'ARG', args };
}

function readPairs(context: InstructionContext, name: 'ENV' | 'LABEL'): KeyValue[] {
  refuseFlags(context.base.flags);
  const { rest } = context;
  const words = splitQuoted(rest, context.escape);
  const [first] = words;
  if (first === undefined) throw tooFewArguments(context);
  if (!first.text.includes('=')) return [legacyPair(rest)];
  return words.map(({ fragment, text }) => {
    const equals = text.indexOf('=');
    if (equals === 0) throw new SyntaxProblem('blank-name', `${name} names can not be blank`, fragment.range);
    const value = fragment.slice(equals + 1).word(text.slice(equals + 1));
    return { key: fragment.slice(0, equals).word(), value, isLegacy: false };
  });
}

function legacyPair(rest: Fragment): KeyValue {
  const gap = /[\t\v\f\r ]+/.exec(rest.text)!;
  return { key: rest.slice(0, gap.index).word(), value: rest.slice(gap.index + gap[0].length).word(), isLegacy: true };
}
