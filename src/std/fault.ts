/** The one error that crosses a room's door: a kind that callers branch on, and a message for the person who must act. */

export type FaultKind =
  | 'invalid'
  | 'not-found'
  | 'conflict'
  | 'not-modified'
  | 'unauthorized'
  | 'forbidden'
  | 'unavailable'
  | 'not-implemented'
  | 'internal';

export class Fault extends Error {
  readonly kind: FaultKind;

  constructor(kind: FaultKind, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'Fault';
    this.kind = kind;
  }
}

/** The fault's kind, or 'internal' for anything that is not a Fault. */
export function faultKind(thrown: unknown): FaultKind {
  const error = firstError(thrown);
  return error instanceof Fault ? error.kind : 'internal';
}

/** The text of any thrown value. */
export function messageOf(thrown: unknown): string {
  const error = firstError(thrown);
  return error instanceof Error ? error.message : String(error);
}

/** The `code` of a Node system error ('ENOENT', …), if it has one. */
export function errorCode(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** What went wrong first, where giving back a loan failed as well. */
function firstError(error: unknown): unknown {
  return error instanceof SuppressedError ? firstError(error.suppressed) : error;
}
