import { parseGoDuration } from '../../std/index.ts';
import { SyntaxProblem } from '../source/problem.ts';
import type { Range, Word } from '../source/range.ts';
import { goQuote } from '../text/characters.ts';
import { commandLine, type InstructionContext, tooFewArguments } from './context.ts';
import { FlagSet } from './flags.ts';
import type { Healthcheck, HealthcheckInstruction } from './types.ts';

const none: Healthcheck = { test: ['NONE'], interval: 0, timeout: 0, startPeriod: 0, startInterval: 0, retries: 0 };
const shortest = 1e6;

/** `HEALTHCHECK NONE`, or `HEALTHCHECK [flags] CMD …`. */
export function parseHealthcheck(context: InstructionContext): HealthcheckInstruction {
  const { base, rest } = context;
  if (rest.text === '') throw tooFewArguments(context);
  const gap = /\s+/.exec(rest.text);
  const type = rest.slice(0, gap?.index).word(rest.text.slice(0, gap?.index).toUpperCase());
  const argument = rest.slice(gap === null ? rest.text.length : gap.index + gap[0].length);
  // Read for its errors even where it is not wanted, as BuildKit does; flags of NONE are never looked at.
  const command = commandLine(argument);
  if (type.text === 'NONE') {
    if (argument.text === '') return { ...base, kind: 'HEALTHCHECK', health: none };
    throw new SyntaxProblem('bad-healthcheck', 'HEALTHCHECK NONE takes no arguments', argument.range);
  }
  const flags = new FlagSet(base.flags, {
    interval: 'string',
    timeout: 'string',
    'start-period': 'string',
    'start-interval': 'string',
    retries: 'string',
  });
  if (type.text !== 'CMD') {
    const message = `Unknown type ${goQuote(type.text)} in HEALTHCHECK (try CMD)`;
    throw new SyntaxProblem('bad-healthcheck', message, type.range);
  }
  const args = command.form === 'exec' ? command.args.map(({ text }) => text) : [command.line.text];
  if (args.length === 0 || argument.text === '') {
    throw new SyntaxProblem('bad-healthcheck', 'Missing command after HEALTHCHECK CMD', type.range);
  }
  const test = [command.form === 'exec' ? 'CMD' : 'CMD-SHELL', ...args];
  return { ...base, kind: 'HEALTHCHECK', health: { test, ...readFlags(flags) } };
}

function readFlags(flags: FlagSet): Omit<Healthcheck, 'test'> {
  const duration = (name: string): number => readDuration(name, flags.string(name));
  return {
    interval: duration('interval'),
    timeout: duration('timeout'),
    startPeriod: duration('start-period'),
    startInterval: duration('start-interval'),
    retries: readRetries(flags.string('retries')),
  };
}

function readDuration(name: string, word: Word | undefined): number {
  if (word === undefined) return 0;
  const value = parseGoDuration(word.text);
  if (value === undefined) throw badFlag(durationError(word.text), word.range);
  if (value !== 0 && value < shortest) throw badFlag(`Interval ${goQuote(name)} cannot be less than 1ms`, word.range);
  return value;
}

/** As Go's `time.ParseDuration` complains. */
function durationError(text: string): string {
  const parts = /^[-+]?(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))*(?:\d+\.?\d*|\.\d+)([^\d.]*)/.exec(text);
  if (parts === null) return `time: invalid duration ${goQuote(text)}`;
  if (parts[1] === '') return `time: missing unit in duration ${goQuote(text)}`;
  return `time: unknown unit ${goQuote(parts[1]!)} in duration ${goQuote(text)}`;
}

function readRetries(word: Word | undefined): number {
  if (word === undefined) return 0;
  const failed = (why: string): SyntaxProblem =>
    badFlag(`strconv.ParseInt: parsing ${goQuote(word.text)}: ${why}`, word.range);
  if (!/^[-+]?\d+$/.test(word.text)) throw failed('invalid syntax');
  const value = Number(word.text);
  if (value > 0x7fffffff || value < -0x80000000) throw failed('value out of range');
  if (value < 0) throw badFlag(`--retries cannot be negative (${value})`, word.range);
  return value;
}

function badFlag(message: string, range: Range): SyntaxProblem {
  return new SyntaxProblem('bad-flag-value', message, range);
}
