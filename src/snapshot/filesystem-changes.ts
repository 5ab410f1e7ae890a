/** `docker diff`: the changes of an upper directory in the API's words, sorted by path. */
import type { FilesystemChange } from '../api/index.ts';
import { walkChanges } from './changes.ts';
import type { LowerDirectory } from './lower.ts';

const modified = 0;
const added = 1;
const deleted = 2;

export function filesystemChanges(upper: Buffer, lower: LowerDirectory): FilesystemChange[] {
  const found = new Map<string, FilesystemChange['Kind']>();
  /** Names an opaque directory hides, until the walk finds them made anew. */
  const hidden = new Set<string>();
  for (const change of walkChanges(upper, lower)) {
    const path = `/${change.path.toString()}`;
    if (change.kind === 'unchanged') continue;
    if (change.kind === 'opaque') {
      for (const name of change.hidden) {
        found.set(`${path}/${name.toString()}`, deleted);
        hidden.add(`${path}/${name.toString()}`);
      }
    } else if (change.kind === 'deleted') found.set(path, deleted);
    else found.set(path, change.kind === 'modified' || hidden.has(path) ? modified : added);
  }
  // Docker lists the parents of what changed, too.
  for (const path of found.keys()) {
    for (let slash = path.lastIndexOf('/'); slash > 0; slash = path.lastIndexOf('/', slash - 1)) {
      const parent = path.slice(0, slash);
      if (found.has(parent)) break;
      found.set(parent, modified);
    }
  }
  return [...found].map(([Path, Kind]) => ({ Path, Kind })).sort((a, b) => (a.Path < b.Path ? -1 : 1));
}
