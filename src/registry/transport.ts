/** HTTP for registries on undici: proxies from the environment, redirects without leaking credentials, Go's error texts. */
import { getServers } from 'node:dns';
import { BlockList, isIP } from 'node:net';
import type { Dispatcher } from 'undici';
import { errorCode, Fault, messageOf } from '../std/index.ts';

export interface HttpRequest {
  method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  url: string;
  headers?: Record<string, string>;
  body?: string | Uint8Array | AsyncIterable<Uint8Array>;
  /** Check the server's certificate. */
  verify: boolean;
  signal: AbortSignal;
}

export interface HttpResponse {
  status: number;
  headers: Record<string, string>;
  body: AsyncIterable<Uint8Array>;
  /** The address that answered, after redirects. */
  url: string;
  /** All of a small body. */
  read(): Promise<Buffer>;
  /** Lets the connection go without reading the rest. */
  discard(): Promise<void>;
}

const redirectLimit = 10;
const textLimit = 4 << 20;

export class Transport {
  readonly #env: NodeJS.ProcessEnv;
  #agents: Promise<Agents> | undefined;
  readonly #noProxy = new BlockList();

  constructor(env: NodeJS.ProcessEnv) {
    this.#env = env;
    for (const entry of proxySettings(env).noProxy.split(/[\s,]+/)) {
      const [network, bits] = entry.split('/') as [string, string | undefined];
      const family = isIP(network);
      if (bits !== undefined && family !== 0)
        this.#noProxy.addSubnet(network, Number(bits), family === 4 ? 'ipv4' : 'ipv6');
    }
  }

  /** undici weighs 30 MB of resident memory: it is loaded with the first request that a person makes. */
  async #load(): Promise<Agents> {
    const { Agent, EnvHttpProxyAgent, request } = await import('undici');
    const options = {
      connect: { timeout: 30_000 },
      headersTimeout: 120_000,
      bodyTimeout: 120_000,
      keepAliveTimeout: 10_000,
    };
    const insecure = { ...options, connect: { timeout: 30_000, rejectUnauthorized: false } };
    const proxy = proxySettings(this.#env);
    const proxied = {
      true: new EnvHttpProxyAgent({ ...options, ...proxy }),
      false: new EnvHttpProxyAgent({ ...insecure, requestTls: { rejectUnauthorized: false }, ...proxy }),
    };
    return { request, proxied, direct: { true: new Agent(options), false: new Agent(insecure) } };
  }

  /** Follows redirects of GET and HEAD. @throws Fault internal `Get "https://…": dial tcp: …` when there is no answer */
  async send(wanted: HttpRequest): Promise<HttpResponse> {
    let { url } = wanted;
    let headers = { ...wanted.headers };
    for (let hop = 0; hop <= redirectLimit; hop++) {
      const response = await this.#once(wanted, url, headers);
      const location = response.headers['location'];
      const redirected = [301, 302, 303, 307, 308].includes(response.status) && location !== undefined;
      if (!redirected || (wanted.method !== 'GET' && wanted.method !== 'HEAD')) return response;
      await response.discard();
      const next = new URL(location, url);
      if (next.origin !== new URL(url).origin) {
        const { authorization: _, ...rest } = headers;
        headers = rest;
      }
      url = next.href;
    }
    throw new Fault(
      'internal',
      `${verb(wanted.method)} ${JSON.stringify(wanted.url)}: stopped after ${redirectLimit} redirects`,
    );
  }

