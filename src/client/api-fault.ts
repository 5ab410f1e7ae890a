/** What a daemon refused, with the HTTP status it answered. The message is the daemon's own; the advice is what to do about it. */
import { Fault, type FaultKind } from '../std/index.ts';
import { refusalAdvice } from './advice.ts';

export class ApiFault extends Fault {
  readonly status: number;
  readonly advice?: string;

  constructor(status: number, message: string) {
    super(kindOf(status), message);
    this.name = 'ApiFault';
    this.status = status;
    const advice = refusalAdvice(status, message);
    if (advice !== undefined) this.advice = advice;
  }
}

function kindOf(status: number): FaultKind {
  if (status === 304) return 'not-modified';
  if (status === 401) return 'unauthorized';
  if (status === 403) return 'forbidden';
  if (status === 404) return 'not-found';
  if (status === 409) return 'conflict';
  if (status === 501) return 'not-implemented';
  if (status === 502 || status === 503) return 'unavailable';
  return status >= 400 && status < 500 ? 'invalid' : 'internal';
}

/** The refusal's message: JSON `{"message"}`, or the plain text, or the status line. */
export function refusalText(status: number, reason: string, body: string): string {
  try {
    const parsed = JSON.parse(body) as { message?: unknown };
    if (typeof parsed.message === 'string') return parsed.message.trim();
  } catch {
    // Not JSON: proxies and attach answer plain text.
  }
  return body.trim() === '' ? `request returned ${status} ${reason}` : body.trim();
}
