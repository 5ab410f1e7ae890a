/** A blob on its way in: bytes are hashed as they are written, and get a blob's name only when they are that blob. */
import { type FileHandle, rm } from 'node:fs/promises';
import type { Digest, Digester } from '../oci/index.ts';
import { asBuffer, Fault } from '../std/index.ts';

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
  /** Verifies, syncs and names the blob. @throws Fault invalid and drops the bytes when they are not the blob */
  commit(): Promise<Blob>;
  /** Throws away what has been written. */
  discard(): Promise<void>;
}

/** Gives a verified, synced file its name. */
export type Adopt = (path: string, digest: Digest, hold: Hold | undefined) => Promise<void>;

export class PartWriter implements Ingest {
  readonly offset: number;
  readonly #adopt: Adopt;
  readonly #path: string;
  readonly #options: IngestOptions;
  readonly #digester: Digester;
  readonly #release: () => void;
  #file: FileHandle | undefined;

  constructor(
    adopt: Adopt,
    path: string,
    file: FileHandle,
    options: IngestOptions,
    digester: Digester,
    offset: number,
    release: () => void = () => {},
  ) {
    this.#adopt = adopt;
    this.#path = path;
    this.#file = file;
    this.#options = options;
    this.#digester = digester;
    this.offset = offset;
    this.#release = release;
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
    this.#digester.update(data);
    for (let at = 0; at < data.length; ) at += (await this.#file.write(data, at)).bytesWritten;
  }

  async commit(): Promise<Blob> {
    if (this.#file === undefined) throw new Fault('internal', 'Cannot store blob: it is closed');
    const { digest: wanted, size: wantedSize, hold } = this.#options;
    const size = this.#digester.size;
    const digest = this.#digester.digest();
    const wrongSize = wantedSize !== undefined && size !== wantedSize;
    if (wrongSize || (wanted !== undefined && digest !== wanted)) {
      await this.discard();
      const detail = wrongSize ? `expected ${wantedSize} bytes, got ${size}` : `its content is ${digest}`;
      throw new Fault('invalid', `Cannot store blob ${wanted ?? digest}: ${detail}`);
    }
    await this.#file.datasync();
    await this.#close();
    await this.#adopt(this.#path, digest, hold);
    return { digest, size };
  }

  async discard(): Promise<void> {
    await this.#close();
    await rm(this.#path, { force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#close();
  }

  async #close(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.close();
    this.#release();
  }
}
