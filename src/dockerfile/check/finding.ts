import type { Range } from '../source/range.ts';
import { type CheckOptions, isEnabled } from './options.ts';
import { type RuleName, rules } from './rules.ts';

export interface Finding {
  readonly rule: RuleName;
  readonly description: string;
  readonly url: string;
  readonly detail: string;
  /** The exact place. */
  readonly range: Range;
  /** The instruction's lines, which is what BuildKit's clients are told. */
  readonly lines: { readonly first: number; readonly last: number };
}

/** Where a finding is: the word, and the instruction around it. */
export interface Place {
  readonly range: Range;
  readonly lines: { readonly first: number; readonly last: number };
}

type ArgumentsOf<Name extends RuleName> = Parameters<(typeof rules)[Name]['format']>;

export class Findings {
  readonly all: Finding[] = [];
  readonly #options: CheckOptions;

  constructor(options: CheckOptions) {
    this.#options = options;
  }

  report<Name extends RuleName>(name: Name, { range, lines }: Place, ...args: ArgumentsOf<Name>): void {
    if (!isEnabled(name, this.#options)) return;
    const { description, url } = rules[name];
    const format = rules[name].format as (...args: ArgumentsOf<Name>) => string;
    this.all.push({ rule: name, description, url, detail: format(...args), range, lines });
  }
}
