/** Which entries of a folder a builder asked for: its include and exclude patterns, as fsutil's filter has them (tonistiigi/fsutil, filter.go). */
import { cleanPath, type FolderMatch, PatternMatcher } from '../../dockerfile/index.ts';
import type { TreeSelection } from '../session/walk-tree.ts';
import { followLinks } from './follow-links.ts';

export interface Wanted {
  includes: readonly string[];
  excludes: readonly string[];
  /** Paths that are wanted together with what links on their way lead to. */
  followPaths: readonly string[];
}

interface Above {
  included: FolderMatch | undefined;
  excluded: FolderMatch | undefined;
}

/** undefined: all of it. @throws Fault invalid */
export function selectionOf(
  root: string,
  { includes, excludes, followPaths }: Wanted,
): TreeSelection<Above> | undefined {
  const followed = followPaths.length === 0 ? [] : followLinks(root, followPaths);
  const wanted = followed === undefined ? [] : [...includes.map(cleanPath), ...followed];
  const including = wanted.length === 0 ? undefined : new PatternMatcher(wanted);
  const excluding = excludes.length === 0 ? undefined : new PatternMatcher(excludes);
  if (including === undefined && excluding === undefined) return undefined;
  const prefixes = wanted.map(fixedPrefix);
  return {
    top: { included: undefined, excluded: undefined },
    look(path, isFolder, above) {
      const included = including?.matchBelow(path, above.included);
      const isWanted = included?.isMatched ?? true;
      if (!isWanted && !isFolder) return { isTold: false, below: undefined };
      if (!isWanted && !prefixes.some((prefix) => leadsBelow(prefix, path))) return { isTold: false, below: undefined };
      const excluded = excluding?.matchBelow(path, above.excluded);
      const isLeftOut = excluded?.isMatched ?? false;
      if (isLeftOut && (!isFolder || excluding!.canSkip(path))) return { isTold: false, below: undefined };
      return { isTold: isWanted && !isLeftOut, below: { included, excluded } };
    },
  };
}

/** A pattern up to its first wildcard, and whether there is one. */
function fixedPrefix(pattern: string): { text: string; isOpen: boolean } {
  const text = /^[^*?[\\^]*/.exec(pattern)![0];
  return { text, isOpen: text.length < pattern.length };
}

/** Whether a pattern may match something below a folder that it does not match. */
function leadsBelow({ text, isOpen }: { text: string; isOpen: boolean }, folder: string): boolean {
  return text.startsWith(`${folder}/`) || (isOpen && `${folder}/`.startsWith(text));
}
