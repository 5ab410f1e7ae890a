/**
 * A hijacked connection: raw bytes in both directions, each direction ended on its own. Bytes that arrived behind the request
 * come first from `read`. Closed by whoever serves it: `finish` for an orderly end, `destroy` otherwise.
 */
import type { Socket } from 'node:net';
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises';
import { isTaken } from '../../linux/index.ts';
import type { Input } from './input.ts';
import type { Output } from './output.ts';

/** How long a client may take to close its side after ours has ended. */
const lingerMs = 5_000;

/** How long what follows the head is held back for a client that is slow to read it. */
const headMs = 500;

export class RawStream {
  readonly #socket: Socket;
  readonly #input: Input;
  readonly #output: Output;

  constructor(socket: Socket, input: Input, output: Output) {
    this.#socket = socket;
    this.#input = input;
    this.#output = output;
  }

  /** The client's next bytes; undefined when it half-closed or closed. */
  read(): Promise<Buffer | undefined> {
    return this.#input.read();
  }

  /** Resolves when there is room for more. @throws ClientGone */
  write(...pieces: readonly (Uint8Array | string)[]): Promise<void> | void {
    return this.#output.stream(...pieces);
  }

  /**
   * Resolves when the client has read what it was sent, or is too slow for that. Some clients (docker-py) read the head through a buffer and
   * go on without it: bytes that come together with the head are lost to them. Only a unix socket tells.
   */
  async headTaken(): Promise<void> {
    const descriptor = (this.#socket as Socket & { _handle?: { fd?: number } | null })._handle?.fd;
    if (descriptor === undefined || descriptor < 0 || this.#socket.remoteAddress !== undefined) return;
    const end = performance.now() + headMs;
    for (let round = 0; isTaken(descriptor) === false && !this.#socket.destroyed && performance.now() < end; round++)
      await (round < 5 ? turn() : sleep(1));
  }

  /** The connection is closed in both directions: nothing written will arrive. */
  get closed(): boolean {
    return this.#socket.destroyed;
  }

  /** Calls `listener` once when the connection closes in both directions (at once if it has). */
  onClose(listener: () => void): void {
    if (this.#socket.destroyed) listener();
    else this.#socket.once('close', listener);
  }

  /** Half-closes our side and reads on until the client closes its own, so that neither loses what is under way; then closes. */
  async finish(patienceMs = lingerMs): Promise<void> {
    const socket = this.#socket;
    if (socket.destroyed) return;
    const emptied = this.#discardInput();
    if (!socket.writableEnded) socket.end();
    if (!socket.writableFinished) {
      await new Promise<void>((resolve) => {
        socket.once('finish', resolve);
        socket.once('close', resolve);
      });
    }
    const timer = setTimeout(() => socket.destroy(), patienceMs);
    await emptied;
    clearTimeout(timer);
    socket.destroy();
  }

  async #discardInput(): Promise<void> {
    while ((await this.#input.read()) !== undefined);
  }

  destroy(): void {
    this.#socket.destroy();
  }
}
