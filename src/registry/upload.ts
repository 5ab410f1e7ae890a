/**
 * Puts one blob into a repository (distribution-spec "Pushing blobs"): mounts it from another repository, or uploads it, small ones in
 * one request, large ones in pieces, and takes an upload that broke up again where the registry says it stands.
 */
import { Readable } from 'node:stream';
import type { Digest } from '../oci/index.ts';
import type { Clock } from './clock.ts';
import { RegistryFault, registryFault } from './fault.ts';
import { Retry, withRetries } from './retry.ts';
import type { Session } from './session.ts';
import type { HttpResponse } from './transport.ts';
import { beginUpload, cancelUpload, finishUpload, nextLocation, uploadScope } from './upload-requests.ts';

export interface UploadBlob {
  digest: Digest;
  size: number;
  /** The bytes from `start` on; called again when they must be sent again. */
  open(start: number): AsyncIterable<Uint8Array>;
  /** Paths of repositories of the same registry that should have it, likeliest first. */
  mountFrom: readonly string[];
}

export interface UploadOptions {
  clock: Clock;
  /** A blob of more bytes is sent in pieces of so many. */
  pieceBytes: number;
  attempts: number;
}

export type UploadOutcome = { how: 'mounted'; from: string } | { how: 'uploaded' };

const mountLimit = 3;
/** Registries and the proxies before them that take less than this at once take no image. */
const leastPieceBytes = 1 << 20;

/** @throws RegistryFault, TransportFault when it could not be done; the upload is then cancelled at the registry */
export async function uploadBlob(
  session: Session,
  path: string,
  blob: UploadBlob,
  options: UploadOptions,
  signal: AbortSignal,
): Promise<UploadOutcome> {
  const upload = new Upload(session, path, blob, options, signal);
  try {
    const from = await upload.mount();
    if (from !== undefined) return { how: 'mounted', from };
    await upload.send();
  } catch (error) {
    await upload.cancel();
    throw error;
  }
  return { how: 'uploaded' };
}

class Upload {
  readonly #session: Session;
  readonly #path: string;
  readonly #blob: UploadBlob;
  readonly #options: UploadOptions;
  readonly #signal: AbortSignal;
  readonly #scope: string;
  /** Where the upload goes on; undefined when none is open. */
  #location: string | undefined;
  #offset = 0;
  #furthest = 0;
  #losses = 0;
  #pieceBytes: number;
  #inPieces: boolean;
  #wholeOnly = false;

  constructor(session: Session, path: string, blob: UploadBlob, options: UploadOptions, signal: AbortSignal) {
    this.#session = session;
    this.#path = path;
    this.#blob = blob;
    this.#options = options;
    this.#signal = signal;
    this.#scope = uploadScope(path);
    this.#pieceBytes = options.pieceBytes;
    this.#inPieces = blob.size > options.pieceBytes;
  }

