/**
 * The bytes one client sends, pulled. Reading goes on while a request is served, so that a client that leaves is noticed, but
 * never more than `highWater` bytes ahead. Knows no HTTP: request heads, bodies and hijacked stdin all read from here.
 */
import type { Socket } from 'node:net';

const highWater = 128 * 1024;
/** What a piece takes beside its bytes, about: a client that sends single bytes must not fill the memory with buffers. */
const pieceCost = 256;

/** Nothing came for longer than a client may take. */
export class ClientStalled extends Error {
  constructor() {
    super('the client sends nothing');
    this.name = 'ClientStalled';
  }
}

/** The client closed the connection, or half-closed it in the middle of what it had begun to say. */
export class ClientGone extends Error {
  constructor(message = 'the client closed the connection') {
    super(message);
    this.name = 'ClientGone';
  }
}

export class Input {
  readonly #socket: Socket;
  #chunks: Buffer[] = [];
  #size = 0;
  #paused = false;
  #finished = false;
  #waiters: (() => void)[] = [];
  /** Called once when the client has said its last word: it half-closed, closed or broke off. */
  onFinish: (() => void) | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => this.#push(chunk));
    socket.on('end', () => this.#finish());
    socket.on('close', () => this.#finish());
    socket.on('error', () => this.#finish());
  }

  /** No more bytes will come than those already buffered. */
  get finished(): boolean {
    return this.#finished;
  }

  /** Bytes that are here now, without waiting. */
  get buffered(): number {
    return this.#size;
  }

  /** The next bytes, as many as are there; undefined after the last. @throws ClientStalled when none come for `patienceMs` */
  async read(patienceMs?: number): Promise<Buffer | undefined> {
    while (this.#chunks.length === 0) {
      if (this.#finished) return undefined;
      if (patienceMs === undefined) await new Promise<void>((resolve) => this.#waiters.push(resolve));
      else if (!(await this.#wakes(patienceMs))) throw new ClientStalled();
    }
    const chunk = this.#chunks.shift()!;
    this.#size -= chunk.length;
    if (this.#paused && !this.#full) {
      this.#paused = false;
      this.#socket.resume();
    }
    return chunk;
  }

  /** Gives back bytes that were read too far. */
  unread(chunk: Buffer): void {
    if (chunk.length === 0) return;
    this.#chunks.unshift(chunk);
    this.#size += chunk.length;
  }

  get #full(): boolean {
    return this.#size + this.#chunks.length * pieceCost >= highWater;
  }

  /** Whether something happened in time. */
  async #wakes(patienceMs: number): Promise<boolean> {
    if (patienceMs <= 0) return false;
    let late = false;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => {
        late = true;
        resolve();
      }, patienceMs);
      this.#waiters.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
    return !late;
  }

  #push(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#size += chunk.length;
    if (this.#full && !this.#paused) {
      this.#paused = true;
      this.#socket.pause();
    }
    this.#wake();
  }

  #finish(): void {
    if (this.#finished) return;
    this.#finished = true;
    this.#wake();
    this.onFinish?.();
  }

  #wake(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) waiter();
  }
}
