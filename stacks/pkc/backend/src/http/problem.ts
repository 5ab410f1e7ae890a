/** What goes wrong, told to the person: what happened, and what to do. */
import type { Problem } from '../../../api.ts';

export class Refusal extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'Refusal';
    this.status = status;
    this.code = code;
  }
}

export const notFound = (what: string): Refusal => new Refusal(404, 'not_found', `${what} is not here.`);
export const invalid = (message: string): Refusal => new Refusal(400, 'invalid', message);

const connectionCodes = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ETIMEDOUT',
  'EPIPE',
  'EHOSTUNREACH',
  '57P01',
  '57P02',
  '57P03',
  '08000',
  '08003',
  '08006',
  '28P01',
  '3D000',
]);

/** Any error as an answer. What nobody foresaw says so, and no more: its words are for the log. */
export function problemOf(error: unknown): { status: number; problem: Problem; isUnforeseen: boolean } {
  const answer = (status: number, code: string, message: string, isUnforeseen = false) => ({
    status,
    problem: { error: { code, message } },
    isUnforeseen,
  });
  if (error instanceof Refusal) return answer(error.status, error.code, error.message);
  const { code, message } = (error ?? {}) as { code?: string; message?: string };
  if (code === 'ENOSPC' || code === 'EDQUOT' || code === '53100')
    return answer(
      507,
      'disk_full',
      'The disk is full: nothing was stored. Free some space (`wherry system df` shows what takes it), then try again.',
    );
  if (
    (code !== undefined && connectionCodes.has(code)) ||
    /Connection terminated|timeout exceeded when trying to connect/.test(message ?? '')
  )
    return answer(
      503,
      'database_away',
      'The database does not answer. Nothing is lost; this page tries again by itself. `wherry compose -p pkc ps` shows what runs.',
    );
  return answer(
    500,
    'internal',
    'Something went wrong that nobody foresaw. The log of the backend has it (`wherry logs pkc-backend-1`).',
    true,
  );
}