  async #once(wanted: HttpRequest, url: string, headers: Record<string, string>): Promise<HttpResponse> {
    this.#agents ??= this.#load();
    const agents = await this.#agents;
    let answer: Dispatcher.ResponseData;
    try {
      answer = await agents.request(url, {
        method: wanted.method,
        headers: { 'user-agent': 'wherry', ...headers },
        body: (wanted.body ?? null) as Dispatcher.RequestOptions['body'],
        dispatcher: this.#dispatcher(agents, new URL(url).hostname, wanted.verify),
        signal: wanted.signal,
      });
    } catch (error) {
      wanted.signal.throwIfAborted();
      throw new Fault(
        'internal',
        `${verb(wanted.method)} ${JSON.stringify(url)}: ${goNetworkError(error, new URL(url))}`,
        { cause: error },
      );
    }
    const { body } = answer;
    return {
      status: answer.statusCode,
      headers: Object.fromEntries(
        Object.entries(answer.headers).map(([key, value]) => [
          key,
          Array.isArray(value) ? value.join(', ') : (value ?? ''),
        ]),
      ),
      body: body as AsyncIterable<Uint8Array>,
      url,
      read: async () => {
        const chunks: Buffer[] = [];
        let size = 0;
        for await (const chunk of body as AsyncIterable<Buffer>) {
          size += chunk.length;
          if (size > textLimit) throw new Fault('invalid', `Cannot read ${url}: more than ${textLimit} bytes`);
          chunks.push(chunk);
        }
        return Buffer.concat(chunks);
      },
      discard: async () => {
        await body.dump({ limit: 64 * 1024 }).catch(() => {});
      },
    };
  }

  /** undici's proxy agent does not understand networks in no_proxy. */
  #dispatcher(agents: Agents, host: string, verify: boolean): Dispatcher {
    const bare = host.replace(/^\[|\]$/g, '');
    const family = isIP(bare);
    const direct = family !== 0 && this.#noProxy.check(bare, family === 4 ? 'ipv4' : 'ipv6');
    return (direct ? agents.direct : agents.proxied)[verify ? 'true' : 'false'];
  }

  async close(): Promise<void> {
    if (this.#agents === undefined) return;
    const { proxied, direct } = await this.#agents;
    const all = [proxied, direct].flatMap((pair) => [pair.true, pair.false]);
    await Promise.all(all.map((dispatcher) => dispatcher.destroy()));
  }
}

interface Agents {
  request: typeof import('undici').request;
  proxied: Record<'true' | 'false', Dispatcher>;
  direct: Record<'true' | 'false', Dispatcher>;
}

function proxySettings(env: NodeJS.ProcessEnv): { httpProxy: string; httpsProxy: string; noProxy: string } {
  return {
    httpProxy: env['http_proxy'] ?? env['HTTP_PROXY'] ?? '',
    httpsProxy: env['https_proxy'] ?? env['HTTPS_PROXY'] ?? '',
    noProxy: env['no_proxy'] ?? env['NO_PROXY'] ?? '',
  };
}

/** Go prints the method as a title. */
function verb(method: string): string {
  return method[0]! + method.slice(1).toLowerCase();
}

/** A network failure in the words Docker's users search the web for. */
function goNetworkError(error: unknown, url: URL): string {
  const cause = firstCause(error);
  const code = errorCode(cause);
  const address = cause as { address?: string; port?: number };
  const where = address.address === undefined ? url.host : `${address.address}:${address.port ?? ''}`;
  switch (code) {
    case 'ENOTFOUND':
      return `dial tcp: lookup ${url.hostname}${resolver()}: no such host`;
    case 'EAI_AGAIN':
      return `dial tcp: lookup ${url.hostname}${resolver()}: server misbehaving`;
    case 'ECONNREFUSED':
      return `dial tcp ${where}: connect: connection refused`;
    case 'EHOSTUNREACH':
      return `dial tcp ${where}: connect: no route to host`;
    case 'ENETUNREACH':
      return `dial tcp ${where}: connect: network is unreachable`;
    case 'ETIMEDOUT':
    case 'UND_ERR_CONNECT_TIMEOUT':
      return `dial tcp ${where}: i/o timeout`;
    case 'UND_ERR_HEADERS_TIMEOUT':
      return 'net/http: timeout awaiting response headers';
    case 'ECONNRESET':
    case 'UND_ERR_SOCKET':
      return 'EOF';
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
      return 'tls: failed to verify certificate: x509: certificate signed by unknown authority';
    case 'CERT_HAS_EXPIRED':
      return 'tls: failed to verify certificate: x509: certificate has expired or is not yet valid';
    case 'ERR_SSL_WRONG_VERSION_NUMBER':
    case 'ERR_SSL_PACKET_LENGTH_TOO_LONG':
    case 'EPROTO':
      return 'http: server gave HTTP response to HTTPS client';
    default:
      return messageOf(cause);
  }
}

function firstCause(error: unknown): unknown {
  let cause = error;
  for (let depth = 0; depth < 5; depth++) {
    if (cause instanceof AggregateError && cause.errors.length > 0) cause = cause.errors[0];
    else if (errorCode(cause) === undefined && cause instanceof Error && cause.cause !== undefined) cause = cause.cause;
    else break;
  }
  return cause;
}

function resolver(): string {
  const [server] = getServers();
  if (server === undefined) return '';
  return ` on ${/:\d+$/.test(server) && !server.includes('::') ? server : `${server}:53`}`;
}
