/**
 * Whether a whole path matches tokens. Few wildcards go through the engine's own patterns; many, which could make those backtrack without
 * end, through sets of places, in time of path × pattern.
 */
import type { PathToken } from './glob-tokens.ts';

export interface GlobMatchOptions {
  /** moby's patterns let `[^a]` be a slash, Go's `filepath.Match` does not. */
  readonly classesMatchSlash: boolean;
}

/** Each more multiplies the time by a path's length. */
const mostWildcards = 2;

export function compileGlob(tokens: readonly PathToken[], options: GlobMatchOptions): (path: string) => boolean {
  const wildcards = tokens.filter(({ kind }) => kind === 'run' || kind === 'all' || kind === 'folders').length;
  if (wildcards > mostWildcards) return (path) => matchBySets(tokens, path, options);
  const pattern = new RegExp(`^${tokens.map((token) => tokenPattern(token, options)).join('')}$`, 'su');
  return (path) => pattern.test(path);
}

function tokenPattern(token: PathToken, options: GlobMatchOptions): string {
  if (token.kind === 'character') return escape(token.value);
  return token.kind === 'class' ? classPattern(token, options) : wildcardPatterns[token.kind];
}

const wildcardPatterns = { any: '[^/]', run: '[^/]*', all: '.*', folders: '(?:.*/)?' };

function classPattern(
  { isNegated, ranges }: Extract<PathToken, { kind: 'class' }>,
  { classesMatchSlash }: GlobMatchOptions,
): string {
  // A range that ends before it begins holds nothing.
  const inside = ranges
    .filter(([low, high]) => low.codePointAt(0)! <= high.codePointAt(0)!)
    .map(([low, high]) => `${escape(low)}-${escape(high)}`)
    .join('');
  const body = isNegated ? `[^${inside}]` : `[${inside}]`;
  return classesMatchSlash ? body : `(?!/)${body}`;
}

/** By code point, so that no character means more than itself. */
function escape(character: string): string {
  return `\\u{${character.codePointAt(0)!.toString(16)}}`;
}

/** The slow way that cannot become slower. */
export function matchBySets(tokens: readonly PathToken[], path: string, options: GlobMatchOptions): boolean {
  const characters = Array.from(path);
  let places = new Set<number>([0]);
  for (const token of tokens) {
    places = step(token, places, characters, options);
    if (places.size === 0) return false;
  }
  return places.has(characters.length);
}

function step(
  token: PathToken,
  places: ReadonlySet<number>,
  path: readonly string[],
  options: GlobMatchOptions,
): Set<number> {
  const next = new Set<number>();
  for (const place of places) {
    if (token.kind === 'run') {
      for (let at = place; !next.has(at); at++) {
        next.add(at);
        if (at >= path.length || path[at] === '/') break;
      }
    } else if (token.kind !== 'all' && token.kind !== 'folders') {
      const character = path[place];
      if (character !== undefined && matchesOne(token, character, options)) next.add(place + 1);
    }
  }
  if (token.kind === 'all' || token.kind === 'folders') {
    let first = Infinity;
    for (const place of places) first = Math.min(first, place);
    if (token.kind === 'folders') for (const place of places) next.add(place);
    for (let at = first; at <= path.length; at++) {
      if (token.kind === 'all' || (at > first && path[at - 1] === '/')) next.add(at);
    }
  }
  return next;
}

function matchesOne(
  token: Exclude<PathToken, { kind: 'run' | 'all' | 'folders' }>,
  character: string,
  { classesMatchSlash }: GlobMatchOptions,
): boolean {
  if (token.kind === 'character') return token.value === character;
  if (token.kind === 'any') return character !== '/';
  if (character === '/' && !classesMatchSlash) return false;
  const code = character.codePointAt(0)!;
  const isInside = token.ranges.some(([low, high]) => low.codePointAt(0)! <= code && code <= high.codePointAt(0)!);
  return isInside !== token.isNegated;
}
