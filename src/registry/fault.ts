/** A registry's refusals (distribution-spec "Error Codes") as Faults that keep the code, in Docker's words. */
import { Fault, type FaultKind } from '../std/index.ts';
import { parseChallenges } from './challenge.ts';
import { readRateLimit } from './rate-limit.ts';
import type { HttpResponse } from './transport.ts';

export class RegistryFault extends Fault {
  /** "MANIFEST_UNKNOWN", "DENIED", … */
  readonly code: string;
  /** The first error alone, as `manifest unknown: manifest unknown`. */
  readonly detail: string;
  /** The HTTP status. */
  readonly status: number;
  /** How long the registry asks to be left alone; undefined when it did not say. */
  readonly retryAfterMs: number | undefined;
  /** Another try soon will be refused, too. */
  readonly exhausted: boolean;
  /** A cache that was asked passed it on from whom it asked. */
  readonly relayed: boolean;

  constructor(
    kind: FaultKind,
    refusal: {
      code: string;
      detail: string;
      status: number;
      retryAfterMs?: number | undefined;
      exhausted?: boolean;
      relayed?: boolean;
    },
    message = refusal.detail,
  ) {
    super(kind, message);
    this.name = 'RegistryFault';
    this.code = refusal.code;
    this.detail = refusal.detail;
    this.status = refusal.status;
    this.retryAfterMs = refusal.retryAfterMs;
    this.exhausted = refusal.exhausted ?? false;
    this.relayed = refusal.relayed ?? false;
  }
}

const kinds: Readonly<Record<string, FaultKind>> = {
  UNAUTHORIZED: 'unauthorized',
  DENIED: 'forbidden',
  NAME_UNKNOWN: 'not-found',
  MANIFEST_UNKNOWN: 'not-found',
  BLOB_UNKNOWN: 'not-found',
  TOOMANYREQUESTS: 'unavailable',
};

const passingStatuses: ReadonlySet<number> = new Set([408, 429, 500, 502, 503, 504]);

/** Whether a status says nothing about what was asked, only about this moment. */
export function isPassing(status: number): boolean {
  return passingStatuses.has(status);
}

/** What Wherry's pull-through caches call themselves in Via (RFC 9110 §7.6.3). */
const cacheName = /\bwherry-[0-9a-f]{16}\b/;
const bodyLimit = 64 << 10;
const errorsLimit = 16;
/** Characters of a registry's own words that reach a person. */
const messageLimit = 1000;

/** Reads the answer's body. @param code404 what a bare 404 means here */
export async function registryFault(response: HttpResponse, code404 = 'UNKNOWN'): Promise<RegistryFault> {
  const { status, headers } = response;
  const body = await response.read(bodyLimit).catch(() => Buffer.alloc(0));
  const challenge = parseChallenges(headers['www-authenticate'] ?? '').find((each) => each.scheme === 'bearer');
  const denied = { code: 'DENIED', detail: 'denied: requested access to the resource is denied', status };
  if (status === 401 && challenge?.parameters['error'] === 'insufficient_scope') {
    return new RegistryFault('forbidden', denied);
  }
  const { retryAfterMs, exhausted, advice } = readRateLimit(headers, response.receivedAt);
  const relayed = cacheName.test(headers['via'] ?? '');
  const texts = parseErrors(body).map(({ code, message }) => ({
    code,
    text: `${code.toLowerCase().replaceAll('_', ' ')}: ${message}`,
  }));
  const first = texts[0];
  if (first !== undefined) {
    const all = texts.map(({ text }) => text);
    const message = all.length === 1 ? first.text : `errors:\n${all.join('\n')}\n`;
    const limited = first.code === 'TOOMANYREQUESTS' || status === 429;
    return new RegistryFault(
      limited ? 'unavailable' : (kinds[first.code] ?? kindOf(status)),
      { code: first.code, detail: first.text, status, retryAfterMs, exhausted, relayed },
      limited ? `${message.trimEnd()}${advice}` : message,
    );
  }
  if (status === 401)
    return new RegistryFault('unauthorized', {
      code: 'UNAUTHORIZED',
      detail: 'unauthorized: authentication required',
      status,
    });
  if (status === 403) return new RegistryFault('forbidden', denied);
  if (status === 429) {
    const detail = 'toomanyrequests: too many requests';
    const refusal = { code: 'TOOMANYREQUESTS', detail, status, retryAfterMs, exhausted, relayed };
    return new RegistryFault('unavailable', refusal, `${detail}${advice}`);
  }
  if (status === 404 && code404 === 'MANIFEST_UNKNOWN') {
    return new RegistryFault('not-found', { code: code404, detail: 'manifest unknown: manifest unknown', status });
  }
  const detail = `received unexpected HTTP status: ${status}`;
  return new RegistryFault(kindOf(status), { code: code404, detail, status, retryAfterMs, relayed });
}

function kindOf(status: number): FaultKind {
  if (status === 401) return 'unauthorized';
  if (status === 403) return 'forbidden';
  if (status === 429) return 'unavailable';
  return status === 404 ? 'not-found' : 'internal';
}

function parseErrors(body: Buffer): { code: string; message: string }[] {
  try {
    const value = JSON.parse(body.toString()) as { errors?: unknown; details?: unknown } | null;
    const list: unknown[] = Array.isArray(value?.errors) ? value.errors.slice(0, errorsLimit) : [];
    const found = (list as ({ code?: unknown; message?: unknown } | null)[]).map((error) => ({
      code: clean(error?.code, 64) ?? 'UNKNOWN',
      message: clean(error?.message, messageLimit) ?? 'unknown error',
    }));
    // Docker Hub's token service says it this way.
    const details = clean(value?.details, messageLimit);
    return found.length === 0 && details !== undefined ? [{ code: 'UNAUTHORIZED', message: details }] : found;
  } catch {
    return [];
  }
}

/** Text from outside as a person may see it: bounded, and nothing in it moves the cursor. */
function clean(value: unknown, limit: number): string | undefined {
  if (typeof value !== 'string' || value === '') return undefined;
  return value.slice(0, limit).replaceAll(/[\x00-\x08\x0b-\x1f\x7f-\x9f]/g, ' ');
}
