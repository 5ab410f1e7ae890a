/** What exporting tells of itself: a vertex for each output, and a line for each of its parts. */
import { randomUUID } from 'node:crypto';
import type { BuildEvent } from '../../api/index.ts';
import { type Digest, sha256 } from '../../oci/index.ts';
import { formatNanos, messageOf, type Nanos } from '../../std/index.ts';

/** At most so often is a part told of that only goes on. */
const progressMs = 100;

export interface ExportTask {
  /** Does a part; it is told of when it begins and when it ends. */
  part<Result>(
    name: string,
    work: (report: (current: number, total: number) => void) => Promise<Result>,
  ): Promise<Result>;
  /** A part that takes no time. */
  done(name: string): void;
}

/** Does the work as a vertex of that name. @throws what it throws */
export async function exportTask<Result>(
  name: string,
  {
    emit,
    now,
    // Two outputs may be of one kind.
    vertex = sha256(`export ${name} ${randomUUID()}`),
  }: { emit: (event: BuildEvent) => void; now: () => Nanos; vertex?: Digest },
  signal: AbortSignal,
  work: (task: ExportTask) => Promise<Result>,
): Promise<Result> {
  const at = (): string => formatNanos(now());
  const started = at();
  const tell = (state: { completed?: string; error?: string }): void =>
    emit({
      kind: 'vertex',
      digest: vertex,
      name,
      inputs: [],
      cached: false,
      started,
      completed: state.completed,
      error: state.error,
      source: undefined,
    });
  const task: ExportTask = {
    part: async (id, run) => {
      const begun = at();
      let last = { current: 0, total: 0 };
      let told = 0;
      const line = (completed: string | undefined): void =>
        emit({ kind: 'status', vertex, id, name: id, ...last, timestamp: at(), started: begun, completed });
      line(undefined);
      const result = await run((current, total) => {
        last = { current, total };
        if (performance.now() - told < progressMs) return;
        told = performance.now();
        line(undefined);
      });
      line(at());
      return result;
    },
    done: (id) => {
      const time = at();
      emit({
        kind: 'status',
        vertex,
        id,
        name: id,
        current: 0,
        total: 0,
        timestamp: time,
        started: time,
        completed: time,
      });
    },
  };
  tell({});
  try {
    const result = await work(task);
    tell({ completed: at() });
    return result;
  } catch (error) {
    const isCancelled = signal.aborted && error === signal.reason;
    tell({ completed: at(), error: isCancelled ? 'context canceled' : messageOf(error) });
    throw error;
  }
}
