/** Builder flags checked against what an instruction takes. */
import { SyntaxProblem } from '../source/problem.ts';
import type { Word } from '../source/range.ts';
import { didYouMean } from '../suggest.ts';
import type { Flag } from '../text/split-command.ts';

export type FlagKind = 'boolean' | 'string' | 'strings';

export class FlagSet {
  readonly #flags: readonly Flag[];

  /** @throws SyntaxProblem in BuildKit's words for what `known` does not allow */
  constructor(flags: readonly Flag[], known: Readonly<Record<string, FlagKind>>) {
    checkFlags(flags, known);
    this.#flags = flags;
  }

  /** `undefined` where the flag is not given; a flag given empty is as good as not given. */
  string(name: string): Word | undefined {
    const flag = this.#flags.find((one) => one.name === name);
    return flag?.value === undefined || flag.value === '' ? undefined : valueWord(flag);
  }

  strings(name: string): Word[] {
    return this.#flags.filter((one) => one.name === name).map(valueWord);
  }

  boolean(name: string): boolean | undefined {
    const flag = this.#flags.find((one) => one.name === name);
    return flag === undefined ? undefined : (flag.value ?? 'true').toLowerCase() === 'true';
  }

  all(name: string): Flag[] {
    return this.#flags.filter((one) => one.name === name);
  }
}

/** For instructions that take none. @throws SyntaxProblem */
export function refuseFlags(flags: readonly Flag[]): void {
  checkFlags(flags, {});
}

function checkFlags(flags: readonly Flag[], known: Readonly<Record<string, FlagKind>>): void {
  const seen = new Set<string>();
  for (const flag of flags) {
    const kind = Object.hasOwn(known, flag.name) ? known[flag.name]! : undefined;
    if (kind === undefined) {
      const hint = didYouMean(flag.name, Object.keys(known));
      throw new SyntaxProblem('unknown-flag', `unknown flag: --${flag.name}${hint}`, flag.word.range);
    }
    if (seen.has(flag.name) && kind !== 'strings') {
      throw new SyntaxProblem('duplicate-flag', `duplicate flag specified: --${flag.name}`, flag.word.range);
    }
    seen.add(flag.name);
    checkValue(flag, kind);
  }
}

function checkValue({ name, value, word, valueRange }: Flag, kind: FlagKind): void {
  if (value === undefined ? kind !== 'boolean' : kind === 'boolean' && value === '') {
    throw new SyntaxProblem('missing-flag-value', `missing a value on flag: --${name}`, word.range);
  }
  if (kind === 'boolean' && value !== undefined && !/^(true|false)$/i.test(value)) {
    const message = `expecting boolean value for flag --${name}, not: ${value}`;
    throw new SyntaxProblem('bad-flag-value', message, valueRange);
  }
}

function valueWord({ value = '', valueRange }: Flag): Word {
  return { text: value, range: valueRange };
}
