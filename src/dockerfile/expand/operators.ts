/** What the operators of `${v…}` do to a value. */
import { findGlob, matchPrefixes, parseGlob, type GlobToken } from './glob.ts';

/** `#` and `##` take away the shortest or longest matching beginning. */
export function trimPrefix(value: string, pattern: string, longest: boolean): string {
  const characters = Array.from(value);
  const ends = matchPrefixes(compile(pattern), characters);
  const end = longest ? ends.at(-1) : ends[0];
  return end === undefined ? value : characters.slice(end).join('');
}

/** `%` and `%%` take away the shortest or longest matching end. */
export function trimSuffix(value: string, pattern: string, longest: boolean): string {
  const characters = Array.from(value).reverse();
  const ends = matchPrefixes(compile(pattern).reverse(), characters);
  const end = longest ? ends.at(-1) : ends[0];
  return end === undefined ? value : characters.slice(end).reverse().join('');
}

/** `/` and `//` replace the first match, or all of them. */
export function replace(value: string, pattern: string, replacement: string, all: boolean): string {
  const tokens = compile(pattern);
  const characters = Array.from(value);
  if (!all) {
    const match = findGlob(tokens, characters, 0);
    if (match === undefined) return value;
    return characters.slice(0, match.start).join('') + replacement + characters.slice(match.end).join('');
  }
  return replaceAll(tokens, characters, expandTemplate(replacement));
}

function replaceAll(tokens: readonly GlobToken[], characters: readonly string[], replacement: string): string {
  let out = '';
  let copied = 0;
  let lastEnd = -1;
  for (let from = 0; from <= characters.length; ) {
    const match = findGlob(tokens, characters, from);
    if (match === undefined) break;
    out += characters.slice(copied, match.start).join('');
    // As in Go, an empty match right after another match is none.
    if (match.end > match.start || match.start > lastEnd) out += replacement;
    copied = match.end;
    lastEnd = match.end;
    from = match.end > match.start ? match.end : match.end + 1;
    if (match.end === match.start) {
      out += characters.slice(copied, from).join('');
      copied = from;
    }
  }
  return out + characters.slice(copied).join('');
}

/** BuildKit replaces all through a template of Go's `regexp`, in which `$name` is a group: there are none here, and `$$` is a dollar. */
function expandTemplate(template: string): string {
  return template.replaceAll(/\$(?:\$|\{[\p{L}\p{Nd}_]+\}|[\p{L}\p{Nd}_]+)/gu, (match) => (match === '$$' ? '$' : ''));
}

function compile(pattern: string): GlobToken[] {
  try {
    return parseGlob(pattern);
  } catch (error) {
    throw new Error(`invalid pattern (${pattern}) in substitution: ${(error as Error).message}`, { cause: error });
  }
}
