/**
 * An upload that goes on while its blob is still being made, as Docker's push does: one PATCH of unknown length (RFC 9112 chunks)
 * takes the bytes as they come, and the PUT at its end names the digest. It is only a head start: what fails here is told by
 * `finish`, and the blob then goes the patient way of `uploadBlob`.
 */
import { PassThrough } from 'node:stream';
import type { Digest } from '../oci/index.ts';
import { registryFault } from './fault.ts';
import type { Session } from './session.ts';
import { beginUpload, cancelUpload, finishUpload, nextLocation, uploadScope } from './upload-requests.ts';

export interface AheadUpload {
  /** The next bytes. Waits while the registry is slow; ends at once when the upload has failed. Never throws. */
  write(chunk: Uint8Array): Promise<void>;
  /** After the last bytes. @returns whether the registry has the blob now; never throws */
  finish(digest: Digest): Promise<boolean>;
  /** The blob will not be whole: ends the upload at the registry. Never throws. */
  cancel(): Promise<void>;
}

export interface AheadOptions {
  /** A registry that takes nothing for so long is not waited for. */
  stallMs: number;
}

/** What is made faster than it is taken. */
const bufferBytes = 8 << 20;

export function uploadAhead(
  session: Promise<Session>,
  path: string,
  options: AheadOptions,
  signal: AbortSignal,
): AheadUpload {
  return new Ahead(session, path, options, signal);
}

class Ahead implements AheadUpload {
  readonly #pipe = new PassThrough({ highWaterMark: bufferBytes });
  readonly #given = new AbortController();
  readonly #signal: AbortSignal;
  readonly #options: AheadOptions;
  readonly #scope: string;
  /** Where the upload goes on after its bytes; undefined when they did not all arrive. */
  readonly #sent: Promise<{ session: Session; location: string } | undefined>;
  #open: { session: Session; location: string } | undefined;

  constructor(session: Promise<Session>, path: string, options: AheadOptions, signal: AbortSignal) {
    this.#options = options;
    this.#scope = uploadScope(path);
    this.#signal = AbortSignal.any([signal, this.#given.signal]);
    // What breaks the pipe is told by the request that reads it.
    this.#pipe.on('error', () => {});
    this.#sent = this.#send(session, path).catch(() => {
      this.#giveUp();
      return undefined;
    });
  }

  async #send(opening: Promise<Session>, path: string): Promise<{ session: Session; location: string }> {
    const signal = this.#signal;
    const session = await opening;
    const begun = await beginUpload(session, { path, query: '', scope: this.#scope }, signal);
    if (begun === undefined) throw new Error('nothing was opened');
    this.#open = { session, location: begun.location };
    let bodies = 0;
    const response = await session.send({
      method: 'PATCH',
      url: begun.location,
      headers: { 'content-type': 'application/octet-stream' },
      body: () => {
        // These bytes come once: after a redirect or for a new token there are none to repeat.
        if (bodies++ > 0) throw new Error('cannot be sent again');
        return this.#pipe;
      },
      scope: this.#scope,
      signal,
    });
    if (response.status !== 202 && response.status !== 204) throw await registryFault(response);
    this.#open = { session, location: nextLocation(session, response) };
    await response.discard();
    // An answer before the end of the bytes cannot be about all of them.
    if (!this.#pipe.writableFinished) throw new Error('answered too early');
    return this.#open;
  }

  async write(chunk: Uint8Array): Promise<void> {
    if (this.#given.signal.aborted || this.#pipe.write(chunk)) return;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#pipe.off('drain', done);
        this.#given.signal.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(() => this.#giveUp(), this.#options.stallMs);
      this.#pipe.on('drain', done);
      this.#given.signal.addEventListener('abort', done);
    });
  }

  async finish(digest: Digest): Promise<boolean> {
    this.#pipe.end();
    const sent = await this.#sent;
    if (sent !== undefined) {
      const { session, location } = sent;
      const done = await finishUpload(session, { location, scope: this.#scope, digest }, undefined, this.#signal)
        .then(() => true)
        .catch(() => false);
      if (done) return true;
    }
    await this.cancel();
    return false;
  }

  async cancel(): Promise<void> {
    this.#giveUp();
    await this.#sent;
    if (this.#open !== undefined) await cancelUpload(this.#open.session, { ...this.#open, scope: this.#scope });
    this.#open = undefined;
  }

  #giveUp(): void {
    this.#given.abort();
    this.#pipe.destroy();
  }
}
