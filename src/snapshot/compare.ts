/**
 * What differs between two stacks of layers, read from the layers themselves: nothing is mounted, no symlink is followed (a path is only
 * ever made of directories that lstat has seen), and what both stacks take from the same layer is not looked into. Memory is bounded by
 * the largest directory on the way.
 */
import { type BigIntStats, readdirSync, readlinkSync } from 'node:fs';
import { xattrsOf } from './attributes.ts';
import { joinPath, type LowerDirectory, lookLower } from './lower.ts';
import { ContentComparer } from './content-comparer.ts';

export type FileType = 'file' | 'directory' | 'symlink' | 'fifo' | 'character' | 'block' | 'socket';

export interface FileState {
  type: FileType;
  /** With setuid, setgid and sticky. */
  mode: number;
  uid: number;
  gid: number;
  /** Of a file's content, in bytes; else 0. */
  size: number;
  /** Of a symlink. */
  target: Buffer | undefined;
}

/** What may differ of a name that both have. Times do not count: making an image anew changes them all. */
export type ChangedField = 'type' | 'content' | 'mode' | 'owner' | 'target' | 'device' | 'attributes';

/** Parents come before children, siblings in byte order. */
export type TreeDifference =
  | { change: 'added'; path: Buffer; to: FileState }
  | { change: 'removed'; path: Buffer; from: FileState }
  | { change: 'changed'; path: Buffer; from: FileState; to: FileState; fields: ChangedField[] };

const turnMs = 10;

type Found = NonNullable<ReturnType<typeof lookLower>>;

/** Paths are relative to the root, without a leading slash; the root itself is not compared. */
export async function* compareStacks(
  from: LowerDirectory,
  to: LowerDirectory,
  signal?: AbortSignal,
): AsyncGenerator<TreeDifference, void, void> {
  const contents = new ContentComparer();
  let turn = performance.now();
  const pause = async (): Promise<void> => {
    signal?.throwIfAborted();
    if (performance.now() - turn < turnMs) return;
    await new Promise(setImmediate);
    turn = performance.now();
  };
  async function* walk(
    before: LowerDirectory,
    after: LowerDirectory,
    parent: Buffer | undefined,
  ): AsyncGenerator<TreeDifference, void, void> {
    if (sameCopies(before, after)) return;
    for (const name of namesIn([...before, ...after])) {
      await pause();
      const [old, now] = [lookLower(before, name), lookLower(after, name)];
      const path = parent === undefined ? name : joinPath(parent, name);
      if (old === undefined && now === undefined) continue;
      if (old === undefined) yield { change: 'added', path, to: stateOf(now!) };
      else if (now === undefined) yield { change: 'removed', path, from: stateOf(old) };
      else if (!old.path.equals(now.path)) {
        const fields = await changedFields(old, now, contents, signal);
        if (fields.length > 0) yield { change: 'changed', path, from: stateOf(old), to: stateOf(now), fields };
      }
      yield* walk(old?.copies ?? [], now?.copies ?? [], path);
    }
  }
  yield* walk(from, to, undefined);
}

/** The same directories of the same layers show the same tree. */
function sameCopies(a: LowerDirectory, b: LowerDirectory): boolean {
  return a.length === b.length && a.every((copy, index) => copy.equals(b[index]!));
}

function namesIn(copies: readonly Buffer[]): Buffer[] {
  const names = new Map<string, Buffer>();
  for (const copy of copies) {
    for (const name of readdirSync(copy, { encoding: 'buffer' })) names.set(name.toString('latin1'), name);
  }
  return [...names.values()].sort((a, b) => a.compare(b));
}

async function changedFields(
  old: Found,
  now: Found,
  contents: ContentComparer,
  signal: AbortSignal | undefined,
): Promise<ChangedField[]> {
  const [a, b] = [old.stat, now.stat];
  if (typeOf(a) !== typeOf(b)) return ['type'];
  const fields: ChangedField[] = [];
  if (a.isFile() && (a.size !== b.size || !(await contents.same(old.path, now.path, Number(a.size), signal))))
    fields.push('content');
  if (a.isSymbolicLink()) {
    if (!targetOf(old.path).equals(targetOf(now.path))) fields.push('target');
  } else if (a.mode !== b.mode) fields.push('mode');
  if (a.uid !== b.uid || a.gid !== b.gid) fields.push('owner');
  if (a.rdev !== b.rdev) fields.push('device');
  if (!sameXattrs(old.path, now.path)) fields.push('attributes');
  return fields;
}

function sameXattrs(one: Buffer, other: Buffer): boolean {
  const [a, b] = [xattrsOf(one), xattrsOf(other)];
  return a.size === b.size && [...a].every(([key, value]) => b.get(key)?.equals(value));
}

function targetOf(path: Buffer): Buffer {
  return readlinkSync(path, { encoding: 'buffer' });
}

function stateOf({ path, stat }: Found): FileState {
  return {
    type: typeOf(stat),
    mode: Number(stat.mode) & 0o7777,
    uid: Number(stat.uid),
    gid: Number(stat.gid),
    size: stat.isFile() ? Number(stat.size) : 0,
    target: stat.isSymbolicLink() ? targetOf(path) : undefined,
  };
}

function typeOf(stat: BigIntStats): FileType {
  if (stat.isFile()) return 'file';
  if (stat.isDirectory()) return 'directory';
  if (stat.isSymbolicLink()) return 'symlink';
  if (stat.isFIFO()) return 'fifo';
  if (stat.isCharacterDevice()) return 'character';
  return stat.isBlockDevice() ? 'block' : 'socket';
}
