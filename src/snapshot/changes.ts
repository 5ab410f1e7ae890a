/** What an overlay's upper directory says about its parent, as data: `docker diff` prints it, `commit` archives it. */
import { type BigIntStats, readdirSync } from 'node:fs';
import { isFuseMark } from './fuse-marks.ts';
import { joinPath, type LowerDirectory, lookLower, statIfExists } from './lower.ts';
import { isOpaque, isWhiteout } from './whiteout.ts';

export type Change =
  /** The name of the parent is gone. */
  | { kind: 'deleted'; path: Buffer }
  /** The directory hides what the parent has under it. Comes right after the directory's own change. */
  | { kind: 'opaque'; path: Buffer; hidden: readonly Buffer[] }
  | {
      kind: 'added' | 'modified' | 'unchanged';
      /** Relative to the root, without a leading slash. */
      path: Buffer;
      /** The copy in the upper directory. */
      source: Buffer;
      stat: BigIntStats;
    };

/**
 * Every name in `upper`, parents before children, siblings in byte order. A directory that is there only because something
 * under it changed is 'unchanged'.
 */
export function* walkChanges(upper: Buffer, lower: LowerDirectory): Generator<Change, void, void> {
  yield* walk(upper, lower, undefined);
}

function* walk(upper: Buffer, lower: LowerDirectory, path: Buffer | undefined): Generator<Change, void, void> {
  const names = readdirSync(upper, { encoding: 'buffer' }).sort((a, b) => a.compare(b));
  for (const name of names) {
    if (isFuseMark(name)) continue;
    const source = joinPath(upper, name);
    const stat = statIfExists(source);
    if (stat === undefined) continue;
    const here = path === undefined ? name : joinPath(path, name);
    const below = lookLower(lower, name);
    if (isWhiteout(stat)) {
      if (below !== undefined) yield { kind: 'deleted', path: here };
      continue;
    }
    if (!stat.isDirectory()) {
      yield { kind: below === undefined ? 'added' : 'modified', path: here, source, stat };
      continue;
    }
    const copies = below?.copies ?? [];
    const opaque = copies.length > 0 && isOpaque(source);
    const kind = below === undefined ? 'added' : sameDirectory(stat, below.stat) ? 'unchanged' : 'modified';
    yield { kind, path: here, source, stat };
    if (opaque) yield { kind: 'opaque', path: here, hidden: [...childrenOf(copies)] };
    yield* walk(source, opaque ? [] : copies, here);
  }
}

function sameDirectory(a: BigIntStats, b: BigIntStats): boolean {
  return b.isDirectory() && a.mode === b.mode && a.uid === b.uid && a.gid === b.gid && a.mtimeNs === b.mtimeNs;
}

/** The names in a merged directory of the layers below, sorted. */
function childrenOf(directory: LowerDirectory): Buffer[] {
  const names = new Map<string, Buffer>();
  for (const copy of directory) {
    for (const name of readdirSync(copy, { encoding: 'buffer' })) names.set(name.toString('latin1'), name);
  }
  return [...names.values()].filter((name) => lookLower(directory, name) !== undefined).sort((a, b) => a.compare(b));
}
