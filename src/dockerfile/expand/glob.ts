/**
 * The patterns of `${v#p}`, `${v%p}` and `${v/p/r}`: `*` any text, `?` any character, neither a newline; `\` before `*`, `?`, `\`, `}`
 * and `/`. Matched by sets of places, in time of value × pattern: a hostile pattern cannot make it backtrack.
 */

/** One character, any character, or any run of them. */
export type GlobToken =
  | { readonly kind: 'character'; readonly value: string }
  | { readonly kind: 'any' }
  | { readonly kind: 'run' };

const escapable = new Set(['*', '?', '\\']);

/** @throws Error in BuildKit's words for an escape of anything else */
export function parseGlob(pattern: string): GlobToken[] {
  const characters = Array.from(pattern);
  const tokens: GlobToken[] = [];
  for (let at = 0; at < characters.length; at++) {
    const character = characters[at]!;
    if (character === '*') tokens.push({ kind: 'run' });
    else if (character === '?') tokens.push({ kind: 'any' });
    else if (character !== '\\') tokens.push({ kind: 'character', value: character });
    else if (characters[at + 1] !== '}' && characters[at + 1] !== '/') {
      const next = characters[++at];
      if (next === undefined || !escapable.has(next)) throw new Error(`invalid escape '\\${next ?? '\ufffd'}'`);
      tokens.push({ kind: 'character', value: next });
    }
  }
  return tokens;
}

/** Every end, in characters of `value`, of a match that begins at `from`, ascending. */
export function matchPrefixes(tokens: readonly GlobToken[], value: readonly string[], from = 0): number[] {
  const window = value.slice(from, from + reach(tokens, value, from));
  let places = new Uint8Array(window.length + 1);
  places[0] = 1;
  for (const token of tokens) places = stepForward(token, places, window);
  const ends: number[] = [];
  for (const [at, isEnd] of places.entries()) if (isEnd === 1) ends.push(from + at);
  return ends;
}

/** No match is longer: without runs there is a character for each token, and runs end with their line. */
function reach(tokens: readonly GlobToken[], value: readonly string[], from: number): number {
  if (!tokens.some(({ kind }) => kind === 'run')) return tokens.length;
  let lines = 1 + tokens.filter((token) => token.kind === 'character' && token.value === '\n').length;
  for (let at = from; at < value.length; at++) if (value[at] === '\n' && --lines === 0) return at - from + 1;
  return value.length - from;
}

/** For each place of `value`, 1 where a match begins. One pass for all of them. */
export function matchStarts(tokens: readonly GlobToken[], value: readonly string[]): Uint8Array {
  let places = new Uint8Array(value.length + 1).fill(1);
  for (const token of tokens.toReversed()) places = stepBackward(token, places, value);
  return places;
}

function stepForward(token: GlobToken, places: Uint8Array, value: readonly string[]): Uint8Array<ArrayBuffer> {
  const next = new Uint8Array(places.length);
  for (let at = 0; at < places.length; at++) {
    if (token.kind === 'run') {
      const isReached = at > 0 && next[at - 1] === 1 && value[at - 1] !== '\n';
      next[at] = places[at] === 1 || isReached ? 1 : 0;
    } else if (places[at] === 1 && matchesOne(token, value[at])) next[at + 1] = 1;
  }
  return next;
}

function stepBackward(token: GlobToken, places: Uint8Array, value: readonly string[]): Uint8Array<ArrayBuffer> {
  const before = new Uint8Array(places.length);
  for (let at = value.length; at >= 0; at--) {
    if (token.kind === 'run') {
      const isReached = at < value.length && before[at + 1] === 1 && value[at] !== '\n';
      before[at] = places[at] === 1 || isReached ? 1 : 0;
    } else if (places[at + 1] === 1 && matchesOne(token, value[at])) before[at] = 1;
  }
  return before;
}

function matchesOne(token: Exclude<GlobToken, { kind: 'run' }>, character: string | undefined): boolean {
  if (character === undefined) return false;
  return token.kind === 'any' ? character !== '\n' : character === token.value;
}
