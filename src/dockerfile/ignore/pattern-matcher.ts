/**
 * `.dockerignore` and `--exclude`, with moby's rules: patterns are cleaned paths, the last one that matches decides, `!` includes again, and
 * what matches a folder matches all below it.
 */
import { Fault } from '../../std/index.ts';
import { trimSpace } from '../text/characters.ts';
import { cleanPath } from './clean.ts';
import { compileGlob } from './glob-match.ts';
import { BadPattern, tokenize } from './glob-tokens.ts';

interface Pattern {
  /** Cleaned, without the `!`. */
  readonly text: string;
  readonly includes: boolean;
  readonly matches: (path: string) => boolean;
}

/** What a folder matched, for the paths right below it: so that a walk need not look at parents again. */
export interface FolderMatch {
  readonly isMatched: boolean;
  readonly byPattern: readonly boolean[];
}

export class PatternMatcher {
  readonly #patterns: readonly Pattern[];
  /** Whether any pattern includes again: then a folder that matches must still be walked. */
  readonly hasInclusions: boolean;

  /** @throws Fault invalid `syntax error in pattern`, `illegal exclusion pattern: "!"` */
  constructor(patterns: readonly string[]) {
    this.#patterns = patterns.flatMap(compilePattern);
    this.hasInclusions = this.#patterns.some(({ includes }) => includes);
  }

  get isEmpty(): boolean {
    return this.#patterns.length === 0;
  }

  /** Whether a path, relative and with slashes, or a folder above it, is matched. */
  matches(path: string): boolean {
    const parents = parentsOf(path);
    let isMatched = false;
    for (const pattern of this.#patterns) {
      // A pattern that could only say what is already so is not asked.
      if (pattern.includes !== isMatched) continue;
      if (pattern.matches(path) || parents.some(pattern.matches)) isMatched = !pattern.includes;
    }
    return isMatched;
  }

  /**
   * The same in a walk from the top, each folder before what is in it. As in moby's walk, an `!` that was not asked about a folder, because
   * nothing was left out there yet, does not count for what is below it.
   */
  matchBelow(path: string, parent: FolderMatch | undefined): FolderMatch {
    let isMatched = false;
    const byPattern = this.#patterns.map((pattern, index) => {
      const isAbove = parent?.byPattern[index] ?? false;
      if (!isAbove && pattern.includes !== isMatched) return false;
      if (!isAbove && !pattern.matches(path)) return false;
      isMatched = !pattern.includes;
      return true;
    });
    return { isMatched, byPattern };
  }

  /**
   * Whether a matched folder can be left out whole: no pattern that includes again could match below it. Where in doubt it is walked.
   */
  canSkip(folder: string): boolean {
    if (!this.hasInclusions) return true;
    const below = `${folder}/`;
    return this.#patterns.every(({ includes, text }) => {
      if (!includes) return true;
      const fixed = /^[^*?[\\]*/.exec(text)![0];
      return (
        !(fixed.length < text.length && below.startsWith(fixed)) &&
        !`${text}/`.startsWith(below) &&
        !below.startsWith(`${fixed}/`)
      );
    });
  }
}

function compilePattern(raw: string): Pattern[] {
  const trimmed = trimSpace(raw);
  if (trimmed === '') return [];
  const cleaned = cleanPath(trimmed);
  const includes = cleaned.startsWith('!');
  const text = includes ? cleaned.slice(1) : cleaned;
  if (text === '') throw new Fault('invalid', 'illegal exclusion pattern: "!"');
  return [{ text, includes, matches: compileText(text) }];
}

function compileText(text: string): (path: string) => boolean {
  try {
    const tokens = tokenize(text, { globstar: true });
    if (!/[*?[\]\\]/.test(text)) return (path) => path === text;
    const tail = text.slice(2);
    if (text.startsWith('**') && tail !== '' && !/[*?[\]\\]/.test(tail)) return suffixMatch(tail);
    return compileGlob(tokens, { classesMatchSlash: true });
  } catch (error) {
    if (error instanceof BadPattern) throw new Fault('invalid', error.message, { cause: error });
    throw error;
  }
}

/** By far the most common pattern with two stars: `**` then `/name`, which is also `name` alone. `**name` ends any path, as in moby. */
function suffixMatch(tail: string): (path: string) => boolean {
  const alone = tail.startsWith('/') ? tail.slice(1) : undefined;
  return (path) => path.endsWith(tail) || path === alone;
}

function parentsOf(path: string): string[] {
  const parents: string[] = [];
  for (let slash = path.indexOf('/'); slash >= 0; slash = path.indexOf('/', slash + 1)) {
    if (slash > 0) parents.push(path.slice(0, slash));
  }
  return parents;
}
