/** A folder as the root that steps stand on, with one layer: what `FROM` a context means that is no image. */
import { type Digest, sha256 } from '../../oci/index.ts';
import { copyInto } from '../files/copy-into.ts';
import { LentTree } from '../files/lent-tree.ts';
import { commitLayer } from '../result/commit-layer.ts';
import { type BuiltRoot, scratch } from '../result/root.ts';
import type { SolveContext } from './context.ts';
import { folderKey, type SolvedFolder } from './lend.ts';

/** What the root is kept by. */
export async function folderRootKey(context: SolveContext, solved: SolvedFolder, signal: AbortSignal): Promise<Digest> {
  return sha256(JSON.stringify(['folder', await folderKey(context, solved, signal)]));
}

/** Makes its layer, and keeps it as the result of `key`. */
export async function folderRoot(
  { content, snapshots, results, newId, now }: SolveContext,
  { step, folder }: SolvedFolder,
  key: Digest,
  signal: AbortSignal,
): Promise<BuiltRoot> {
  using blobs = content.hold();
  using layers = snapshots.hold();
  const id = newId();
  await using loans = new AsyncDisposableStack();
  loans.defer(() => snapshots.remove(id));
  await snapshots.prepare(id, undefined);
  using tree = new LentTree(folder.path);
  const selection = { path: '/', isPattern: false, withParents: false, exclude: [], ignore: folder.ignore };
  const everything = { kind: 'tree', tree, selection, keepOwner: false, dropped: 0, unpack: false } as const;
  const request = { sources: [everything], destination: '/', owner: undefined, mode: undefined, now: now() };
  await copyInto(snapshots.mount(id), request, signal);
  const hold = { blobs, layers };
  const root = await commitLayer({ snapshots }, { id, base: scratch, hold, now: now() }, signal);
  await results.keep(key, root, step.name);
  return root;
}
