/** One request of the distribution protocol to its answer (distribution-spec "Pull"); only what changes nothing is served. */
import { randomBytes } from 'node:crypto';
import type { Digest, Reference } from '../oci/index.ts';
import { type Logger, messageOf } from '../std/index.ts';
import type { Blobs } from './blobs.ts';
import type { Catalog } from './catalog.ts';
import type { Asker, Manifests } from './manifests.ts';
import { Refusal, refusalOf } from './refusal.ts';
import { parseRoute, type Route } from './route.ts';
import { isKnown, wantedSpan } from './span.ts';
import { listTags } from './tag-lists.ts';
import type { Upstream } from './upstream.ts';

export interface Asked {
  method: string;
  /** Path and query. */
  target: string;
  /** In lower case. */
  headers: Readonly<Record<string, string | undefined>>;
  /** Ends when the client is gone. */
  signal: AbortSignal;
}

export interface Answer {
  status: number;
  headers: Record<string, string>;
  /** Bytes in full, or as they come: those must be iterated, if only to leave at once, and may break off, which the client must see. */
  body: Uint8Array | AsyncIterable<Uint8Array>;
}

export interface HandlerOptions {
  upstreams: ReadonlySet<string>;
  manifests: Manifests;
  blobs: Blobs;
  catalog: Catalog;
  upstream: Upstream;
  /** What this cache calls itself to others (`makeVia`). */
  via: string;
  log: Logger;
}

const nothing = new Uint8Array();
const standard = { 'docker-distribution-api-version': 'registry/2.0', 'x-content-type-options': 'nosniff' };
const viaPattern = /\bwherry-[0-9a-f]{16}\b/g;

/** A name for the Via header (RFC 9110 §7.6.3) of one life of a cache. */
export function makeVia(): string {
  return `1.1 wherry-${randomBytes(8).toString('hex')}`;
}

/** Never throws: what goes wrong is an answer, too. */
export function createHandler(options: HandlerOptions): (asked: Asked) => Promise<Answer> {
  return async (asked) => {
    const unknown = asked.target.includes('/blobs/') ? 'BLOB_UNKNOWN' : 'MANIFEST_UNKNOWN';
    const signed = ({ headers, ...rest }: Answer): Answer => ({ ...rest, headers: { ...headers, via: options.via } });
    try {
      return signed(await answer(options, asked));
    } catch (error) {
      const refusal = refusalOf(error, asked.target.includes('/tags/') ? 'NAME_UNKNOWN' : unknown);
      if (refusal.status === 500 && !asked.signal.aborted)
        options.log.error('the pull-through cache failed', { target: asked.target, error: messageOf(error) });
      return signed(refused(refusal));
    }
  };
}

async function answer(options: HandlerOptions, asked: Asked): Promise<Answer> {
  if (asked.method !== 'GET' && asked.method !== 'HEAD') {
    throw new Refusal(405, 'UNSUPPORTED', 'this cache is only read: push to the registry itself');
  }
  const route = parseRoute(asked.target, options.upstreams);
  const caches = asked.headers['via']?.match(viaPattern) ?? [];
  if (caches.some((cache) => options.via.endsWith(cache))) {
    throw new Refusal(404, 'NAME_UNKNOWN', 'this cache asked itself: it is among the mirrors of its own daemon');
  }
  const asker: Asker = { isCache: caches.length > 0, signal: asked.signal };
  if (route.kind === 'manifest') return manifest(options, route.reference, asked, asker);
  if (route.kind === 'blob') return blob(options, route, asked, asker);
  return route.kind === 'tags' ? tags(options, route, asked.signal) : json(200, {}, {});
}

async function manifest(
  { manifests }: HandlerOptions,
  reference: Reference,
  asked: Asked,
  asker: Asker,
): Promise<Answer> {
  const known = asked.headers['if-none-match'];
  const whole = asked.method === 'GET' && known === undefined ? await manifests.open(reference, asker) : undefined;
  const { descriptor, doubt } = whole ?? (await manifests.describe(reference, asker));
  const headers = { ...standard, ...naming(descriptor.digest), ...(doubt === undefined ? {} : warning(doubt)) };
  if (isKnown(known, headers.etag)) return { status: 304, headers, body: nothing };
  const typed = { ...headers, 'content-type': descriptor.mediaType, 'content-length': String(descriptor.size) };
  if (asked.method === 'HEAD') return { status: 200, headers: typed, body: nothing };
  const { bytes } = whole ?? (await manifests.open(reference, asker));
  return { status: 200, headers: { ...typed, 'content-length': String(bytes.length) }, body: bytes };
}

