/**
 * A registry on loopback, in memory, that goes wrong as told: cuts, delays, lies, refuses, redirects, forgets. Its rules are asked in
 * the order they were made; the first that fits a request is the one that counts, and every request is written down.
 */
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type AccessOptions, RegistryAccess } from './registry-access.ts';
import { type Answer, type Asked, plain, RegistryStore, type StoreOptions } from './registry-store.ts';

export interface DoubleOptions extends StoreOptions {
  access?: AccessOptions;
  /** Serves TLS with these; `clientAuthority` demands a certificate of that authority. All PEM. */
  tls?: { key: string; certificate: string; clientAuthority?: string };
  /** How long it keeps an idle connection open (5 s). */
  keepAliveMs?: number;
}

/** What to do to a request. All that is given is done, in this order. */
export interface Rule {
  /** Tried on `METHOD /path?query`. */
  match: RegExp;
  /** Lets so many go by first. */
  skip?: number;
  /** Is for so many (all). */
  times?: number;
  delayMs?: number;
  /** Hangs up without a word. */
  hangUp?: boolean;
  /** Hangs up when so many bytes of the request's body came; those are kept when they belong to an upload. */
  cutUploadAfter?: number;
  /** Forgets the upload that is spoken of. */
  forgetUpload?: boolean;
  /** Takes the request as it is, and answers this. */
  answer?: Partial<Answer>;
  /** Sends elsewhere: the address, or one made from the path. */
  redirect?: string | ((path: string) => string);
  /** Ignores Range, or answers 416 to it. */
  ranges?: 'ignored' | 'refused';
  /** Changes the answer's bytes. Content-Length follows, unless `headers` say otherwise. */
  body?: (body: Buffer) => Buffer;
  /** Over the answer's own; undefined takes one away. */
  headers?: Record<string, string | undefined>;
  /** No Content-Length: the body comes in chunks. */
  chunked?: boolean;
  /** Hangs up after so many bytes of the body. */
  cutAfter?: number;
  /** Stops after so many bytes, and stays silent. */
  stallAfter?: number;
}

export interface Seen {
  method: string;
  /** Path and query. */
  path: string;
  headers: Record<string, string | undefined>;
  /** Bytes of its body that came. */
  bytes: number;
  status: number;
  /** Which connection it came on: its port. */
  port: number;
}

export class RegistryDouble implements AsyncDisposable {
  readonly store: RegistryStore;
  readonly access: RegistryAccess | undefined;
  readonly seen: Seen[] = [];
  /** `127.0.0.1:port`. */
  host = '';
  readonly #server: Server;
  readonly #secure: boolean;
  readonly #rules: { rule: Rule; seen: number }[] = [];

  private constructor(options: DoubleOptions) {
    this.store = new RegistryStore(options);
    this.access = options.access === undefined ? undefined : new RegistryAccess(options.access);
    this.#secure = options.tls !== undefined;
    const listener: RequestListener = (request, response) => {
      void this.#serve(request, response);
    };
    const settings = { keepAliveTimeout: options.keepAliveMs ?? 5000 };
    this.#server =
      options.tls === undefined
        ? createServer(settings, listener)
        : createSecureServer(
            {
              ...settings,
              key: options.tls.key,
              cert: options.tls.certificate,
              ...(options.tls.clientAuthority === undefined
                ? {}
                : { ca: options.tls.clientAuthority, requestCert: true, rejectUnauthorized: true }),
            },
            listener,
          );
  }

  /** @param port 0 for any that is free */
  static async open(options: DoubleOptions = {}, port = 0): Promise<RegistryDouble> {
    const double = new RegistryDouble(options);
    await new Promise<void>((done, fail) => {
      double.#server.once('error', fail);
      double.#server.listen(port, '127.0.0.1', done);
    });
    double.host = `127.0.0.1:${(double.#server.address() as AddressInfo).port}`;
    return double;
  }

  get url(): string {
    return `${this.#secure ? 'https' : 'http'}://${this.host}`;
  }

  /** @returns takes the rule away again */
  rule(rule: Rule): Disposable {
    const entry = { rule, seen: 0 };
    this.#rules.push(entry);
    return {
      [Symbol.dispose]: () => {
        const index = this.#rules.indexOf(entry);
        if (index >= 0) this.#rules.splice(index, 1);
      },
    };
  }

  clear(): void {
    this.#rules.length = 0;
    this.seen.length = 0;
  }

