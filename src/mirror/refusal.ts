/** Answers other than what was asked for, in the terms of the distribution protocol ("Error Codes"). */
import { isPassing, RegistryFault, TransportFault } from '../registry/index.ts';
import { Fault, type FaultKind, faultKind, isDiskFull, messageOf } from '../std/index.ts';

export class Refusal extends Fault {
  readonly status: number;
  /** "MANIFEST_UNKNOWN", … */
  readonly code: string;
  /** When to come back; undefined: it would be of no use. */
  readonly retryAfterMs: number | undefined;

  constructor(
    status: number,
    code: string,
    message: string,
    options: { retryAfterMs?: number | undefined; cause?: unknown } = {},
  ) {
    super(kindOf(status), message, options);
    this.name = 'Refusal';
    this.status = status;
    this.code = code;
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** An upstream that does not answer may do so soon. */
export const soonMs = 30_000;

/**
 * Any failure as a client of the cache may see it. What a person can act on is said; what went wrong in here is not.
 * @param unknown the code of what is not there
 */
export function refusalOf(error: unknown, unknown: string): Refusal {
  if (error instanceof Refusal) return error;
  const message = messageOf(error);
  const options = { cause: error };
  if (isOutage(error)) {
    const limited = error instanceof RegistryFault && error.status === 429;
    const retryAfterMs = (error instanceof RegistryFault ? error.retryAfterMs : undefined) ?? soonMs;
    const what = `${message}; this cache does not have it yet`;
    return limited
      ? new Refusal(429, 'TOOMANYREQUESTS', what, { ...options, retryAfterMs })
      : new Refusal(503, 'UNAVAILABLE', what, { ...options, retryAfterMs });
  }
  if (isDiskFull(error)) {
    return new Refusal(503, 'UNAVAILABLE', "the cache's disk is full", { ...options, retryAfterMs: soonMs });
  }
  switch (faultKind(error)) {
    case 'not-found':
      return new Refusal(404, unknown, message, options);
    // Whoever has credentials of his own asks the registry itself with them.
    case 'unauthorized':
    case 'forbidden':
      return new Refusal(403, 'DENIED', `${message} (this cache asks without your credentials)`, options);
    case 'invalid':
      return new Refusal(502, 'UNKNOWN', message, options);
    default:
      return error instanceof RegistryFault || error instanceof TransportFault
        ? new Refusal(502, 'UNKNOWN', message, options)
        : new Refusal(500, 'UNKNOWN', 'the cache failed', options);
  }
}

/** Whether it speaks of this moment, and not of what was asked for. */
export function isOutage(error: unknown): boolean {
  if (error instanceof Refusal) return error.status === 503 || error.status === 429;
  if (error instanceof TransportFault) return error.stage !== 'refused';
  return error instanceof RegistryFault && isPassing(error.status);
}

function kindOf(status: number): FaultKind {
  if (status === 404) return 'not-found';
  if (status === 403) return 'forbidden';
  if (status === 429 || status === 503) return 'unavailable';
  return status < 500 ? 'invalid' : 'internal';
}