async function blob(
  { blobs }: HandlerOptions,
  { reference, digest }: Extract<Route, { kind: 'blob' }>,
  asked: Asked,
  asker: Asker,
): Promise<Answer> {
  const found = await blobs.describe(reference, digest, asker);
  const headers = { ...standard, ...naming(digest), 'accept-ranges': 'bytes' };
  if (isKnown(asked.headers['if-none-match'], headers.etag)) return { status: 304, headers, body: nothing };
  const typed = { ...headers, 'content-type': 'application/octet-stream' };
  const whole = { ...typed, 'content-length': String(found.size) };
  if (asked.method === 'HEAD') return { status: 200, headers: whole, body: nothing };
  const wanted = wantedSpan(asked.headers['range'], asked.headers['if-range'], headers.etag, found.size);
  if (wanted.kind === 'none') {
    const none = { 'content-range': `bytes */${found.size}`, 'content-length': '0' };
    return { status: 416, headers: { ...headers, ...none }, body: nothing };
  }
  const span = wanted.kind === 'span' ? wanted.span : { start: 0, end: found.size };
  const body = await begun(blobs.read(reference, found, span, asker));
  if (wanted.kind === 'whole') return { status: 200, headers: whole, body };
  const range = `bytes ${span.start}-${span.end - 1}/${found.size}`;
  const length = String(span.end - span.start);
  return { status: 206, headers: { ...typed, 'content-range': range, 'content-length': length }, body };
}

async function tags(
  options: HandlerOptions,
  { reference, name, namespace, query }: Extract<Route, { kind: 'tags' }>,
  signal: AbortSignal,
): Promise<Answer> {
  const { tags: list, next, doubt } = await listTags(options, reference, query, signal);
  const headers: Record<string, string> = doubt === undefined ? {} : warning(doubt);
  if (next !== undefined) {
    const ns = namespace === undefined ? '' : `&ns=${encodeURIComponent(namespace)}`;
    headers['link'] = `</v2/${encodeURI(name)}/tags/list?${next}${ns}>; rel="next"`;
  }
  return json(200, { name, tags: list }, headers);
}

/** With its first piece at hand: what cannot even begin is refused, not cut. */
async function begun(bytes: AsyncGenerator<Uint8Array, void, void>): Promise<AsyncIterable<Uint8Array>> {
  const first = await bytes.next();
  async function* all(): AsyncGenerator<Uint8Array, void, void> {
    try {
      if (first.done !== true) yield first.value;
      yield* bytes;
    } finally {
      await bytes.return();
    }
  }
  return all();
}

function naming(digest: Digest): { etag: string; 'docker-content-digest': string } {
  return { etag: `"${digest}"`, 'docker-content-digest': digest };
}

/** Warning (RFC 7234 §5.5): 111 is "Revalidation Failed". */
function warning(doubt: string): { warning: string } {
  const text = doubt.replaceAll(/[^\x20-\x7e]+/g, ' ').replaceAll(/["\\]/g, "'");
  return { warning: `111 wherry "${text.slice(0, 500)}"` };
}

function refused(refusal: Refusal): Answer {
  const { status, code, message, retryAfterMs } = refusal;
  const headers: Record<string, string> = {};
  if (status === 405) headers['allow'] = 'GET, HEAD';
  if (retryAfterMs !== undefined) headers['retry-after'] = String(Math.max(1, Math.ceil(retryAfterMs / 1000)));
  return json(status, { errors: [{ code, message, detail: null }] }, headers);
}

function json(status: number, value: unknown, headers: Record<string, string>): Answer {
  const body = Buffer.from(`${JSON.stringify(value)}\n`);
  const length = { 'content-type': 'application/json; charset=utf-8', 'content-length': String(body.length) };
  return { status, headers: { ...standard, ...length, ...headers }, body };
}
