/** Lines of progress, as daemons write them, to steps; a line that says that the work failed ends them. */
import type { ProgressMessage } from '../api/index.ts';
import { Fault } from '../std/index.ts';

export interface TransferStep {
  /** A layer's, or what the daemon calls it; '' for what is about all. */
  id: string;
  /** "Downloading", "Pull complete", … */
  status: string;
  /** Bytes; undefined where they are not known. */
  current: number | undefined;
  total: number | undefined;
}

/** @param onAux takes what is said for programs. @throws Fault in the daemon's words */
export async function* transferSteps(
  lines: AsyncIterable<ProgressMessage>,
  onAux: (aux: unknown) => void = () => {},
): AsyncGenerator<TransferStep, void> {
  for await (const line of lines) {
    const failure = line.errorDetail?.message ?? line.error;
    if (failure !== undefined) throw new Fault('internal', failure);
    if (line.aux !== undefined) onAux(line.aux);
    else if (line.status !== undefined || line.stream !== undefined) {
      const { current, total } = line.progressDetail ?? {};
      yield { id: line.id ?? '', status: line.status ?? line.stream!.trimEnd(), current, total };
    }
  }
}
