/**
 * The registries behind the cache, asked with the operator's credentials and never a client's. One that does not answer, or wants to
 * be left alone, is not asked again for a while by those who can do without.
 */
import type { Blob } from '../content/index.ts';
import type { Descriptor, Digest, Reference } from '../oci/index.ts';
import { type Credentials, type Registry, RegistryFault, type Resolved, type TagPage } from '../registry/index.ts';
import { isOutage, Refusal, soonMs } from './refusal.ts';

export interface UpstreamOptions {
  registry: Registry;
  credentials: (domain: string) => Promise<Credentials | undefined>;
  now: () => number;
}

type Operation = 'describe' | 'resolve' | 'blobSize' | 'tags';

interface Rest {
  until: number;
  error: unknown;
}

/** A client waits no longer for what is not here. */
const patienceMs = 30_000;
const longestRestMs = 3600_000;

export class Upstream {
  readonly #options: UpstreamOptions;
  /** By registry, for one that is not reached; by registry and operation for one that refuses it. */
  readonly #rests = new Map<string, Rest>();

  constructor(options: UpstreamOptions) {
    this.#options = options;
  }

  /** What a tag or digest names, by HEAD; undefined when the registry does not say. */
  describe(reference: Reference, signal: AbortSignal): Promise<Descriptor | undefined> {
    return this.#ask('describe', reference, signal, (credentials, inner) =>
      this.#options.registry.describe(reference, credentials, inner),
    );
  }

  resolve(reference: Reference, signal: AbortSignal): Promise<Resolved> {
    return this.#ask('resolve', reference, signal, (credentials, inner) =>
      this.#options.registry.resolve(reference, credentials, inner),
    );
  }

  blobSize(reference: Reference, digest: Digest, signal: AbortSignal): Promise<number> {
    return this.#ask('blobSize', reference, signal, (credentials, inner) =>
      this.#options.registry.blobSize(reference, digest, credentials, inner),
    );
  }

  tagPage(reference: Reference, query: string, signal: AbortSignal): Promise<TagPage> {
    return this.#ask('tags', reference, signal, (credentials, inner) =>
      this.#options.registry.tagPage(reference, query, credentials, inner),
    );
  }

  /** @param mirrors may come from mirrors of the registry, too */
  async *blob(
    reference: Reference,
    blob: Blob,
    { start, mirrors }: { start: number; mirrors: boolean },
    signal: AbortSignal,
  ): AsyncGenerator<Uint8Array, void, void> {
    const credentials = await this.#options.credentials(reference.domain);
    yield* this.#options.registry.blob(reference, blob, { credentials, start, mirrors, patient: false }, signal);
  }

  hasMirrors(reference: Reference): boolean {
    return this.#options.registry.hasMirrors(reference);
  }

  /** Why the registry of this name is better left alone now; undefined when it may be asked. */
  resting(reference: Reference, operation: Operation): unknown {
    return (this.#rest(reference.domain) ?? this.#rest(`${reference.domain} ${operation}`))?.error;
  }

  async #ask<T>(
    operation: Operation,
    { domain }: Reference,
    signal: AbortSignal,
    task: (credentials: Credentials | undefined, signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    // Who said when to come back is not asked before; who could not be reached may be there again.
    const rest = this.#rest(`${domain} ${operation}`);
    if (rest !== undefined) throw limited(rest, this.#options.now());
    const late = AbortSignal.timeout(patienceMs);
    try {
      const credentials = await this.#options.credentials(domain);
      const value = await task(credentials, AbortSignal.any([signal, late]));
      this.#rests.delete(domain);
      return value;
    } catch (error) {
      signal.throwIfAborted();
      const failure = late.aborted ? slow(domain, error) : error;
      this.#note(domain, operation, failure);
      throw failure;
    }
  }

  #rest(key: string): Rest | undefined {
    const rest = this.#rests.get(key);
    if (rest === undefined || rest.until > this.#options.now()) return rest;
    this.#rests.delete(key);
    return undefined;
  }

  #note(domain: string, operation: Operation, error: unknown): void {
    if (!isOutage(error)) return;
    const limit = error instanceof RegistryFault && error.status === 429 ? error : undefined;
    const rest = Math.min(limit?.retryAfterMs ?? soonMs, longestRestMs);
    const key = limit === undefined ? domain : `${domain} ${operation}`;
    this.#rests.set(key, { until: this.#options.now() + rest, error });
  }
}

function slow(domain: string, cause: unknown): Refusal {
  const message = `${domain} did not answer within ${patienceMs / 1000} seconds`;
  return new Refusal(503, 'UNAVAILABLE', message, { retryAfterMs: soonMs, cause });
}

/** The refusal of then, with the time that is left of it. */
function limited({ until, error }: Rest, now: number): Refusal {
  const message = error instanceof Error ? error.message : 'too many requests';
  return new Refusal(429, 'TOOMANYREQUESTS', message, { retryAfterMs: until - now, cause: error });
}
