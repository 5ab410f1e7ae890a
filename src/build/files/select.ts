/** Which files of a tree COPY and ADD mean, as BuildKit finds them. */
import type { BigIntStats } from 'node:fs';
import { BadPattern, cleanPath, compilePathPattern, type FolderMatch, PatternMatcher } from '../../dockerfile/index.ts';
import { Fault } from '../../std/index.ts';
import type { Choice, Chosen, LentTree, TreeEntry } from './lent-tree.ts';

/** What is read of one tree. */
export interface Selection {
  /** Absolute in the tree; `filepath.Match` syntax where `isPattern`. */
  readonly path: string;
  readonly isPattern: boolean;
  /** `--parents`: `**` crosses folders, and the folders on the way to what is found belong to it. */
  readonly withParents: boolean;
  /** `--exclude`, relative to what is copied. */
  readonly exclude: readonly string[];
  /** `.dockerignore` of the tree, relative to its root. */
  readonly ignore: PatternMatcher | undefined;
}

export interface SelectedSource {
  /** Where it is, absolute in the tree, links followed. */
  readonly path: Buffer;
  /** As written, or found by the pattern: absolute, its links not followed. */
  readonly written: Buffer;
  /** What a copy of it is called; empty for the tree's root. */
  readonly name: Buffer;
}

/**
 * A path of `--parents`, which keeps what comes after its `/./`, all of it where there is none: the path, and how many of its folders are
 * not kept. Pure.
 */
export function splitPivot(path: string): { path: string; dropped: number } {
  const pivot = path.indexOf('/./');
  const dropped = pivot < 0 ? '/' : cleanPath(`/${path.slice(0, pivot)}`);
  return { path: cleanPath(`/${path}`), dropped: dropped.split('/').filter(Boolean).length };
}

/** The folders above an absolute path, the topmost first, without the root. */
export function foldersOf(path: Buffer): Buffer[] {
  const folders: Buffer[] = [];
  for (let slash = path.indexOf(47, 1); slash > 0; slash = path.indexOf(47, slash + 1)) {
    folders.push(path.subarray(0, slash));
  }
  return folders;
}

/**
 * The sources of a selection, sorted; for a pattern none is fine. A name that is a link means what it leads to.
 * @throws Fault not-found `"/x": not found`, as BuildKit; invalid for a pattern that cannot be read
 */
export function selectSources(tree: LentTree, selection: Selection): SelectedSource[] {
  const { ignore, path } = selection;
  const names = selection.isPattern ? matching(tree, path, selection.withParents) : [Buffer.from(path)];
  const found = names.flatMap((written): SelectedSource[] => {
    const real = tree.resolve(written);
    if (real === undefined || isIgnored(tree, ignore, real)) return [];
    return [{ path: real, written, name: written.subarray(written.lastIndexOf(47) + 1) }];
  });
  if (found.length === 0 && !selection.isPattern) throw new Fault('not-found', `${JSON.stringify(path)}: not found`);
  return found;
}

/** What of a selected source is read: all of it but what is excluded, which is never the source itself. */
export function walkSource(
  tree: LentTree,
  source: SelectedSource,
  selection: Selection,
): Generator<TreeEntry, void, void> {
  const exclude = selection.exclude.length === 0 ? undefined : new PatternMatcher(selection.exclude);
  const base = source.path.toString().replace(/^\//, '');
  const first: Both = { ignore: folderMatch(selection.ignore, base), exclude: undefined };
  return tree.walk(source.path, first, (path, stat, parent): Chosen<Both> => {
    const below = path.toString();
    const whole = base === '' ? below : `${base}/${below}`;
    const ignored = selection.ignore?.matchBelow(whole, parent.ignore);
    const excluded = exclude?.matchBelow(below, parent.exclude);
    const choice = strictest(
      choiceOf(selection.ignore, ignored, whole, stat),
      choiceOf(exclude, excluded, below, stat),
    );
    return { choice, state: { ignore: ignored, exclude: excluded } };
  });
}

interface Both {
  readonly ignore: FolderMatch | undefined;
  readonly exclude: FolderMatch | undefined;
}

function strictest(one: Choice, other: Choice): Choice {
  const order: readonly Choice[] = ['skip', 'walk', 'take'];
  return order[Math.min(order.indexOf(one), order.indexOf(other))]!;
}

function choiceOf(
  matcher: PatternMatcher | undefined,
  match: FolderMatch | undefined,
  path: string,
  stat: BigIntStats,
): Choice {
  if (match?.isMatched !== true) return 'take';
  return stat.isDirectory() && matcher?.canSkip(path) === false ? 'walk' : 'skip';
}

/** What the folders down to `path` matched, for the walk below it. */
function folderMatch(matcher: PatternMatcher | undefined, path: string): FolderMatch | undefined {
  if (matcher === undefined || path === '') return undefined;
  let match: FolderMatch | undefined;
  for (const folder of prefixes(path)) match = matcher.matchBelow(folder, match);
  return match;
}

/** A folder that is ignored may hold what is not; it is looked at in the walk. */
function isIgnored(tree: LentTree, ignore: PatternMatcher | undefined, real: Buffer): boolean {
  const path = real.toString().slice(1);
  if (ignore === undefined || path === '' || folderMatch(ignore, path)?.isMatched !== true) return false;
  return !(tree.stat(real)?.isDirectory() === true && !ignore.canSkip(path));
}

function prefixes(path: string): string[] {
  const parts = path.split('/');
  return parts.map((_part, index) => parts.slice(0, index + 1).join('/'));
}

/** Names that a pattern matches, below its part that has no wildcard; what is below a match is its own. */
function matching(tree: LentTree, pattern: string, globstar: boolean): Buffer[] {
  const parts = pattern.split('/').filter(Boolean);
  const first = parts.findIndex((part) => /[*?[\\]/.test(part));
  const folder = `/${parts.slice(0, first).join('/')}`;
  const rest = parts.slice(first);
  const start = tree.resolve(folder);
  if (start === undefined || tree.stat(start)?.isDirectory() !== true) return [];
  const matches = compile(rest.join('/'), globstar);
  // Without `**` no wildcard crosses a slash: deeper than the pattern nothing matches.
  const deepest = globstar && pattern.includes('**') ? Number.POSITIVE_INFINITY : rest.length;
  const found: Buffer[] = [];
  const walk = tree.walk(start, 1, (path, _stat, depth): Chosen<number> => {
    if (matches(path.toString())) {
      found.push(Buffer.concat([Buffer.from(folder === '/' ? '/' : `${folder}/`), path]));
      return { choice: 'skip', state: depth };
    }
    return { choice: depth < deepest ? 'walk' : 'skip', state: depth + 1 };
  });
  for (const _entry of walk);
  return found.sort((a, b) => a.compare(b));
}

function compile(pattern: string, globstar: boolean): (path: string) => boolean {
  try {
    return compilePathPattern(pattern, { globstar });
  } catch (error) {
    if (error instanceof BadPattern) throw new Fault('invalid', error.message, { cause: error });
    throw error;
  }
}
