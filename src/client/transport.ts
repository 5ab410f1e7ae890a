/** Requests over kept connections to one daemon. A connection goes back to the pool when its answer was read whole. */
import type { Duplex } from 'node:stream';
import { Fault } from '../std/index.ts';
import { dial } from './dial.ts';
import type { Endpoint } from './endpoint.ts';
import { type Head, hasNoBody, readBody, readHead, writeChunked } from './message.ts';
import { Wire } from './wire.ts';

export interface Request {
  method: string;
  /** With query. */
  path: string;
  /** Several values are several lines. */
  headers?: Record<string, string | readonly string[]>;
  body?: string | Uint8Array | AsyncIterable<Uint8Array> | undefined;
  signal?: AbortSignal | undefined;
}

/** `body` must be read to its end, or returned early, which closes the connection. */
export interface Answer extends Head {
  readonly body: AsyncGenerator<Uint8Array, void>;
  /** Ends the exchange without reading on. */
  cancel(): void;
  /** Whether the process stays alive for it. */
  hold(on: boolean): void;
}

/** A connection that became a bare byte stream both ways. */
export interface Hijacked extends Head {
  readonly output: AsyncIterable<Uint8Array>;
  write(bytes: Uint8Array): Promise<void>;
  /** Half-close: tells the other side that input is over. */
  endInput(): void;
  destroy(): void;
  /** Whether the process stays alive for it. */
  hold(on: boolean): void;
}

export class Transport {
  readonly endpoint: Endpoint;
  readonly #idle: Wire[] = [];

  constructor(endpoint: Endpoint) {
    this.endpoint = endpoint;
  }

  async request(request: Request): Promise<Answer> {
    const { wire, head } = await this.#exchange(request, {});
    const release = (whole: boolean): void => {
      if (whole && wire.usable) this.#keep(wire);
      else wire.destroy();
      request.signal?.removeEventListener('abort', stop);
    };
    const stop = (): void => wire.destroy();
    request.signal?.addEventListener('abort', stop, { once: true });
    // It may have been aborted since the head came.
    if (request.signal?.aborted === true) stop();
    const body = readBody(wire, head, request.method, release);
    if (hasNoBody(head, request.method)) await body.next();
    return { ...head, body, cancel: () => wire.destroy(), hold: (on) => wire.hold(on) };
  }

  /** Asks for `Upgrade: tcp`. The answer may be an error, or 200 or 101 with the stream. */
  async hijack(request: Request): Promise<Hijacked | Answer> {
    const { wire, head } = await this.#exchange(request, { Connection: 'Upgrade', Upgrade: 'tcp' });
    if (head.status >= 300) {
      return {
        ...head,
        body: readBody(wire, head, request.method, () => wire.destroy()),
        cancel: () => wire.destroy(),
        hold: (on) => wire.hold(on),
      };
    }
    return {
      ...head,
      output: until(wire),
      write: (bytes) => wire.write(bytes),
      endInput: () => wire.endWriting(),
      destroy: () => wire.destroy(),
      hold: (on) => wire.hold(on),
    };
  }

  /** Asks for another protocol than HTTP/1. The answer may be an error, or the connection itself, past its head. */
  async upgrade(request: Request, protocol: string): Promise<Duplex | Answer> {
    const { wire, head } = await this.#exchange(request, { Connection: 'Upgrade', Upgrade: protocol }, false);
    if (head.status === 101) return wire.release();
    return {
      ...head,
      body: readBody(wire, head, request.method, () => wire.destroy()),
      cancel: () => wire.destroy(),
      hold: (on) => wire.hold(on),
    };
  }

  /** A connection of its own, before any HTTP is spoken. */
  async raw(): Promise<Wire> {
    return new Wire(await dial(this.endpoint));
  }

  close(): void {
    for (const wire of this.#idle.splice(0)) wire.destroy();
  }

  async #exchange(
    request: Request,
    extra: Record<string, string>,
    mayReuse = true,
  ): Promise<{ wire: Wire; head: Head }> {
    request.signal?.throwIfAborted();
    for (;;) {
      const kept = mayReuse ? this.#takeIdle() : undefined;
      const wire = kept ?? (await this.raw());
      const stop = (): void => wire.destroy();
      request.signal?.addEventListener('abort', stop, { once: true });
      try {
        const head = await this.#ask(wire, request, extra);
        if (head !== undefined) return { wire, head };
        wire.destroy();
        // A kept connection that the daemon closed meanwhile: ask again on a fresh one.
        if (kept !== undefined && !isStream(request.body)) continue;
        request.signal?.throwIfAborted();
        throw new Fault(
          'unavailable',
          `The daemon at ${this.endpoint.url} closed the connection without an answer: EOF`,
        );
      } catch (error) {
        wire.destroy();
        request.signal?.throwIfAborted();
        if (kept !== undefined && !isStream(request.body) && error instanceof Fault && error.kind === 'unavailable')
          continue;
        throw error;
      } finally {
        request.signal?.removeEventListener('abort', stop);
      }
    }
  }

  async #ask(wire: Wire, request: Request, extra: Record<string, string>): Promise<Head | undefined> {
    const { body } = request;
    const base = this.endpoint.kind === 'tcp' ? this.endpoint.basePath : '';
    const headers: Record<string, string | readonly string[]> = {
      Host: hostHeader(this.endpoint),
      'User-Agent': 'wherry',
      ...request.headers,
      ...extra,
    };
    if (isStream(body)) headers['Transfer-Encoding'] = 'chunked';
    else if (body !== undefined) headers['Content-Length'] = String(Buffer.byteLength(body));
    else if (request.method !== 'GET' && request.method !== 'HEAD') headers['Content-Length'] = '0';
    const lines = Object.entries(headers).flatMap(([name, value]) =>
      (typeof value === 'string' ? [value] : value).map((each) => `${name}: ${each}\r\n`),
    );
    const start = `${request.method} ${base}${request.path} HTTP/1.1\r\n${lines.join('')}\r\n`;
    if (isStream(body)) {
      await wire.write(start);
      // An answer may come before all is sent (a refusal): then the rest need not go.
      const answer = readHead(wire);
      const sent = writeChunked(wire, body);
      const first = await Promise.race([answer, sent.then(() => undefined)]);
      if (first !== undefined) {
        sent.catch(() => {});
        return first;
      }
      return answer;
    }
    await wire.write(typeof body === 'string' ? start + body : start);
    if (typeof body === 'object') await wire.write(body);
    return readHead(wire);
  }

  #takeIdle(): Wire | undefined {
    for (let wire = this.#idle.pop(); wire !== undefined; wire = this.#idle.pop()) {
      if (!wire.usable) {
        // The daemon closed its end; ours is still open.
        wire.destroy();
        continue;
      }
      wire.hold(true);
      return wire;
    }
    return undefined;
  }

  #keep(wire: Wire): void {
    wire.hold(false);
    this.#idle.push(wire);
  }
}

function isStream(body: Request['body']): body is AsyncIterable<Uint8Array> {
  return typeof body === 'object' && Symbol.asyncIterator in body;
}

function hostHeader(endpoint: Endpoint): string {
  if (endpoint.kind !== 'tcp') return 'api.moby.localhost';
  return `${endpoint.host.includes(':') ? `[${endpoint.host}]` : endpoint.host}:${endpoint.port}`;
}

async function* until(wire: Wire): AsyncGenerator<Uint8Array, void> {
  for (let chunk = await wire.read(); chunk !== undefined; chunk = await wire.read()) yield chunk;
}