  /** The repository it was mounted from; else undefined, perhaps with an upload open, which the registry gave instead. */
  async mount(): Promise<string | undefined> {
    const { clock, attempts } = this.#options;
    const sources = this.#blob.mountFrom.filter((source) => source !== this.#path).slice(0, mountLimit);
    for (const from of sources) {
      const query = `?${new URLSearchParams({ mount: this.#blob.digest, from }).toString()}`;
      try {
        const before = this.#location;
        const scope = `${this.#scope} repository:${from}:pull`;
        const mounted = await withRetries(clock, { attempts }, () => this.#begin(query, scope), this.#signal);
        // The registry opened an upload instead of mounting from the last one.
        if (before !== undefined) await this.#cancel(before);
        if (mounted) return from;
      } catch (error) {
        this.#signal.throwIfAborted();
        // Not being allowed to read there is no reason not to write here.
        if (!(error instanceof RegistryFault)) throw error;
      }
    }
    return undefined;
  }

  async send(): Promise<void> {
    const retry = new Retry(this.#options.clock, { attempts: this.#options.attempts, unreachable: true });
    let broke = false;
    for (;;) {
      try {
        if (this.#location === undefined) await this.#begin('', this.#scope);
        else if (broke && !(await this.#ask())) {
          // An upload that ended without our seeing it may have ended well.
          if (await this.#arrived()) return;
          continue;
        }
        broke = false;
        if (await this.#transfer()) return;
        if (this.#advanced()) retry.progress();
      } catch (error) {
        broke = true;
        if (await this.#adapt(error)) continue;
        await retry.after(error, this.#signal);
        // Smaller pieces have better chances.
        this.#shrink();
      }
    }
  }

  /** Gives the space back at the registry. Never throws: who asks is leaving for another reason. */
  async cancel(): Promise<void> {
    if (this.#location !== undefined) await this.#cancel(this.#location);
  }

  /** Opens an upload, or mounts. @returns whether it was mounted */
  async #begin(query: string, scope: string): Promise<boolean> {
    const begun = await beginUpload(this.#session, { path: this.#path, query, scope }, this.#signal);
    this.#location = begun?.location;
    if (begun === undefined) return true;
    this.#offset = 0;
    this.#pieceBytes = Math.max(this.#pieceBytes, begun.leastPieceBytes);
    return false;
  }

  /** Sends what is left. @returns false when only the next piece was sent */
  async #transfer(): Promise<boolean> {
    if (!this.#inPieces && this.#offset === 0) {
      await this.#finish(this.#blob.size);
      return true;
    }
    if (this.#offset === this.#blob.size) {
      await this.#finish(0);
      return true;
    }
    await this.#piece();
    return false;
  }

  /** PATCH. The Range of the answer is not believed: there are registries where it stands still. */
  async #piece(): Promise<void> {
    const count = Math.min(this.#pieceBytes, this.#blob.size - this.#offset);
    const response = await this.#session.send({
      method: 'PATCH',
      url: this.#location!,
      headers: {
        'content-type': 'application/octet-stream',
        'content-length': String(count),
        'content-range': `${this.#offset}-${this.#offset + count - 1}`,
      },
      body: () => this.#bytes(count),
      scope: this.#scope,
      signal: this.#signal,
    });
    if (response.status !== 202 && response.status !== 204) throw await registryFault(response);
    this.#move(response);
    await response.discard();
    this.#offset += count;
  }

  /** With the last `count` bytes. */
  async #finish(count: number): Promise<void> {
    const { digest } = this.#blob;
    const last = count === 0 ? undefined : { size: count, open: () => this.#bytes(count) };
    await finishUpload(this.#session, { location: this.#location!, scope: this.#scope, digest }, last, this.#signal);
    this.#location = undefined;
  }

  /** Learns how much of it the registry has. @returns false when the upload is gone and must begin anew */
  async #ask(): Promise<boolean> {
    const url = this.#location!;
    const response = await this.#session.send({ method: 'GET', url, scope: this.#scope, signal: this.#signal });
    await response.discard();
    const end = Number(/^(?:bytes=)?0-(\d+)$/.exec(response.headers['range'] ?? '')?.[1] ?? 0);
    const known = response.status >= 200 && response.status < 300 && end < this.#blob.size;
    if (!known || this.#wholeOnly) {
      this.#location = undefined;
      return false;
    }
    // "0-0" is how an empty upload is told, too.
    this.#offset = end === 0 ? 0 : end + 1;
    if (this.#offset > 0) this.#inPieces = true;
    if (response.headers['location'] !== undefined) this.#move(response);
    return true;
  }

  /** Whether the registry now has more of it than ever before. */
  #advanced(): boolean {
    if (this.#offset <= this.#furthest) return false;
    this.#furthest = this.#offset;
    return true;
  }

  /** Changes the way of sending after a refusal that is about the way. @returns whether there is another to try */
  async #adapt(error: unknown): Promise<boolean> {
    if (!(error instanceof RegistryFault) || this.#wholeOnly || error.status < 400 || error.status > 499) return false;
    if ([401, 403, 408, 429].includes(error.status)) return false;
    if (error.status === 413 && this.#shrink()) {
      this.#inPieces = true;
      return true;
    }
    if (!this.#inPieces) return false;
    if (error.status === 404 && this.#offset > 0 && ++this.#losses < this.#options.attempts) {
      // Pieces were taken; the registry forgot the upload between two of them.
      this.#location = undefined;
      return true;
    }
    // Pieces are not understood here, or did not add up: all at once, then.
    await this.cancel();
    this.#location = undefined;
    this.#offset = 0;
    this.#inPieces = false;
    this.#wholeOnly = true;
    return true;
  }

  /** Halves what is sent at once. @returns whether that was possible */
  #shrink(): boolean {
    const now = Math.min(this.#pieceBytes, this.#blob.size);
    if (now <= leastPieceBytes) return false;
    this.#pieceBytes = Math.max(leastPieceBytes, Math.ceil(now / 2));
    return true;
  }

  async #arrived(): Promise<boolean> {
    const url = this.#session.url(`/v2/${this.#path}/blobs/${this.#blob.digest}`);
    const response = await this.#session.send({ method: 'HEAD', url, scope: this.#scope, signal: this.#signal });
    await response.discard();
    return response.status === 200;
  }

  #move(response: HttpResponse): void {
    this.#location = nextLocation(this.#session, response);
  }

  #bytes(count: number): AsyncIterable<Uint8Array> {
    return Readable.from(firstBytes(this.#blob.open(this.#offset), count), { objectMode: false });
  }

  #cancel(location: string): Promise<void> {
    return cancelUpload(this.#session, { location, scope: this.#scope });
  }
}

async function* firstBytes(source: AsyncIterable<Uint8Array>, count: number): AsyncGenerator<Uint8Array, void, void> {
  let left = count;
  if (left === 0) return;
  for await (const chunk of source) {
    const piece = chunk.length > left ? chunk.subarray(0, left) : chunk;
    left -= piece.length;
    yield piece;
    if (left === 0) return;
  }
}
