/**
 * Fetches a blob through broken connections. Asks for the rest with Range (RFC 9110 §14), bound to the same bytes by If-Range where the
 * server names them; skips what is here already when ranges are not understood; refuses bytes that cannot be the blob's.
 */
import { Fault } from '../std/index.ts';
import type { Digest } from '../oci/index.ts';
import type { Clock } from './clock.ts';
import { registryFault } from './fault.ts';
import { Retry } from './retry.ts';
import { TransportFault } from './transport-fault.ts';
import type { HttpResponse } from './transport.ts';

export interface BlobDescriptor {
  digest: Digest;
  size: number;
}

/** Where a blob comes from. */
export interface BlobSource {
  /** Asks for it with these headers, and gives to `accept` the answers of one place after another until it takes one. */
  open<T>(headers: Record<string, string>, accept: (response: HttpResponse) => Promise<T>): Promise<T>;
  /** What came from the place opened last broke off. */
  broke(error: unknown): void;
}

export interface FetchOptions {
  start: number;
  /** Tries in a row without progress. */
  attempts: number;
  clock: Clock;
  /** Wait also for a place that cannot be reached before the first byte came. */
  patient: boolean;
  onWait?: ((secondsLeft: number) => void) | undefined;
}

/** What was fetched up to now and what the server has now are not the same bytes: begin anew. */
export class BlobChanged extends Fault {
  constructor(digest: Digest) {
    super('unavailable', `Cannot fetch blob ${digest}: it changed on the server under way`);
    this.name = 'BlobChanged';
  }
}

/** Less than this between two cuts is no progress: a server that drips does not get to do so for ever. */
const progressBytes = 16 << 10;

/** From `start` to its end. The caller verifies the digest. @throws Fault invalid for other sizes than the blob's; BlobChanged */
export async function* fetchBlob(
  source: BlobSource,
  blob: BlobDescriptor,
  options: FetchOptions,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, void> {
  const { onWait } = options;
  const retry = new Retry(options.clock, {
    attempts: options.attempts,
    unreachable: true,
    ...(onWait === undefined ? {} : { onWait }),
  });
  let at = options.start;
  let mark = at;
  let ranges = true;
  let version: Version | undefined;
  while (at < blob.size) {
    let opened: Opened | 'no ranges' | undefined;
    try {
      const from = ranges ? at : 0;
      opened = await source.open(rangeHeaders(from, version), (response) => accept(response, blob, from));
      if (opened === 'no ranges') {
        ranges = false;
        continue;
      }
      if (at > options.start && hasChanged(version, opened.response)) {
        await opened.response.discard();
        throw new BlobChanged(blob.digest);
      }
      version = versionOf(opened.response) ?? version;
      let skip = at - opened.from;
      for await (const chunk of opened.response.body) {
        if (skip >= chunk.length) {
          skip -= chunk.length;
          continue;
        }
        const piece = chunk.subarray(skip);
        skip = 0;
        if (at + piece.length > blob.size) throw wrongSize(blob, 'more');
        at += piece.length;
        yield piece;
        if (at - mark < progressBytes) continue;
        mark = at;
        retry.progress();
      }
      if (at < blob.size) throw new TransportFault('exchange', 'unexpected EOF');
    } catch (error) {
      if (opened !== undefined && !signal.aborted) source.broke(error);
      if (!options.patient && at === options.start && isUnreachable(error)) throw error;
      await retry.after(error, signal);
    }
  }
}

function isUnreachable(error: unknown): boolean {
  return error instanceof TransportFault && error.stage === 'connect';
}

/** What a server calls the bytes it sends from one place. */
interface Version {
  place: string;
  etag: string;
}

interface Opened {
  response: HttpResponse;
  /** Where in the blob the body begins. */
  from: number;
}

function rangeHeaders(from: number, version: Version | undefined): Record<string, string> {
  if (from === 0) return {};
  return { range: `bytes=${from}-`, ...(version === undefined ? {} : { 'if-range': version.etag }) };
}

/** Judges an answer by its headers. @throws RegistryFault; Fault invalid */
async function accept(response: HttpResponse, blob: BlobDescriptor, from: number): Promise<Opened | 'no ranges'> {
  const { status, headers } = response;
  if (status === 200) {
    const length = headers['content-length'];
    if (length !== undefined && headers['content-encoding'] === undefined && Number(length) !== blob.size) {
      await response.discard();
      throw wrongSize(blob, length);
    }
    return { response, from: 0 };
  }
  if (status === 206 && from > 0) {
    const match = /^bytes (\d+)-\d*\/(\d+|\*)$/.exec(headers['content-range'] ?? '');
    if (match !== null && match[2] !== '*' && Number(match[2]) !== blob.size) {
      await response.discard();
      throw wrongSize(blob, match[2]!);
    }
    if (match !== null && Number(match[1]) <= from) return { response, from: Number(match[1]) };
  }
  if (from > 0 && (status === 206 || status === 416)) {
    await response.discard();
    return 'no ranges';
  }
  throw await registryFault(response, 'BLOB_UNKNOWN');
}

/** Weak names do not speak of bytes, and do not count. */
function versionOf({ url, headers }: HttpResponse): Version | undefined {
  const etag = headers['etag'] ?? '';
  const { origin, pathname } = new URL(url);
  return /^"[\x21\x23-\x7e]*"$/.test(etag) ? { place: origin + pathname, etag } : undefined;
}

/** Whether the place the first bytes came from now has others. */
function hasChanged(known: Version | undefined, response: HttpResponse): boolean {
  const now = versionOf(response);
  return known !== undefined && now !== undefined && known.place === now.place && known.etag !== now.etag;
}

function wrongSize(blob: BlobDescriptor, offered: string): Fault {
  return new Fault(
    'invalid',
    `Cannot fetch blob ${blob.digest}: the registry offers ${offered} bytes where its manifest says ${blob.size}`,
  );
}
