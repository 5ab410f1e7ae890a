/**
 * The patterns of `${v#p}`, `${v%p}` and `${v/p/r}`: `*` any text, `?` any character, neither a newline; `\` before `*`, `?`, `\`, `}`
 * and `/`. Matched by sets of ends, in time of value × pattern: a hostile pattern cannot make it backtrack.
 */

/** One character, any character, or any run of them. */
export type GlobToken =
  | { readonly kind: 'character'; readonly value: string }
  | { readonly kind: 'any' }
  | { readonly kind: 'run' };

export interface GlobMatch {
  readonly start: number;
  readonly end: number;
}

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

/** Every length of `value`'s beginnings, in characters, that the tokens match, ascending. */
export function matchPrefixes(tokens: readonly GlobToken[], value: readonly string[], from = 0): number[] {
  let ends = new Set<number>([from]);
  for (const token of tokens) {
    const next = new Set<number>();
    if (token.kind === 'run') spread(ends, value, next);
    else {
      for (const end of ends) {
        const character = value[end];
        if (character === undefined) continue;
        if (token.kind === 'any' ? character !== '\n' : character === token.value) next.add(end + 1);
      }
    }
    ends = next;
  }
  return [...ends].sort((a, b) => a - b);
}

function spread(ends: ReadonlySet<number>, value: readonly string[], into: Set<number>): void {
  for (const start of ends) {
    let end = start;
    // Where another run has been the rest is known.
    while (!into.has(end)) {
      into.add(end);
      if (end >= value.length || value[end] === '\n') break;
      end++;
    }
  }
}

/** The leftmost match at or after `from`, the longest there. */
export function findGlob(tokens: readonly GlobToken[], value: readonly string[], from: number): GlobMatch | undefined {
  for (let start = from; start <= value.length; start++) {
    const end = matchPrefixes(tokens, value, start).at(-1);
    if (end !== undefined) return { start, end };
  }
  return undefined;
}
