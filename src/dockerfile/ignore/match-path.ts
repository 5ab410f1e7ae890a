import { compileGlob } from './glob-match.ts';
import { tokenize } from './glob-tokens.ts';

/**
 * Go's `filepath.Match` over a whole path, for the wildcards of COPY and ADD; with `globstar`, `**` crosses slashes.
 * @throws BadPattern
 */
export function compilePathPattern(
  pattern: string,
  { globstar = false }: { globstar?: boolean } = {},
): (path: string) => boolean {
  return compileGlob(tokenize(pattern, { globstar }), { classesMatchSlash: false });
}

/** Whether a source is a pattern at all: a `*`, `?` or `[` that is not escaped. */
export function hasWildcard(path: string): boolean {
  return /[*?[]/.test(path.replaceAll(/\\./gs, ''));
}
