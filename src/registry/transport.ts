/** HTTP for registries: bounded reads, redirects that take no credentials along, failures in Go's words. */
import type { Dispatcher } from 'undici';
import { Fault } from '../std/index.ts';
import { type Clock } from './clock.ts';
import { Dispatchers, type DispatcherOptions, type Trust } from './dispatchers.ts';
import { bodyFault, requestFault, TransportFault, verb } from './transport-fault.ts';

export interface HttpRequest {
  method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  url: string;
  headers?: Record<string, string>;
  /** Called for every time the body must be sent. */
  body?: (() => string | Uint8Array | AsyncIterable<Uint8Array>) | undefined;
  trust: Trust;
  signal: AbortSignal;
}

export interface HttpResponse {
  status: number;
  /** In lower case, repeated ones joined. */
  headers: Record<string, string>;
  /** @throws TransportFault when it breaks off */
  body: AsyncIterable<Uint8Array>;
  /** The address that answered, after redirects. */
  url: string;
  /** When its headers came, in milliseconds since the epoch. */
  receivedAt: number;
  /** All of a body of at most `limit` bytes. @throws Fault invalid beyond it */
  read(limit: number): Promise<Buffer>;
  /** Lets the connection go without reading the rest. */
  discard(): Promise<void>;
}

const redirectLimit = 10;
const discardLimit = 64 << 10;

export class Transport {
  readonly #dispatchers: Dispatchers;
  readonly #clock: Clock;

  constructor(options: DispatcherOptions & { clock: Clock }) {
    this.#dispatchers = new Dispatchers(options);
    this.#clock = options.clock;
  }

  /** @throws TransportFault `Get "https://…": dial tcp: …` when there is no answer */
  async send(wanted: HttpRequest): Promise<HttpResponse> {
    let { url } = wanted;
    let headers = { ...wanted.headers };
    for (let hop = 0; hop <= redirectLimit; hop++) {
      const response = await this.#once(wanted, url, headers);
      const location = response.headers['location'];
      if (location === undefined || !follows(wanted.method, response.status)) return response;
      await response.discard();
      const next = redirectTarget(wanted, url, location);
      if (next.origin !== new URL(url).origin) {
        const { authorization: _, ...rest } = headers;
        headers = rest;
      }
      url = next.href;
    }
    throw new TransportFault(
      'refused',
      `${verb(wanted.method)} ${JSON.stringify(wanted.url)}: stopped after ${redirectLimit} redirects`,
    );
  }

  async #once(wanted: HttpRequest, url: string, headers: Record<string, string>): Promise<HttpResponse> {
    const { method, signal } = wanted;
    const { request, dispatcher, proxied } = await this.#dispatchers.route(new URL(url), wanted.trust);
    let answer: Dispatcher.ResponseData;
    try {
      answer = await request(url, {
        method,
        headers: { 'user-agent': 'wherry', ...headers },
        body: (wanted.body?.() ?? null) as Dispatcher.RequestOptions['body'],
        dispatcher,
        signal,
      });
    } catch (error) {
      signal.throwIfAborted();
      throw requestFault(error, { method, url, proxied });
    }
    const body = readable(answer.body, url, signal);
    return {
      status: answer.statusCode,
      headers: Object.fromEntries(
        Object.entries(answer.headers).map(([key, value]) => [
          key,
          Array.isArray(value) ? value.join(', ') : (value ?? ''),
        ]),
      ),
      body,
      url,
      receivedAt: this.#clock.now(),
      read: (limit) => readAll(body, url, limit),
      discard: async () => {
        await answer.body.dump({ limit: discardLimit }).catch(() => {});
      },
    };
  }

  close(): Promise<void> {
    return this.#dispatchers.close();
  }
}

/** 307 and 308 repeat the request as it was; the others turn into a GET, which is no answer to anything else. */
function follows(method: HttpRequest['method'], status: number): boolean {
  if (status === 307 || status === 308) return true;
  return (method === 'GET' || method === 'HEAD') && [301, 302, 303].includes(status);
}

function redirectTarget({ method }: HttpRequest, url: string, location: string): URL {
  const next = URL.canParse(location, url) ? new URL(location, url) : undefined;
  if (next?.protocol === 'http:' || next?.protocol === 'https:') return next;
  const detail =
    next === undefined
      ? 'failed to parse Location header'
      : `unsupported protocol scheme ${JSON.stringify(next.protocol)}`;
  throw new TransportFault('refused', `${verb(method)} ${JSON.stringify(url)}: ${detail}`);
}

async function* readable(
  body: AsyncIterable<Uint8Array>,
  url: string,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, void> {
  try {
    yield* body;
  } catch (error) {
    signal.throwIfAborted();
    throw bodyFault(error, url);
  }
}

async function readAll(body: AsyncIterable<Uint8Array>, url: string, limit: number): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > limit) throw new Fault('invalid', `Cannot read ${url}: more than ${limit} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, size);
}
