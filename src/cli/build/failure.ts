/** Why a build failed, as a person reads it: the line of the Dockerfile, the builder's words, and what to type next. */
import { SolveFault, vertexName } from '../../buildkit/index.ts';
import { ApiFault } from '../../client/index.ts';
import { messageOf } from '../../std/index.ts';
import { explain } from '../explain.ts';
import type { Session } from '../session.ts';
import { excerpt } from './excerpt.ts';

export function failureText(session: Session, error: unknown): string {
  if (error instanceof SolveFault && error.isCanceled)
    return 'CANCELED: the build was stopped, and nothing came of it.\n';
  if (error instanceof SolveFault) {
    const places = error.sources.map(({ source, ranges }) => excerpt(source, ranges)).join('');
    const advice = error.kind === 'unavailable' ? "See whether the daemon runs with 'wherry system status'.\n" : '';
    return `${places}ERROR: failed to build: failed to solve: ${error.message}\n${advice}`;
  }
  if (isUnknownDoor(error)) {
    return `ERROR: failed to build: this daemon has no BuildKit: ${messageOf(error)}\nUse a Wherry daemon, or Docker 23 or later.\n`;
  }
  return `ERROR: failed to build: ${explain(error, session.options.debug)}\n`;
}

function isUnknownDoor(error: unknown): boolean {
  return error instanceof ApiFault && error.status === 404 && error.message === 'page not found';
}

/** What opens a shell where a step failed; '' where there is nothing to look at. */
export async function debugAdvice(session: Session, error: unknown): Promise<string> {
  if (!(error instanceof SolveFault) || error.vertex === undefined) return '';
  const client = await session.client();
  const failed = await client.builds.failed().catch(() => []);
  const own = failed.find(
    ({ id, failure }) => failure.vertex !== undefined && vertexName(id, failure.vertex) === error.vertex,
  );
  if (own === undefined) return '';
  const named = own === failed[0] ? '' : ` ${own.id.slice(0, 12)}`;
  return `To look around in the state before this step:\n  wherry debug${named}\n`;
}
