/** `check=skip=A,B;error=true;experimental=C`: which rules a file wants looked at, and whether a finding is an error. */
import { SyntaxProblem } from '../source/problem.ts';
import type { Range } from '../source/range.ts';
import { goQuote, trimSpace } from '../text/characters.ts';
import { type RuleName, rules } from './rules.ts';

export interface CheckOptions {
  readonly skip: 'all' | ReadonlySet<string>;
  readonly experimental: 'all' | ReadonlySet<string>;
  readonly isError: boolean;
}

export const noCheckOptions: CheckOptions = { skip: new Set(), experimental: new Set(), isError: false };

/** @throws SyntaxProblem in BuildKit's words */
export function parseCheckOptions(text: string, range?: Range): CheckOptions {
  let options = noCheckOptions;
  if (trimSpace(text) === '') return options;
  for (const part of trimSpace(text).split(';')) {
    const equals = part.indexOf('=');
    if (equals < 0) throw failed(`invalid check option ${goQuote(part)}`, range);
    const key = trimSpace(part.slice(0, equals));
    const value = trimSpace(part.slice(equals + 1));
    if (key === 'skip' || key === 'experimental') options = { ...options, [key]: ruleSet(value) };
    else if (key === 'error') options = { ...options, isError: boolean(value, part, range) };
    else throw failed(`invalid check option ${goQuote(key)}`, range);
  }
  return options;
}

export function isEnabled(name: RuleName, { skip, experimental }: CheckOptions): boolean {
  const isAsked = (set: 'all' | ReadonlySet<string>): boolean => set === 'all' || set.has(name);
  return rules[name].isExperimental ? isAsked(experimental) : !isAsked(skip);
}

function ruleSet(value: string): 'all' | ReadonlySet<string> {
  return value === 'all' ? 'all' : new Set(value.split(',').map(trimSpace));
}

function boolean(value: string, part: string, range: Range | undefined): boolean {
  if (/^(?:1|t|T|TRUE|true|True)$/.test(value)) return true;
  if (/^(?:0|f|F|FALSE|false|False)$/.test(value)) return false;
  const why = `strconv.ParseBool: parsing ${goQuote(value)}: invalid syntax`;
  throw failed(`failed to parse check option ${goQuote(part)}: ${why}`, range);
}

function failed(message: string, range: Range | undefined): SyntaxProblem {
  return new SyntaxProblem('bad-check-option', `failed to parse check options: ${message}`, range);
}
