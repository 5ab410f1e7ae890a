/** A step's result as a folder that can be read. */
import { Fault } from '../../std/index.ts';
import { contentDigest } from '../files/content-digest.ts';
import { LentTree } from '../files/lent-tree.ts';
import { type Selection, splitPivot } from '../files/select.ts';
import { sourceKey } from '../plan/cache-key.ts';
import type { LocalStep, StepInput } from '../plan/step.ts';
import { type BuiltRoot, rootChain } from '../result/root.ts';
import type { Digest } from '../../oci/index.ts';
import type { LocalFolder, SolveContext } from './context.ts';

/** What became of a step, or of `scratch`. */
export type Solved =
  | { readonly kind: 'root'; readonly key: Digest | 'scratch'; readonly root: BuiltRoot }
  | { readonly kind: 'local'; readonly step: LocalStep; readonly folder: LocalFolder };

/** Where its files are, until disposed. @throws Fault not-found for the empty root, which has nothing in it */
export function lendFolder(context: SolveContext, solved: Solved, wanted: string): { path: string } & Disposable {
  if (solved.kind === 'local') return { path: solved.folder.path, [Symbol.dispose]: () => {} };
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
  if (input.by === 'key' && solved.kind === 'root') return solved.key;
  const everything = { path: '/', isPattern: false, exclude: [] };
  const { path: written, isPattern, exclude } = input.by === 'key' ? everything : input;
  const { path } = input.withParents ? splitPivot(written) : { path: written };
  const ignore = solved.kind === 'local' ? solved.folder.ignore : undefined;
  const selection: Selection = { path, isPattern, withParents: input.withParents, exclude, ignore };
  using folder = lendFolder(context, solved, path);
  using tree = new LentTree(folder.path);
  const digest = await contentDigest(tree, selection, signal);
  return input.by === 'key' && solved.kind === 'local' ? sourceKey(solved.step, digest) : digest;
}
