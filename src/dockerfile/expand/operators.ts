/** What the operators of `${v…}` do to a value. */
import { type GlobToken, matchPrefixes, matchStarts, parseGlob } from './glob.ts';

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

/** `/` and `//` replace the first match, or all of them, each as long as it can be. */
export function replace(value: string, pattern: string, replacement: string, all: boolean): string {
  const tokens = compile(pattern);
  const characters = Array.from(value);
  const starts = matchStarts(tokens, characters);
  if (all) return replaceAll(tokens, characters, { starts, replacement: expandTemplate(replacement) });
  const start = starts.indexOf(1);
  if (start < 0) return value;
  const end = matchPrefixes(tokens, characters, start).at(-1)!;
  return characters.slice(0, start).join('') + replacement + characters.slice(end).join('');
}

function replaceAll(
  tokens: readonly GlobToken[],
  characters: readonly string[],
  { starts, replacement }: { starts: Uint8Array; replacement: string },
): string {
  const out: string[] = [];
  let copied = 0;
  let lastEnd = -1;
  for (let start = starts.indexOf(1); start >= 0; start = starts.indexOf(1, Math.max(copied, start + 1))) {
    const end = matchPrefixes(tokens, characters, start).at(-1)!;
    out.push(characters.slice(copied, start).join(''));
    // As in Go, an empty match right after another match is none.
    if (end > start || start > lastEnd) out.push(replacement);
    copied = end;
    lastEnd = end;
  }
  return out.join('') + characters.slice(copied).join('');
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
