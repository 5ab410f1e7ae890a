/** What went wrong, with its place in the Dockerfile: for every door. Pure. */
import type { BuildFailure, BuildSourceRange } from '../../api/index.ts';
import { DockerfileFault, renderProblems } from '../../dockerfile/index.ts';
import { Fault, faultKind, messageOf } from '../../std/index.ts';
import type { FailedStep } from './progress.ts';

export interface FailurePlace {
  /** The Dockerfile's name and text; undefined before it was read. */
  file: { name: string; text: string } | undefined;
  /** The step that ended with an error first. */
  step: FailedStep | undefined;
}

/** The same error, with a `BuildFailure` as its cause where the Dockerfile or one of its steps is to blame. */
export function buildFailure(error: unknown, { file, step }: FailurePlace): unknown {
  if (error instanceof DockerfileFault) {
    const [first] = error.problems;
    const range = first?.range;
    const { name, text } = error.source;
    const source = range === undefined ? undefined : { file: name, start: range.start, end: range.end };
    return failed(error, { message: problemsOf(error), source, text, exitCode: undefined, vertex: undefined });
  }
  if (step === undefined || !(error instanceof Error)) return error;
  const known = causeOf(error);
  const source: BuildSourceRange | undefined = step.source ?? known?.source;
  return failed(error, {
    message: known?.message ?? messageOf(error),
    source: source === undefined || file === undefined ? undefined : { ...source, file: file.name },
    text: file?.text,
    exitCode: known?.exitCode,
    vertex: step.vertex,
  });
}

/** The first problem in BuildKit's words; the others below it, each with its place. */
function problemsOf(error: DockerfileFault): string {
  const [, ...others] = error.problems;
  if (others.length === 0) return error.message;
  const count = `${others.length} more problem${others.length === 1 ? '' : 's'}:`;
  return `${error.message}\n\n${count}\n${renderProblems(error.source, others, { color: false })}`.trimEnd();
}

function failed(error: Error, cause: BuildFailure): Fault {
  return new Fault(faultKind(error), cause.message, { cause });
}

function causeOf({ cause }: Error): BuildFailure | undefined {
  const isFailure = typeof cause === 'object' && cause !== null && 'exitCode' in cause && 'vertex' in cause;
  return isFailure ? (cause as BuildFailure) : undefined;
}
