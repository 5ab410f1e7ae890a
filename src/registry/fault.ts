/** A registry's refusals (distribution-spec "Error Codes") as Faults that keep the code, in Docker's words. */
import { Fault, type FaultKind } from '../std/index.ts';
import { parseChallenges } from './challenge.ts';
import type { HttpResponse } from './transport.ts';

export class RegistryFault extends Fault {
  /** "MANIFEST_UNKNOWN", "DENIED", … */
  readonly code: string;
  /** The first error alone, as `manifest unknown: manifest unknown`. */
  readonly detail: string;

  constructor(kind: FaultKind, code: string, detail: string, message = detail) {
    super(kind, message);
    this.name = 'RegistryFault';
    this.code = code;
    this.detail = detail;
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

/** Reads the answer's body. */
export async function registryFault(response: HttpResponse, code404 = 'UNKNOWN'): Promise<RegistryFault> {
  const body = await response.read().catch(() => Buffer.alloc(0));
  const challenge = parseChallenges(response.headers['www-authenticate'] ?? '').find(
    (each) => each.scheme === 'bearer',
  );
  if (response.status === 401 && challenge?.parameters['error'] === 'insufficient_scope') {
    return new RegistryFault('forbidden', 'DENIED', 'denied: requested access to the resource is denied');
  }
  const errors = parseErrors(body);
  const first = errors[0];
  if (first !== undefined) {
    const texts = errors.map(({ code, message }) => `${code.toLowerCase().replaceAll('_', ' ')}: ${message}`);
    const message = texts.length === 1 ? texts[0]! : `errors:\n${texts.join('\n')}\n`;
    return new RegistryFault(kinds[first.code] ?? kindOf(response.status), first.code, texts[0]!, message);
  }
  if (response.status === 401)
    return new RegistryFault('unauthorized', 'UNAUTHORIZED', 'unauthorized: authentication required');
  if (response.status === 403)
    return new RegistryFault('forbidden', 'DENIED', 'denied: requested access to the resource is denied');
  if (response.status === 429)
    return new RegistryFault('unavailable', 'TOOMANYREQUESTS', 'toomanyrequests: too many requests');
  if (response.status === 404 && code404 === 'MANIFEST_UNKNOWN') {
    return new RegistryFault('not-found', code404, 'manifest unknown: manifest unknown');
  }
  const text = `received unexpected HTTP status: ${response.status}`;
  return new RegistryFault(kindOf(response.status), code404, text);
}

function kindOf(status: number): FaultKind {
  if (status === 401) return 'unauthorized';
  if (status === 403) return 'forbidden';
  return status === 404 ? 'not-found' : 'internal';
}

function parseErrors(body: Buffer): { code: string; message: string }[] {
  try {
    const value = JSON.parse(body.toString()) as { errors?: unknown; details?: unknown; message?: unknown };
    const list = Array.isArray(value.errors) ? value.errors : [];
    const found = list.map((error: { code?: unknown; message?: unknown } | null) => ({
      code: typeof error?.code === 'string' ? error.code : 'UNKNOWN',
      message: typeof error?.message === 'string' && error.message !== '' ? error.message : 'unknown error',
    }));
    if (found.length === 0 && typeof value.details === 'string')
      return [{ code: 'UNAUTHORIZED', message: value.details }];
    return found;
  } catch {
    return [];
  }
}
