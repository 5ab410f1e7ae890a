/**
 * How many connections are held at once: never so many that no descriptor is left to start a container with. Beyond that, those that only
 * wait for a next request are closed, the longest waiting first; where all are at work, newcomers are told so, or cut when they are too many.
 */
import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import type { Logger } from '../std/index.ts';
import type { Connection } from './http/connection.ts';

/** Each takes some 20 KB of memory, more in the kernel. */
const most = 8192;
const least = 64;
const quietMs = 30_000;
/** Who has only just connected, or been answered, is about to ask. */
const idleMs = 250;

/** Half of the descriptors that this process may have are the engine's. */
export function connectionLimit(limits = readFileSync('/proc/self/limits', 'latin1')): number {
  const soft = Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1] ?? Infinity);
  return Math.max(least, Math.min(most, Math.floor(soft / 2)));
}

export class ConnectionLimit {
  readonly #limit: number;
  readonly #logger: Logger;
  /** Every accepted socket, those still shaking hands included. */
  readonly #sockets = new Set<Socket>();
  /** Those of them that only hear why they are not served. */
  #turnedAway = 0;
  /** Since when, in the order in which they began to wait. */
  readonly #waiting = new Map<Connection, number>();
  #told = -Infinity;

  constructor(limit: number, logger: Logger) {
    this.#limit = limit;
    this.#logger = logger;
  }

  get sockets(): ReadonlySet<Socket> {
    return this.#sockets;
  }

  waits(connection: Connection, waiting: boolean): void {
    if (waiting) this.#waiting.set(connection, performance.now());
    else this.#waiting.delete(connection);
  }

  /** Counts an accepted socket, and makes room for it or closes it. @param connection what serves it; undefined while it shakes hands */
  admit(socket: Socket, connection: Connection | undefined): void {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    if (this.#sockets.size - this.#turnedAway <= this.#limit) return;
    this.complain('too many connections', { limit: this.#limit });
    const [longest, since] = this.#waiting.entries().next().value ?? [undefined, 0];
    if (longest !== undefined && performance.now() - since > idleMs) {
      this.#waiting.delete(longest);
      longest.destroy();
    } else if (connection === undefined || this.#sockets.size > this.#limit * 1.5) socket.destroy();
    else {
      this.#waiting.delete(connection);
      this.#turnedAway++;
      socket.once('close', () => this.#turnedAway--);
      connection.turnAway(`too many connections: ${this.#limit} are at work`);
    }
  }

  /** Once in a while: who makes too many connections must not fill the log as well. */
  complain(message: string, fields: Record<string, unknown>): void {
    const now = performance.now();
    if (now - this.#told < quietMs) return;
    this.#told = now;
    this.#logger.warn(message, fields);
  }
}