  /** Requests that fit, in order. */
  requests(match: RegExp): Seen[] {
    return this.seen.filter(({ method, path }) => match.test(`${method} ${path}`));
  }

  /** Hangs up on everybody. */
  closeConnections(): void {
    this.#server.closeAllConnections();
  }

  closeIdleConnections(): void {
    this.#server.closeIdleConnections();
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = 'GET', url: path = '/' } = request;
    const headers = request.headers as Record<string, string | undefined>;
    const seen: Seen = { method, path, headers, bytes: 0, status: 0, port: request.socket.remotePort ?? 0 };
    this.seen.push(seen);
    const rule = this.#take(`${method} ${path}`);
    try {
      if (rule.delayMs !== undefined) await sleep(rule.delayMs);
      if (rule.hangUp === true) {
        request.socket.destroy();
        return;
      }
      const body = await receive(request, seen, rule.cutUploadAfter ?? Infinity);
      const asked: Asked = { method, url: new URL(path, this.url), headers, body };
      const uploadId = /\/blobs\/uploads\/([^?]+)/.exec(path)?.[1] ?? '';
      if (rule.forgetUpload === true) this.store.uploads.delete(uploadId);
      if (rule.cutUploadAfter !== undefined && body.length >= rule.cutUploadAfter) {
        const upload = this.store.uploads.get(uploadId);
        if (upload !== undefined) upload.bytes = Buffer.concat([upload.bytes, body]);
        request.socket.destroy();
        return;
      }
      const answer = this.#answer(asked, rule);
      seen.status = answer.status;
      await send(request, response, answer, rule);
    } catch {
      // The client hung up.
      response.destroy();
    }
  }

  #take(line: string): Rule {
    for (const entry of this.#rules) {
      if (!entry.rule.match.test(line)) continue;
      const number = entry.seen++;
      const { skip = 0, times = Infinity } = entry.rule;
      if (number >= skip && number < skip + times) return entry.rule;
    }
    return { match: /^/ };
  }

  #answer(asked: Asked, rule: Rule): Answer {
    const token = this.access?.token(asked);
    if (rule.answer !== undefined) return { ...plain(200, {}), ...rule.answer };
    if (token !== undefined) return token;
    const refused = this.access?.refuse(asked, this.url);
    if (refused !== undefined) return refused;
    const path = asked.url.pathname + asked.url.search;
    if (rule.redirect !== undefined) {
      const location = typeof rule.redirect === 'string' ? rule.redirect : rule.redirect(path);
      return plain(307, { location });
    }
    if (rule.ranges === 'refused' && asked.headers['range'] !== undefined) return plain(416, {});
    if (rule.ranges === 'ignored') asked.headers['range'] = undefined;
    return this.store.answer(asked);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return new Promise((done) => {
      this.#server.close(() => done());
      this.#server.closeAllConnections();
    });
  }
}

/** The body, or as much of it as is to come. */
async function receive(request: IncomingMessage, seen: Seen, most: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) {
    const piece = chunk.subarray(0, Math.max(0, most - seen.bytes));
    chunks.push(piece);
    seen.bytes += piece.length;
    if (seen.bytes >= most) break;
  }
  return Buffer.concat(chunks);
}

async function send(request: IncomingMessage, response: ServerResponse, answer: Answer, rule: Rule): Promise<void> {
  const body = rule.body === undefined ? answer.body : rule.body(answer.body);
  const length = rule.chunked === true ? {} : { 'content-length': String(body.length) };
  const headers = { ...length, ...answer.headers, ...rule.headers };
  response.writeHead(
    answer.status,
    Object.fromEntries(Object.entries(headers).filter((pair): pair is [string, string] => pair[1] !== undefined)),
  );
  if (request.method === 'HEAD') {
    response.end();
    return;
  }
  const end = rule.cutAfter ?? rule.stallAfter;
  if (end === undefined || end >= body.length) {
    // Node refuses to write other than it announced; a liar does not.
    if (headers['content-length'] !== undefined && Number(headers['content-length']) !== body.length) {
      response.flushHeaders();
      response.socket?.end(body);
      return;
    }
    response.end(body);
    return;
  }
  await new Promise<void>((done) => {
    response.write(body.subarray(0, end), () => done());
  });
  if (rule.stallAfter !== undefined) return;
  // What was written must leave before the connection ends, and be read: an end drops what a client has not taken yet.
  await sleep(20);
  await new Promise<void>((done) => {
    request.socket.end(() => done());
  });
}
