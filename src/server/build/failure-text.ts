/** Why a build failed in the classic builder's words, which clients look for (moby, builder/dockerfile/dispatchers.go). Pure. */
import { type BuildFailure, buildFailureOf } from '../../api/index.ts';
import { explainDiskError, Fault, faultKind, messageOf } from '../../std/index.ts';

/** `instruction` is the text of the step that failed, where there is one. */
export function failureText(error: unknown, instruction?: string): string {
  const failure = buildFailureOf(error);
  const message = failure?.message ?? messageOf(explainDiskError(error));
  const missing = missingDockerfile(message);
  if (missing !== undefined) return `Cannot locate specified Dockerfile: ${missing}`;
  if (failure === undefined) return message;
  return commandText(failure) ?? missingFileText(failure, instruction ?? '') ?? placedText(failure);
}

/** The same error for who is told nothing else. */
export function failureFault(error: unknown): unknown {
  const text = failureText(error);
  if (text === messageOf(error)) return error;
  const kind = missingDockerfile(messageOf(error)) === undefined ? faultKind(error) : 'invalid';
  return new Fault(kind, text, { cause: error });
}

function missingDockerfile(message: string): string | undefined {
  return /^failed to read dockerfile: open (.*): no such file or directory$/.exec(message)?.[1];
}

function commandText({ message, exitCode }: BuildFailure): string | undefined {
  const match = /^process ("(?:[^"\\]|\\.)*") did not complete successfully: exit code: -?\d+(?:: ([^]+))?$/.exec(
    message,
  );
  if (match === null || exitCode === undefined) return undefined;
  const [, quoted, why] = match;
  return `The command '${unquoted(quoted!)}' returned a non-zero code: ${exitCode}${why === undefined ? '' : `: ${why}`}`;
}

function unquoted(text: string): string {
  try {
    return JSON.parse(text) as string;
  } catch {
    return text.slice(1, -1);
  }
}

function missingFileText({ message }: BuildFailure, instruction: string): string | undefined {
  const verb = /^(COPY|ADD)\b/i.exec(instruction)?.[1]?.toUpperCase();
  const path = /"\/?([^"]*)": not found$/.exec(message)?.[1];
  if (verb === undefined || path === undefined) return undefined;
  const isContext = !/ --from=/.test(instruction);
  const where = isContext ? 'file not found in build context or excluded by .dockerignore: ' : '';
  return `${verb} failed: ${where}stat ${path}: file does not exist`;
}

/** Errors of the parser name the line themselves. */
function placedText({ message, source }: BuildFailure): string {
  if (source === undefined || /^dockerfile parse error/i.test(message)) return message;
  return `${source.file}:${source.start.line}: ${message}`;
}
