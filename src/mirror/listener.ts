/** HTTP for clients that may be slow, many, or hostile: everything one of them can take is bounded. */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { errorCode, Fault, type Logger, messageOf } from '../std/index.ts';
import type { Admission } from './admission.ts';
import type { Answer, Asked } from './handler.ts';

export interface ListenerOptions {
  host: string;
  /** 0: any that is free. */
  port: number;
  /** PEM. */
  tls: { certificate: Buffer; key: Buffer } | undefined;
  admission: Admission;
  handle: (asked: Asked) => Promise<Answer>;
  log: Logger;
  times?: Partial<ListenerTimes>;
}

export interface ListenerTimes {
  /** For a TLS handshake, and for the whole of a request's head. */
  headMs: number;
  /** Between two requests of a connection. */
  idleMs: number;
  /** How long a client may take nothing of what it asked for. */
  stallMs: number;
  /** For answers under way when the listener closes. */
  graceMs: number;
}

const standardTimes: ListenerTimes = { headMs: 10_000, idleMs: 30_000, stallMs: 60_000, graceMs: 1_000 };
const headBytes = 16 << 10;
/** Requests of one connection that are taken before the first is answered; clients of registries send one. */
const mostAhead = 4;

export class Listener implements AsyncDisposable {
  readonly #server: Server;
  readonly #options: ListenerOptions;
  readonly #times: ListenerTimes;
  readonly #lines = new WeakMap<Socket, { last: Promise<void>; length: number }>();

  private constructor(server: Server, options: ListenerOptions) {
    this.#server = server;
    this.#options = options;
    this.#times = { ...standardTimes, ...options.times };
  }

  /** @throws Fault unavailable when the address cannot be had, with the system's error as its cause; invalid for the certificate */
  static async open(options: ListenerOptions): Promise<Listener> {
    const times = { ...standardTimes, ...options.times };
    const server = await makeServer(options, times);
    const listener = new Listener(server, options);
    server.on('request', (request, response) => void listener.#inTurn(request, response));
    server.on('connection', (socket: Socket) => {
      const leave = options.admission.enter(socket.remoteAddress);
      if (leave === undefined) socket.destroy();
      else socket.once('close', leave);
    });
    await new Promise<void>((done, fail) => {
      server.once('error', fail);
      server.listen({ host: options.host, port: options.port }, () => {
        server.off('error', fail);
        done();
      });
    }).catch((error: unknown) => {
      const where = `${options.host}:${options.port}`;
      throw new Fault('unavailable', `Cannot listen on ${where}: ${messageOf(error)}`, { cause: error });
    });
    server.on('error', (error) =>
      options.log.error('the listener of the pull-through cache failed', { error: error.message }),
    );
    return listener;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** One after another on each connection: what a client asks for ahead is not prepared. */
  async #inTurn(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { socket } = request;
    const line = this.#lines.get(socket) ?? { last: Promise.resolve(), length: 0 };
    this.#lines.set(socket, line);
    if (line.length >= mostAhead) {
      socket.destroy();
      return;
    }
    line.length++;
    const before = line.last;
    const turn = before.then(() => this.#serve(request, response)).finally(() => line.length--);
    line.last = turn;
    await turn;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const controller = new AbortController();
    response.once('close', () => controller.abort(new Error('the client is gone')));
    response.on('error', () => {});
    // What is asked for here has no body: one that comes is not waited for.
    const { 'content-length': length = '0', 'transfer-encoding': encoding } = request.headers;
    if (length !== '0' || encoding !== undefined) response.shouldKeepAlive = false;
    const { method = '', url = '', headers } = request;
    const asked = { method, target: url, headers: headers as Asked['headers'], signal: controller.signal };
    const answer = await this.#options.handle(asked);
    try {
      response.writeHead(answer.status, answer.headers);
      await this.#send(response, answer, method === 'HEAD');
      response.end();
    } catch (error) {
      // Never ended cleanly: the client must not take a part for the whole.
      response.destroy();
      if (!controller.signal.aborted)
        this.#options.log.warn('an answer of the pull-through cache was cut', { target: url, error: messageOf(error) });
    }
    request.resume();
  }

  async #send(response: ServerResponse, { headers, body }: Answer, head: boolean): Promise<void> {
    if (body instanceof Uint8Array) {
      if (!head) response.write(body);
      return;
    }
    let left = Number(headers['content-length']);
    for await (const piece of body) {
      if (response.destroyed) return;
      left -= piece.length;
      if (!response.write(piece)) await drained(response, this.#times.stallMs);
    }
    if (left !== 0) throw new Error(`${left} bytes less than announced`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise<void>((done) => this.#server.close(() => done()));
    this.#server.closeIdleConnections();
    const late = setTimeout(() => this.#server.closeAllConnections(), this.#times.graceMs);
    await closed;
    clearTimeout(late);
  }
}

/** Whether another try may find the address free, or there at all. */
export function mayListenLater(error: unknown): boolean {
  const code = errorCode(error instanceof Fault ? error.cause : error) ?? '';
  return ['EADDRINUSE', 'EADDRNOTAVAIL'].includes(code);
}

async function makeServer({ tls }: ListenerOptions, { headMs, idleMs }: ListenerTimes): Promise<Server> {
  const settings = {
    // Who vanished without a word is found out, also while there is nothing to send.
    keepAlive: true,
    maxHeaderSize: headBytes,
    headersTimeout: headMs,
    requestTimeout: 2 * headMs,
    keepAliveTimeout: idleMs,
    connectionsCheckingInterval: Math.min(headMs, 2000),
  };
  if (tls === undefined) {
    const { createServer } = await import('node:http');
    return createServer(settings);
  }
  const { createServer } = await import('node:https');
  const { certificate: cert, key } = tls;
  try {
    return createServer({ ...settings, cert, key, minVersion: 'TLSv1.2', handshakeTimeout: headMs });
  } catch (error) {
    const detail = `Cannot use the certificate of the pull-through cache: ${messageOf(error)}`;
    throw new Fault('invalid', detail, { cause: error });
  }
}

/** Resolves when the client took what was written. @throws when it does not, or is gone */
function drained(response: ServerResponse, stallMs: number): Promise<void> {
  return new Promise((done, fail) => {
    const settle = (error?: Error): void => {
      clearTimeout(late);
      response.off('drain', onDrain).off('close', onClose);
      if (error === undefined) done();
      else fail(error);
    };
    const onDrain = (): void => settle();
    const onClose = (): void => settle(new Error('the client is gone'));
    const late = setTimeout(() => settle(new Error('the client takes nothing')), stallMs);
    response.once('drain', onDrain).once('close', onClose);
  });
}
