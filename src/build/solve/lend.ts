/** A step's result as a folder that can be read. */
import type { Digest } from '../../oci/index.ts';
import { Fault } from '../../std/index.ts';
import { contentDigest } from '../files/content-digest.ts';
import { LentTree } from '../files/lent-tree.ts';
import { type Selection, splitPivot } from '../files/select.ts';
import { sourceKey } from '../plan/cache-key.ts';
import type { GitStep, HttpStep, LocalStep, StepInput } from '../plan/step.ts';
import { type BuiltRoot, rootChain } from '../result/root.ts';
import type { LocalFolder, SolveContext } from './context.ts';

/** What became of a step, or of `scratch`. */
export type Solved = SolvedRoot | SolvedFolder;

export interface SolvedRoot {
  readonly kind: 'root';
  readonly key: Digest | 'scratch';
  readonly root: BuiltRoot;
}

/** Files that are in no layer: the client's, or from the network. */
export interface SolvedFolder {
  readonly kind: 'folder';
  readonly step: LocalStep | HttpStep | GitStep;
  /** undefined: its content tells. */
  readonly key: Digest | undefined;
  readonly folder: LocalFolder;
}

/** Where its files are, until disposed. @throws Fault not-found for the empty root, which has nothing in it */
export function lendFolder(context: SolveContext, solved: Solved, wanted: string): { path: string } & Disposable {
  if (solved.kind === 'folder') return { path: solved.folder.path, [Symbol.dispose]: () => {} };
  const chain = rootChain(solved.root);
  if (chain === undefined) throw new Fault('not-found', `${JSON.stringify(wanted)}: not found`);
  return context.snapshots.view(chain);
}

/** What a step's key knows of an input. @throws Fault not-found, invalid */
export async function inputDigest(
  context: SolveContext,
  solved: Solved,
  input: StepInput & { readonly withParents: boolean },
  signal: AbortSignal,
): Promise<Digest | 'scratch'> {
  if (input.by === 'key') return solved.kind === 'root' ? solved.key : folderKey(context, solved, signal);
  const { path: written, isPattern, exclude } = input;
  const { path } = input.withParents ? splitPivot(written) : { path: written };
  const ignore = solved.kind === 'folder' ? solved.folder.ignore : undefined;
  const what = { path, isPattern, withParents: input.withParents, exclude };
  // A layer never changes.
  const version = solved.kind === 'folder' ? solved.folder.version : rootChain(solved.root);
  return context.digests.get(version, what, async () => {
    const selection: Selection = { ...what, ignore };
    using folder = lendFolder(context, solved, path);
    using tree = new LentTree(folder.path);
    return await contentDigest(tree, selection, signal);
  });
}

/** What all of it is known by. */
export async function folderKey(
  { digests }: Pick<SolveContext, 'digests'>,
  { key, step, folder }: SolvedFolder,
  signal: AbortSignal,
): Promise<Digest> {
  if (key !== undefined) return key;
  const everything = { path: '/', isPattern: false, withParents: false, exclude: [] };
  const digest = await digests.get(folder.version, everything, async () => {
    using tree = new LentTree(folder.path);
    return await contentDigest(tree, { ...everything, ignore: folder.ignore }, signal);
  });
  return sourceKey(step, digest);
}
