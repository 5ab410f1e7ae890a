/** Steps that run nothing: COPY, ADD and WORKDIR. */
import type { SolveContext } from './context.ts';
import { copyInto, type FileSource } from '../files/copy-into.ts';
import { LentTree } from '../files/lent-tree.ts';
import { splitPivot } from '../files/select.ts';
import type { CopySource, CopyStep, MkdirStep, Root } from '../plan/step.ts';
import { lendFolder, type Solved } from './lend.ts';

type SolvedOf = (root: Root) => Solved;

export async function writeCopy(
  context: SolveContext,
  step: CopyStep,
  target: string,
  solvedOf: SolvedOf,
  signal: AbortSignal,
): Promise<void> {
  using loans = new DisposableStack();
  const sources = step.sources.map((source) => fileSource(context, step, source, solvedOf, loans));
  const { destination, owner, mode } = step;
  await copyInto(target, { sources, destination, owner, mode, now: context.now() }, signal);
}

function fileSource(
  context: SolveContext,
  step: CopyStep,
  source: CopySource,
  solvedOf: SolvedOf,
  loans: DisposableStack,
): FileSource {
  if (source.kind === 'inline') return { kind: 'inline', name: source.name, content: Buffer.from(source.content) };
  const solved = solvedOf(source.from);
  const folder = loans.use(lendFolder(context, solved, source.path));
  const { path, dropped } = source.keepParents ? splitPivot(source.path) : { path: source.path, dropped: 0 };
  const ignore = solved.kind === 'folder' ? solved.folder.ignore : undefined;
  return {
    kind: 'tree',
    tree: loans.use(new LentTree(folder.path)),
    selection: { path, isPattern: source.isPattern, withParents: source.keepParents, exclude: step.exclude, ignore },
    keepOwner: solved.kind === 'root',
    dropped,
    unpack: source.unpack,
  };
}

export async function writeFolder(
  context: SolveContext,
  step: MkdirStep,
  target: string,
  signal: AbortSignal,
): Promise<void> {
  const { path, owner } = step;
  const destination = path.endsWith('/') ? path : `${path}/`;
  const request = { sources: [], destination, owner: owner === '' ? undefined : owner, mode: undefined };
  await copyInto(target, { ...request, now: context.now() }, signal);
}
