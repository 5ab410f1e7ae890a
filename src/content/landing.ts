/** How far a blob on its way in has come, for those who read it meanwhile. */
import { open } from 'node:fs/promises';
import { Fault } from '../std/index.ts';

const pieceSize = 256 * 1024;

/** The blob that was being read while it came never became whole: its bytes were wrong, or the transfer was given up. */
export class LandingFault extends Fault {
  constructor() {
    super('unavailable', 'Cannot read the blob: it did not become whole');
    this.name = 'LandingFault';
  }
}

export class Landing {
  readonly #path: string;
  #landed: number;
  #end: 'whole' | 'gone' | undefined;
  #changed = Promise.withResolvers<void>();

  /** @param landed bytes that are in the file already */
  constructor(path: string, landed: number) {
    this.#path = path;
    this.#landed = landed;
  }

  advance(bytes: number): void {
    this.#landed += bytes;
    this.#wake();
  }

  /** whole: verified, and named. gone: it will not become so. The first call counts. */
  end(how: 'whole' | 'gone'): void {
    this.#end ??= how;
    this.#wake();
  }

  #wake(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }

  /** All bytes from the first on, as they land; ends when the blob has been verified. @throws LandingFault when it will not be */
  async *read(signal?: AbortSignal): AsyncGenerator<Uint8Array, void, void> {
    // Opened at once, under the name it has while it lands; what follows needs no name.
    const file = await open(this.#path, 'r').catch(() => undefined);
    if (file === undefined) throw new LandingFault();
    const aborted = Promise.withResolvers<void>();
    signal?.addEventListener('abort', () => aborted.resolve(), { once: true });
    try {
      for (let at = 0; ; ) {
        signal?.throwIfAborted();
        if (at < this.#landed && this.#end !== 'gone') {
          const piece = Buffer.allocUnsafe(Math.min(pieceSize, this.#landed - at));
          const { bytesRead } = await file.read(piece, 0, piece.length, at);
          if (bytesRead === 0) throw new LandingFault();
          at += bytesRead;
          yield piece.subarray(0, bytesRead);
          continue;
        }
        if (this.#end === 'whole') return;
        if (this.#end === 'gone') throw new LandingFault();
        await Promise.race([this.#changed.promise, aborted.promise]);
      }
    } finally {
      await file.close();
    }
  }
}
