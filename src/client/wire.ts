/** One byte stream, read by pulling and written with backpressure. Reads at most a few chunks ahead. */
import type { Duplex } from 'node:stream';
import { Fault, messageOf } from '../std/index.ts';

const readAhead = 1 << 20;

export class Wire {
  readonly #stream: Duplex;
  readonly #chunks: Buffer[] = [];
  #held = 0;
  #ended = false;
  #failure: Error | undefined;
  #wake: (() => void) | undefined;

  constructor(stream: Duplex) {
    this.#stream = stream;
    stream.on('data', this.#take);
    stream.on('end', this.#end);
    stream.on('error', this.#fail);
    stream.on('close', this.#end);
  }

  readonly #take = (chunk: Buffer): void => {
    this.#chunks.push(chunk);
    this.#held += chunk.length;
    if (this.#held > readAhead) this.#stream.pause();
    this.#wake?.();
  };

  readonly #end = (): void => {
    this.#ended = true;
    this.#wake?.();
  };

  readonly #fail = (error: Error): void => {
    this.#failure = error;
    this.#end();
  };

  /** The stream itself, with what was read ahead put back. This wire is not used afterwards. */
  release(): Duplex {
    const stream = this.#stream;
    stream.on('error', () => {});
    stream.off('data', this.#take);
    stream.off('end', this.#end);
    stream.off('error', this.#fail);
    stream.off('close', this.#end);
    stream.pause();
    const ahead = Buffer.concat(this.#chunks.splice(0));
    if (ahead.length > 0) stream.unshift(ahead);
    return stream;
  }

  /** The next bytes, or undefined at the end. @throws Fault unavailable when the connection broke. */
  async read(): Promise<Buffer | undefined> {
    for (;;) {
      const chunk = this.#chunks.shift();
      if (chunk !== undefined) {
        this.#held -= chunk.length;
        if (this.#held <= readAhead && this.#stream.isPaused()) this.#stream.resume();
        return chunk;
      }
      if (this.#failure !== undefined) throw this.#broken(this.#failure);
      if (this.#ended) return undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = undefined;
    }
  }

  /** Puts bytes back to the front. */
  unread(chunk: Buffer): void {
    if (chunk.length === 0) return;
    this.#chunks.unshift(chunk);
    this.#held += chunk.length;
  }

  /** Resolves when more may be written. */
  async write(bytes: Uint8Array | string): Promise<void> {
    if (this.#failure !== undefined) throw this.#broken(this.#failure);
    if (this.#stream.destroyed || this.#stream.writableEnded)
      throw new Fault('unavailable', 'the connection is closed');
    if (this.#stream.write(bytes)) return;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        this.#stream.off('drain', done);
        this.#stream.off('close', done);
        resolve();
      };
      this.#stream.on('drain', done);
      this.#stream.on('close', done);
    });
  }

  /** Half-close: no more comes from us, the other side may go on. */
  endWriting(): void {
    if (!this.#stream.writableEnded) this.#stream.end();
  }

  destroy(): void {
    this.#stream.destroy();
  }

  get usable(): boolean {
    return !this.#ended && !this.#stream.destroyed && !this.#stream.writableEnded;
  }

  /** Whether the process stays alive for this connection. */
  hold(on: boolean): void {
    const handle = this.#stream as Partial<{ ref(): void; unref(): void }>;
    if (on) handle.ref?.();
    else handle.unref?.();
  }

  #broken(error: Error): Error {
    return error instanceof Fault
      ? error
      : new Fault('unavailable', `error during connect: ${messageOf(error)}`, { cause: error });
  }
}
