/**
 * One blob on its way from upstream, and everybody who reads it meanwhile, each at a place and pace of his own: bytes go from the
 * network to a file, and from the file to readers. Nobody gets the last byte before the whole is known to be the blob: who reads to
 * the end either has it, or sees his stream break.
 */
import type { Blob } from '../content/index.ts';
import { Fault } from '../std/index.ts';
import type { Part } from './part.ts';

/** From `start` up to, without, `end`. */
export interface Span {
  start: number;
  end: number;
}

export interface TransferSource {
  openPart(): Promise<Part>;
  /** The bytes from `start` on. */
  fetch(start: number, signal: AbortSignal): AsyncIterable<Uint8Array>;
  /** The verified part becomes the blob. It can be read by `stored` when this returns. */
  land(part: Part): Promise<void>;
  stored(start: number, signal: AbortSignal): AsyncIterable<Uint8Array>;
  /** What came is of no use: it is not the blob. */
  useless(error: unknown): boolean;
}

const pieceSize = 128 << 10;
/** When everybody left, so little more is fetched all the same. */
const nearlyBytes = 8 << 20;
const nearlyShare = 0.1;

export class Transfer {
  readonly blob: Blob;
  /** Settles when it is over; never rejects. */
  readonly done: Promise<void>;
  readonly #source: TransferSource;
  readonly #controller = new AbortController();
  readonly #waiting = new Set<() => void>();
  #part: Part | undefined;
  #state: 'open' | 'landed' | { error: unknown } = 'open';
  #readers = 0;

  constructor(blob: Blob, source: TransferSource) {
    this.blob = blob;
    this.#source = source;
    this.done = this.#run();
  }

  /** Whether it was given up, for nobody wanted it any more. */
  get abandoned(): boolean {
    return this.#controller.signal.aborted;
  }

  /** It brings nobody the blob any more: who comes now waits until it is done, and begins another. */
  get over(): boolean {
    return this.abandoned || typeof this.#state === 'object';
  }

  /** What it failed with. */
  get failure(): unknown {
    return typeof this.#state === 'object' ? this.#state.error : undefined;
  }

  abort(reason: unknown): void {
    this.#controller.abort(reason);
  }

  /** @throws what the transfer failed with; the signal's reason. Leaving counts from the first step on. */
  async *read({ start, end }: Span, signal: AbortSignal): AsyncGenerator<Uint8Array, void, void> {
    this.#readers++;
    try {
      for (let at = start; at < end || (end === this.blob.size && this.#state !== 'landed'); ) {
        signal.throwIfAborted();
        if (typeof this.#state === 'object') throw this.#state.error;
        if (this.#state === 'landed') {
          yield* firstBytes(this.#source.stored(at, signal), end - at);
          return;
        }
        const piece = await this.#piece(at, end);
        if (piece !== undefined) {
          at += piece.length;
          yield piece;
        } else if (this.#state === 'open' && this.#readable(end) <= at) await this.#change(signal);
      }
    } finally {
      this.#readers--;
      if (this.#readers === 0 && this.#state === 'open' && !this.#nearlyDone()) {
        this.abort(new Error('nobody wants the blob any more'));
      }
    }
  }

  /** How far may be read now by one who wants to read up to `end`. */
  #readable(end: number): number {
    return Math.min(end, this.#part?.received ?? 0, end < this.blob.size ? end : this.blob.size - 1);
  }

  async #piece(at: number, end: number): Promise<Uint8Array | undefined> {
    const most = Math.min(this.#readable(end) - at, pieceSize);
    if (most <= 0 || this.#part === undefined || this.#state !== 'open') return undefined;
    const piece = await this.#part.read(at, most);
    if (piece.length === 0) throw new Fault('internal', `Cannot read blob ${this.blob.digest}: its file was cut`);
    return piece;
  }

  #nearlyDone(): boolean {
    const left = this.blob.size - (this.#part?.received ?? 0);
    return left <= Math.max(nearlyBytes, this.blob.size * nearlyShare);
  }

  /** Resolves when there is more to read, or an end. */
  #change(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const wake = (): void => {
        signal.removeEventListener('abort', leave);
        resolve();
      };
      const leave = (): void => {
        this.#waiting.delete(wake);
        reject(signal.reason as Error);
      };
      this.#waiting.add(wake);
      signal.addEventListener('abort', leave, { once: true });
    });
  }

  #tell(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const wake of waiting) wake();
  }

  async #run(): Promise<void> {
    const { signal } = this.#controller;
    try {
      await using part = await this.#source.openPart();
      this.#part = part;
      try {
        this.#tell();
        for await (const chunk of this.#source.fetch(part.received, signal)) {
          await part.write(chunk);
          this.#tell();
        }
        signal.throwIfAborted();
        await part.seal();
        await this.#source.land(part);
        this.#state = 'landed';
      } catch (error) {
        // Before the part is closed: nobody reads from it any more.
        this.#state = { error };
        if (this.#source.useless(error)) await part.discard();
      }
    } catch (error) {
      if (this.#state === 'open') this.#state = { error };
    } finally {
      this.#tell();
    }
  }
}

/** Of a stream, so many bytes. */
export async function* firstBytes(
  bytes: AsyncIterable<Uint8Array>,
  most: number,
): AsyncGenerator<Uint8Array, void, void> {
  let left = most;
  if (left <= 0) return;
  for await (const chunk of bytes) {
    yield chunk.length <= left ? chunk : chunk.subarray(0, left);
    left -= chunk.length;
    if (left <= 0) return;
  }
}
