/**
 * A blob on its way in, in a file that is read while it grows. What a transfer that broke left is taken up again; at its end the bytes
 * are checked against the digest, and only then are they the blob.
 */
import { type FileHandle, open, rm } from 'node:fs/promises';
import type { Blob } from '../content/index.ts';
import { digestAlgorithm, Digester } from '../oci/index.ts';
import { asBuffer, Fault, type SpaceGuard } from '../std/index.ts';

const pieceSize = 256 << 10;

export class Part implements AsyncDisposable {
  readonly path: string;
  readonly #blob: Blob;
  readonly #file: FileHandle;
  readonly #guard: SpaceGuard;
  #digester: Digester;
  #open = true;

  private constructor(path: string, blob: Blob, file: FileHandle, guard: SpaceGuard) {
    this.path = path;
    this.#blob = blob;
    this.#file = file;
    this.#guard = guard;
    this.#digester = new Digester(digestAlgorithm(blob.digest));
  }

  /** One at a time may have a path open. */
  static async open(path: string, blob: Blob, guard: SpaceGuard): Promise<Part> {
    const part = new Part(path, blob, await open(path, 'a+', 0o600), guard);
    try {
      await part.#resume();
      return part;
    } catch (error) {
      await part[Symbol.asyncDispose]();
      throw error;
    }
  }

  async #resume(): Promise<void> {
    const { size } = await this.#file.stat();
    if (size > this.#blob.size) await this.#file.truncate(0);
    for (let piece = await this.read(0, pieceSize); piece.length > 0; piece = await this.read(this.received, pieceSize))
      this.#digester.update(piece);
  }

  /** Bytes that are here. */
  get received(): number {
    return this.#digester.size;
  }

  /** @throws Fault invalid for more than the blob has; of a disk that is full */
  async write(chunk: Uint8Array): Promise<void> {
    if (this.received + chunk.length > this.#blob.size) {
      throw new Fault('invalid', `Cannot fetch blob ${this.#blob.digest}: more than its ${this.#blob.size} bytes came`);
    }
    this.#guard.spend(chunk.length);
    const data = asBuffer(chunk);
    for (let at = 0; at < data.length; ) at += (await this.#file.write(data, at)).bytesWritten;
    this.#digester.update(data);
  }

  /** At most `most` bytes from `at` on; fewer, or none, where there are no more. */
  async read(at: number, most: number): Promise<Uint8Array> {
    const buffer = Buffer.allocUnsafe(Math.min(most, pieceSize));
    const { bytesRead } = await this.#file.read(buffer, 0, buffer.length, at);
    return buffer.subarray(0, bytesRead);
  }

  /** Makes sure that it is the blob, and on disk. @throws Fault invalid when it is not */
  async seal(): Promise<void> {
    const { digest, size } = this.#blob;
    const received = this.received;
    const found = this.#digester.digest();
    if (received !== size || found !== digest) {
      const detail = received === size ? `its content is ${found}` : `${received} of ${size} bytes came`;
      throw new Fault('invalid', `Cannot fetch blob ${digest}: ${detail}`);
    }
    await this.#file.datasync();
  }

  /** Throws away what came: it is of no use. */
  async discard(): Promise<void> {
    await rm(this.path, { force: true });
  }

  /** Closes it; what came stays for the next transfer. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    await this.#file.close();
  }
}
