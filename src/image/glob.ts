/**
 * Go's path.Match, as far as `--filter reference=` has it: `*` and `?` stop at slashes, classes, escapes. A `*` is only ever taken back to
 * the last one, so that no pattern takes longer than pattern × text.
 */
import { Fault } from '../std/index.ts';

export interface Glob {
  test(text: string): boolean;
}

type Token = { readonly kind: 'run' } | { readonly kind: 'one'; readonly matches: (character: string) => boolean };

/** @throws Fault invalid */
export function globPattern(glob: string): Glob {
  const tokens = tokenize(Array.from(glob));
  return { test: (text) => matches(tokens, Array.from(text)) };
}

function matches(tokens: readonly Token[], text: readonly string[]): boolean {
  let at = 0;
  let next = 0;
  /** The last run: the token behind it, and how much it has taken. */
  let run: { token: number; end: number } | undefined;
  while (at < text.length || next < tokens.length) {
    const token = tokens[next];
    if (token?.kind === 'run') {
      run = { token: ++next, end: at };
      continue;
    }
    if (token !== undefined && at < text.length && token.matches(text[at]!)) {
      at++;
      next++;
      continue;
    }
    if (run === undefined || run.end >= text.length || text[run.end] === '/') return false;
    at = ++run.end;
    next = run.token;
  }
  return true;
}

function tokenize(glob: readonly string[]): Token[] {
  const tokens: Token[] = [];
  for (let at = 0; at < glob.length; at++) {
    const character = glob[at]!;
    if (character === '*') {
      if (tokens.at(-1)?.kind !== 'run') tokens.push({ kind: 'run' });
    } else if (character === '?') tokens.push(one((other) => other !== '/'));
    else if (character === '[') {
      const read = readClass(glob, at + 1);
      tokens.push(one(read.matches));
      at = read.end;
    } else {
      const meant = character === '\\' ? glob[++at] : character;
      if (meant === undefined) throw badPattern();
      tokens.push(one((other) => other === meant));
    }
  }
  return tokens;
}

function readClass(
  glob: readonly string[],
  start: number,
): { matches: Extract<Token, { kind: 'one' }>['matches']; end: number } {
  let at = start;
  const isNegated = glob[at] === '^';
  if (isNegated) at++;
  const ranges: (readonly [string, string])[] = [];
  const bound = (): string => {
    let character = glob[at++];
    if (character === '\\') character = glob[at++];
    else if (character === '-' || character === ']') throw badPattern();
    if (character === undefined) throw badPattern();
    return character;
  };
  while (glob[at] !== ']' || ranges.length === 0) {
    const low = bound();
    if (glob[at] !== '-') ranges.push([low, low]);
    else {
      at++;
      ranges.push([low, bound()]);
    }
  }
  const isInside = (character: string): boolean => {
    const code = character.codePointAt(0)!;
    return ranges.some(([low, high]) => low.codePointAt(0)! <= code && code <= high.codePointAt(0)!);
  };
  return { matches: (character) => character !== '/' && isInside(character) !== isNegated, end: at };
}

function one(test: (character: string) => boolean): Token {
  return { kind: 'one', matches: test };
}

function badPattern(): Fault {
  return new Fault('invalid', 'syntax error in pattern');
}
