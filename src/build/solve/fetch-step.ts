/** Steps whose files come from the network: their folder, and what it is known by. */
import type { Digest } from '../../oci/index.ts';
import { formatNanos } from '../../std/index.ts';
import type { FetchedFolder, Fetching } from '../fetch/door.ts';
import { sourceKey } from '../plan/cache-key.ts';
import type { GitStep, HttpStep } from '../plan/step.ts';
import type { BuildInputs, SolveContext } from './context.ts';
import type { SolvedFolder } from './lend.ts';
import { vertexOf } from './vertex.ts';

const progressMs = 100;

/** The folder is kept as long as `loans`. */
export async function fetchStep(
  { sources, now }: Pick<SolveContext, 'sources' | 'now'>,
  step: HttpStep | GitStep,
  { secrets, emit }: Pick<BuildInputs, 'secrets' | 'emit'>,
  loans: AsyncDisposableStack,
  signal: AbortSignal,
): Promise<SolvedFolder> {
  const vertex = vertexOf(step);
  const at = (): string => formatNanos(now());
  const started = at();
  let told = 0;
  const report = (current: number, total: number, completed: string | undefined): void => {
    const name = 'downloading';
    emit({ kind: 'status', vertex, id: name, name, current, total, timestamp: at(), started, completed });
  };
  let last: { current: number; total: number } | undefined;
  const by: Fetching = {
    secrets,
    progress: (current, total) => {
      last = { current, total };
      if (performance.now() - told < progressMs) return;
      told = performance.now();
      report(current, total, undefined);
    },
    output: (stream, data) => emit({ kind: 'log', vertex, stream, data: Uint8Array.from(data), timestamp: at() }),
  };
  const fetched = loans.use(
    step.kind === 'http' ? await sources.http(step, by, signal) : await sources.git(step, by, signal),
  );
  if (last !== undefined) report(last.current, last.current, at());
  return { kind: 'folder', step, key: keyOf(step, fetched), folder: { path: fetched.path, ignore: undefined } };
}

/** What makes a difference to who takes the folder as it is, though the file or the commit be the same. */
function keyOf(step: HttpStep | GitStep, { resolved }: FetchedFolder): Digest {
  if (step.kind === 'http') return sourceKey(step, `${resolved} ${step.filename}`);
  return sourceKey(step, step.keepGitDir ? `${resolved}.git#${step.ref ?? ''}` : resolved);
}
