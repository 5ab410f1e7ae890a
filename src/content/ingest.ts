/** A blob on its way in: bytes are hashed as they are written, and get a blob's name only when they are that blob. */
import { closeSync, rmSync, write, writeSync } from 'node:fs';
import { promisify } from 'node:util';
import type { Digest, Digester } from '../oci/index.ts';
import { asBuffer, datasync, Fault, isDiskFull } from '../std/index.ts';
import { Landing } from './landing.ts';

const writeLater = promisify(write);

/** A blob's first bytes are written at once: most blobs have no more, and the way to the thread pool costs more than they do. */
const atOnce = 256 * 1024;

export interface Blob {
  digest: Digest;
  size: number;
}

/** Keeps blobs from `collect` until disposed. */
export interface Hold extends Disposable {
  add(digest: Digest): void;
}

export interface IngestOptions {
  /** What the bytes must hash to. @throws Fault invalid when they do not */
  digest?: Digest | undefined;
  /** How many bytes must come; more is refused as soon as it is seen. */
  size?: number | undefined;
  /** Holds the blob from the moment it exists. */
  hold?: Hold | undefined;
}

/** A blob on its way in, bytes hashed as they are written. Close it, whatever happens; a kept part can be resumed. */
export interface Ingest extends AsyncDisposable {
  /** Bytes there already: ask the source for the rest. */
  readonly offset: number;
  write(chunk: Uint8Array): Promise<void>;
  /** All bytes from the first on, as they land; ends when the blob has been verified. @throws LandingFault when it never is */
  follow(signal?: AbortSignal): AsyncIterable<Uint8Array>;
  /** Verifies, syncs and names the blob. @throws Fault invalid and drops the bytes when they are not the blob */
  commit(): Promise<Blob>;
  /** Throws away what has been written. */
  discard(): Promise<void>;
}

/** What the store lends to a writer. */
export interface IngestPlace {
  path: string;
  /** Bytes are about to be written. @throws Fault when the disk is too full for them */
  spend(bytes: number): void;
  /** A write failed for want of space. */
  full(): void;
  /** Gives the verified, synced file its name. */
  adopt(blob: Blob): Promise<void>;
  /** The file is closed, under its new name or its old one, or deleted. */
  release(): void;
}

export class PartWriter implements Ingest {
  readonly offset: number;
  readonly #place: IngestPlace;
  readonly #options: IngestOptions;
  readonly #digester: Digester;
  readonly #landing: Landing;
  #file: number | undefined;
  #writing: Promise<unknown> | undefined;
  #released = false;

  /** `file`: an open descriptor, from here on the writer's. */
  constructor(place: IngestPlace, file: number, options: IngestOptions, digester: Digester) {
    this.#place = place;
    this.#file = file;
    this.#options = options;
    this.#digester = digester;
    this.offset = digester.size;
    this.#landing = new Landing(place.path, digester.size);
  }

  async write(chunk: Uint8Array): Promise<void> {
    if (this.#file === undefined) throw new Fault('internal', 'Cannot write blob: it is closed');
    const { size } = this.#options;
    if (size !== undefined && this.#digester.size + chunk.length > size) {
      await this.discard();
      throw new Fault(
        'invalid',
        `Cannot store blob ${this.#options.digest ?? ''}: more than the ${size} bytes it should have`,
      );
    }
    const data = asBuffer(chunk);
    const file = this.#file;
    try {
      this.#place.spend(data.length);
      const isSmall = this.#digester.size + data.length <= atOnce;
      for (let at = 0; at < data.length; )
        at += isSmall ? writeSync(file, data, at) : await this.#later(file, data, at);
    } catch (error) {
      // What the file holds is no longer what the digester has seen; and a full disk wants its bytes back.
      await this.discard();
      if (isDiskFull(error)) this.#place.full();
      throw error;
    }
    this.#digester.update(data);
    this.#landing.advance(data.length);
  }

  async #later(file: number, data: Uint8Array, at: number): Promise<number> {
    const writing = writeLater(file, data, at);
    this.#writing = writing;
    const { bytesWritten } = await writing;
    this.#writing = undefined;
    return bytesWritten;
  }

  follow(signal?: AbortSignal): AsyncIterable<Uint8Array> {
    return this.#landing.read(signal);
  }

  async commit(): Promise<Blob> {
    if (this.#file === undefined) throw new Fault('internal', 'Cannot store blob: it is closed');
    const { digest: wanted, size: wantedSize } = this.#options;
    const size = this.#digester.size;
    const digest = this.#digester.digest();
    const wrongSize = wantedSize !== undefined && size !== wantedSize;
    if (wrongSize || (wanted !== undefined && digest !== wanted)) {
      await this.discard();
      const detail = wrongSize ? `expected ${wantedSize} bytes, got ${size}` : `its content is ${digest}`;
      throw new Fault('invalid', `Cannot store blob ${wanted ?? digest}: ${detail}`);
    }
    try {
      await datasync(this.#file);
      this.#closeFile();
      await this.#place.adopt({ digest, size });
    } catch (error) {
      await this.discard();
      throw error;
    }
    this.#landing.end('whole');
    this.#release();
    return { digest, size };
  }

  async discard(): Promise<void> {
    if (this.#released) return;
    this.#closeFile();
    rmSync(this.#place.path, { force: true });
    this.#release();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#digester.size === 0) return this.discard();
    this.#closeFile();
    this.#release();
  }

  /** Once: the next ingest of the same blob may have the place already. */
  #release(): void {
    if (this.#released) return;
    this.#released = true;
    this.#landing.end('gone');
    this.#place.release();
  }

  #closeFile(): void {
    const file = this.#file;
    this.#file = undefined;
    if (file === undefined) return;
    // A descriptor that is closed under a write may be another file's by then.
    if (this.#writing === undefined) closeSync(file);
    else this.#writing.finally(() => closeSync(file)).catch(() => {});
  }
}
