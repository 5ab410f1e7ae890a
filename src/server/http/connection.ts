/**
 * One client's connection: HTTP/1.x requests one after another, each answered by `handle`, until the client leaves, an answer
 * takes the connection over, or something is malformed. Our own rather than node:http because a hijack must not lose or misread
 * a byte: whatever follows a request's body is either the next request or the hijacked stdin, and only the answer decides.
 */
import type { Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { type Logger, messageOf } from '../../std/index.ts';
import { Body } from './body.ts';
import { BodyBudget } from './body-budget.ts';
import { type Deadlines, deadlines as usual } from './deadlines.ts';
import { MalformedRequest, type RequestHead, readHead } from './head.ts';
import { ClientGone, Input } from './input.ts';
import { Output } from './output.ts';
import { RawStream } from './raw-stream.ts';
import type { Headers, Reply, StreamReply } from './reply.ts';
import { bodiless, statusLine } from './status.ts';

/** How much of an unread body is read past to keep the connection, as Go does. */
const discardBytes = 256 * 1024;
const requestsPerTurn = 32;

export interface HttpRequest {
  readonly head: RequestHead;
  readonly body: Body;
  /** Aborted with ClientGone when the client closes or half-closes before the answer is complete. */
  readonly signal: AbortSignal;
}

export interface ConnectionOptions {
  /** Answers a request; what it throws becomes a plain 500 and is logged. */
  readonly handle: (request: HttpRequest) => Promise<Reply>;
  /** Headers of every answer, each with its CRLF. */
  readonly standardHeaders: string;
  readonly logger: Logger;
  /** Told when it begins to wait for a request, and when it has one. */
  readonly onWaiting?: (waiting: boolean) => void;
  readonly deadlines?: Deadlines;
  /** Shared by all connections. */
  readonly bodyBudget?: BodyBudget;
}

export class Connection {
  readonly #socket: Socket;
  readonly #input: Input;
  readonly #output: Output;
  readonly #options: ConnectionOptions;
  readonly #deadlines: Deadlines;
  readonly #bodyBudget: BodyBudget;
  #controller: AbortController | undefined;
  #closing = false;
  #refusal: MalformedRequest | undefined;

  constructor(socket: Socket, options: ConnectionOptions) {
    this.#socket = socket;
    this.#input = new Input(socket);
    this.#output = new Output(socket);
    this.#options = options;
    this.#deadlines = options.deadlines ?? usual;
    this.#bodyBudget = options.bodyBudget ?? new BodyBudget();
  }

  /** Serves until the connection is closed; never rejects. */
  async serve(): Promise<void> {
    try {
      for (let requests = 1; !this.#closing && (await this.#serveOne()); requests++) {
        // Requests that came together must not keep everybody else waiting.
        if (requests % requestsPerTurn === 0 && this.#input.buffered > 0) await turn();
      }
      await new RawStream(this.#socket, this.#input, this.#output).finish(this.#closing ? 0 : undefined);
    } catch (error) {
      if (!(error instanceof ClientGone)) {
        this.#options.logger.warn('connection failed', { error: messageOf(error) });
      }
    } finally {
      this.#socket.destroy();
    }
  }

  /** Lets the request under way end (aborting what waits on it), then closes. */
  shutdown(): void {
    this.#closing = true;
    if (this.#controller === undefined) this.#socket.destroy();
    else this.#controller.abort(new ClientGone('the server is shutting down'));
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** Answers its next request, which must come soon, with the reason why it is not served, and closes it. */
  turnAway(reason: string): void {
    this.#refusal = new MalformedRequest(reason, 503);
    const timer = setTimeout(() => this.#socket.destroy(), this.#deadlines.turnAwayMs);
    this.#socket.once('close', () => clearTimeout(timer));
  }

  /** @returns whether another request may follow. */
  async #serveOne(): Promise<boolean> {
    let head: RequestHead | undefined;
    let body: Body;
    try {
      head = await this.#nextHead();
      if (head === undefined) return false;
      if (this.#refusal !== undefined) throw this.#refusal;
      const expectsContinue = head.minor === 1 && head.headers.get('expect')?.toLowerCase() === '100-continue';
      const onFirstRead = (): void => {
        if (expectsContinue && this.#socket.writable) this.#socket.write('HTTP/1.1 100 Continue\r\n\r\n');
      };
      body = new Body(head, this.#input, onFirstRead, { deadlines: this.#deadlines, budget: this.#bodyBudget });
    } catch (error) {
      if (!(error instanceof MalformedRequest)) throw error;
      await this.#refuse(error);
      return false;
    }
    const controller = new AbortController();
    this.#controller = controller;
    this.#input.onFinish = () => controller.abort(new ClientGone());
    if (this.#input.finished) controller.abort(new ClientGone());
    try {
      const reply = await this.#answer({ head, body, signal: controller.signal });
      return reply !== undefined && (await this.#send(head, body, reply));
    } finally {
      this.#input.onFinish = undefined;
      this.#controller = undefined;
    }
  }

  async #nextHead(): Promise<RequestHead | undefined> {
    let timer: NodeJS.Timeout | undefined;
    this.#options.onWaiting?.(true);
    try {
      return await readHead(this.#input, () => {
        timer ??= setTimeout(() => this.#socket.destroy(), this.#deadlines.headMs);
      });
    } finally {
      this.#options.onWaiting?.(false);
      clearTimeout(timer);
    }
  }

  /** The handler's reply; undefined when the request turned out malformed and was refused. */
  async #answer(request: HttpRequest): Promise<Reply | undefined> {
    try {
      return await this.#options.handle(request);
    } catch (error) {
      if (!(error instanceof MalformedRequest)) throw error;
      await this.#refuse(error);
      return undefined;
    }
  }

  async #send(head: RequestHead, body: Body, reply: Reply): Promise<boolean> {
    if (reply.kind === 'raw') {
      this.#input.onFinish = undefined;
      const stream = new RawStream(this.#socket, this.#input, this.#output);
      try {
        if (!(await body.discard(discardBytes))) throw new ClientGone('the request body was too long to hijack');
        await this.#output.write(`${reply.head}${this.#options.standardHeaders}\r\n`);
      } catch {
        stream.destroy();
      }
      // Also on a dead connection: whoever made the reply holds a session that only `serve` lets go.
      await reply.serve(stream);
      return false;
    }
    const keep = keepsAlive(head) && !this.#closing;
    const silent = head.method === 'HEAD' || bodiless(reply.status);
    if (reply.kind === 'stream') {
      if (!(await this.#sendStream(head, reply, keep, silent))) return false;
    } else {
      const length = bodiless(reply.status) ? '' : `Content-Length: ${Buffer.byteLength(reply.body)}\r\n`;
      const text = this.#headText(reply.status, reply.headers, `${length}${connectionHeader(head, keep)}`);
      const written =
        silent || reply.body.length === 0
          ? this.#output.write(text)
          : typeof reply.body === 'string'
            ? this.#output.write(text + reply.body)
            : this.#output.write(text, reply.body);
      await written;
    }
    return keep && (body.complete || (await body.discard(discardBytes)));
  }

  /** @returns false when the answer could not be completed, so that the connection must end. */
  async #sendStream(head: RequestHead, reply: StreamReply, keep: boolean, silent: boolean): Promise<boolean> {
    const chunked = head.minor === 1;
    const framing = chunked && !silent ? 'Transfer-Encoding: chunked\r\n' : '';
    try {
      await this.#output.write(
        this.#headText(reply.status, reply.headers, `${framing}${connectionHeader(head, keep && chunked)}`),
      );
    } catch (error) {
      // Whoever makes the chunks is told that nobody reads them.
      await reply.chunks[Symbol.asyncIterator]().return?.();
      throw error;
    }
    if (silent) {
      await reply.chunks[Symbol.asyncIterator]().return?.();
      return true;
    }
    try {
      for await (const chunk of reply.chunks) {
        if (chunk.length === 0) continue;
        const size = typeof chunk === 'string' ? Buffer.byteLength(chunk) : chunk.length;
        const room = chunked
          ? this.#output.stream(`${size.toString(16)}\r\n`, chunk, '\r\n')
          : this.#output.stream(chunk);
        if (room !== undefined) await room;
      }
    } catch (error) {
      if (error instanceof ClientGone) throw error;
      // The head is out: an answer cut short is the only sign left to give.
      if (!this.#socket.destroyed && !this.#input.finished) {
        this.#options.logger.warn('an answer was cut short', {
          path: head.target.split('?', 1)[0],
          error: messageOf(error),
        });
      }
      return false;
    }
    if (chunked) await this.#output.write('0\r\n\r\n');
    return chunked;
  }

  async #refuse(error: MalformedRequest): Promise<void> {
    await this.#output.write(refusal(error));
  }

  #headText(status: number, headers: Headers, framing: string): string {
    let lines = '';
    for (const name in headers) {
      const value = headers[name]!;
      if (/[\r\n]/.test(value)) throw new TypeError(`line break in the value of header ${name}`);
      lines += `${name}: ${value}\r\n`;
    }
    return `${statusLine(status)}${this.#options.standardHeaders}${lines}Date: ${dateHeader()}\r\n${framing}\r\n`;
  }
}

function refusal(error: MalformedRequest): string {
  const line = statusLine(error.status);
  const text = `${line.slice('HTTP/1.1 '.length, -2)}: ${error.message}`;
  return `${line}Content-Type: text/plain; charset=utf-8\r\nConnection: close\r\nContent-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`;
}

function keepsAlive(head: RequestHead): boolean {
  const wish = head.headers.get('connection')?.toLowerCase() ?? '';
  return head.minor === 1 ? !wish.includes('close') : wish.includes('keep-alive');
}

function connectionHeader(head: RequestHead, keep: boolean): string {
  if (!keep) return 'Connection: close\r\n';
  return head.minor === 0 ? 'Connection: keep-alive\r\n' : '';
}

const date = { second: 0, text: '' };

/** The Date header's text, made once a second. */
function dateHeader(): string {
  const second = Math.trunc(Date.now() / 1000);
  if (second !== date.second) {
    date.second = second;
    date.text = new Date(second * 1000).toUTCString();
  }
  return date.text;
}
