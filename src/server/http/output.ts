/** The bytes one client is sent: writes wait while the client is slow, and fail once it is gone. */
import type { Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { ClientGone } from './input.ts';

const piecesPerTurn = 32;

export class Output {
  readonly #socket: Socket;
  #waiters: (() => void)[] = [];
  #streamed = 0;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('drain', () => this.#wake());
    socket.on('close', () => this.#wake());
  }

  /** As `write`, for one of many pieces: those of a stream that has them all at hand must not keep everybody else waiting. @throws ClientGone */
  stream(...pieces: readonly (Uint8Array | string)[]): Promise<void> | void {
    const room = this.write(...pieces);
    return room ?? (++this.#streamed % piecesPerTurn === 0 ? turn() : undefined);
  }

  /** Resolves when there is room for more. @throws ClientGone */
  write(...pieces: readonly (Uint8Array | string)[]): Promise<void> | void {
    const socket = this.#socket;
    if (socket.destroyed || socket.writableEnded) throw new ClientGone();
    if (pieces.length > 1) socket.cork();
    let room = true;
    for (const piece of pieces) room = typeof piece === 'string' ? socket.write(piece, 'utf8') : socket.write(piece);
    if (pieces.length > 1) socket.uncork();
    if (!room && socket.writableNeedDrain) return this.#drained();
  }

  async #drained(): Promise<void> {
    await new Promise<void>((resolve) => this.#waiters.push(resolve));
    if (this.#socket.destroyed) throw new ClientGone();
  }

  #wake(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) waiter();
  }
}
