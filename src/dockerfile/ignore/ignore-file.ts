import { trimSpace } from '../text/characters.ts';
import { cleanPath } from './clean.ts';

/** A `.dockerignore` file's patterns, cleaned, for `PatternMatcher`. A `#` begins a comment at the very beginning of a line only. */
export function parseIgnoreFile(text: string): string[] {
  const lines = text.replace(/^\ufeff/, '').split('\n');
  return lines.flatMap((line) => {
    if (line.startsWith('#')) return [];
    const pattern = trimSpace(line);
    if (pattern === '') return [];
    return [pattern.startsWith('!') ? `!${cleanRule(trimSpace(pattern.slice(1)))}` : cleanRule(pattern)];
  });
}

/** The names a Dockerfile's ignore file may have, the first that exists being the one: beside it, else at the context's root. */
export function ignoreFileNames(dockerfile: string): readonly [string, string] {
  return [`${dockerfile}.dockerignore`, '.dockerignore'];
}

/** A leading slash means the context's root, as no slash does. */
function cleanRule(pattern: string): string {
  if (pattern === '') return '';
  const cleaned = cleanPath(pattern);
  return cleaned.length > 1 && cleaned.startsWith('/') ? cleaned.slice(1) : cleaned;
}
