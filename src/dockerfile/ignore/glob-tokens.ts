/** Path patterns cut into tokens, with the syntax check of Go's `filepath.Match`. */

export type PathToken =
  | { readonly kind: 'character'; readonly value: string }
  /** `?`: one character, not a slash. */
  | { readonly kind: 'any' }
  /** `*`: any run without a slash. */
  | { readonly kind: 'run' }
  /** `**` at the end: anything. */
  | { readonly kind: 'all' }
  /** `**` before more, a slash after it included: nothing, or anything up to a slash. */
  | { readonly kind: 'folders' }
  | { readonly kind: 'class'; readonly isNegated: boolean; readonly ranges: readonly (readonly [string, string])[] };

export class BadPattern extends Error {
  constructor() {
    super('syntax error in pattern');
    this.name = 'BadPattern';
  }
}

/** With `globstar`, two stars cross slashes; without, they are as one. @throws BadPattern */
export function tokenize(pattern: string, { globstar }: { globstar: boolean }): PathToken[] {
  const characters = Array.from(pattern);
  const tokens: PathToken[] = [];
  let at = 0;
  while (at < characters.length) {
    const character = characters[at++]!;
    if (character === '?') tokens.push({ kind: 'any' });
    else if (character === '\\') {
      const escaped = characters[at++];
      if (escaped === undefined) throw new BadPattern();
      tokens.push({ kind: 'character', value: escaped });
    } else if (character === '[') {
      const read = readClass(characters, at);
      tokens.push(read.token);
      at = read.next;
    } else if (character !== '*') tokens.push({ kind: 'character', value: character });
    else if (!globstar || characters[at] !== '*') tokens.push({ kind: 'run' });
    else {
      at++;
      if (characters[at] === '/') at++;
      tokens.push({ kind: at === characters.length ? 'all' : 'folders' });
    }
  }
  return tokens;
}

function readClass(characters: readonly string[], start: number): { token: PathToken; next: number } {
  let at = start;
  const isNegated = characters[at] === '^';
  if (isNegated) at++;
  const ranges: (readonly [string, string])[] = [];
  const one = (): string => {
    let character = characters[at++];
    if (character === '-' || character === ']') throw new BadPattern();
    if (character === '\\') character = characters[at++];
    // A class must be closed, so there is always more to come.
    if (character === undefined || at >= characters.length) throw new BadPattern();
    return character;
  };
  while (characters[at] !== ']' || ranges.length === 0) {
    const low = one();
    if (characters[at] !== '-') ranges.push([low, low]);
    else {
      at++;
      ranges.push([low, one()]);
    }
  }
  return { token: { kind: 'class', isNegated, ranges }, next: at + 1 };
}
