/** Calls in the Engine API's terms: version prefix, query, JSON in and out, refusals as faults. */
import { type Endpoint as ApiEndpoint, type EndpointKey, endpoints, latestVersion } from '../api/index.ts';
import type { Duplex } from 'node:stream';
import { collectBytes, Fault } from '../std/index.ts';
import { ApiFault, refusalText } from './api-fault.ts';
import type { Answer, Hijacked, Transport } from './transport.ts';

export type QueryValue = string | number | boolean | readonly string[] | undefined;
export type FilterValues = Readonly<Record<string, readonly string[]>>;

export interface CallOptions {
  /** What takes the place of `{name}` in the path. */
  name?: string;
  /** What takes the place of `{checkpoint}`. */
  checkpoint?: string;
  /** true is sent as 1; false and undefined are not sent. */
  query?: Readonly<Record<string, QueryValue>>;
  filters?: FilterValues | undefined;
  json?: unknown;
  stream?: AsyncIterable<Uint8Array>;
  headers?: Record<string, string>;
  signal?: AbortSignal | undefined;
}

const maxJson = 256 << 20;

export class Caller {
  readonly transport: Transport;
  readonly #headers: Record<string, string>;
  #version: Promise<number> | undefined;

  /** @param pinned a version as DOCKER_API_VERSION gives it; without one it is negotiated by HEAD /_ping. */
  constructor(transport: Transport, pinned: string | undefined, headers: Record<string, string>) {
    this.transport = transport;
    this.#headers = headers;
    const minor = pinned === undefined ? undefined : Number(/^v?1\.(\d+)$/.exec(pinned.trim())?.[1] ?? Number.NaN);
    if (minor === undefined) return;
    if (Number.isNaN(minor))
      throw new Fault('invalid', `invalid API version "${pinned}": give it as 1.${latestVersion}`);
    this.#version = Promise.resolve(minor);
  }

  /** The minor number of the API version spoken: the lower of ours and the daemon's. */
  version(): Promise<number> {
    this.#version ??= this.#negotiate();
    return this.#version;
  }

  /** @throws ApiFault for 400 and above. A 304 is returned. */
  async call(key: EndpointKey, options: CallOptions = {}): Promise<Answer> {
    const answer = await this.transport.request(await this.#request(key, options));
    if (answer.status >= 400) throw await refusal(answer);
    return answer;
  }

  async json<T>(key: EndpointKey, options: CallOptions = {}): Promise<T> {
    return JSON.parse(await this.text(key, options)) as T;
  }

  async text(key: EndpointKey, options: CallOptions = {}): Promise<string> {
    const answer = await this.call(key, options);
    return (await collectBytes(answer.body, maxJson)).toString('utf8');
  }

  /** For calls whose answer is only that it was done. */
  async done(key: EndpointKey, options: CallOptions = {}): Promise<void> {
    await this.text(key, options);
  }

  /** JSON values, one per line, as they come. */
  async *lines<T>(key: EndpointKey, options: CallOptions = {}): AsyncGenerator<T, void> {
    const answer = await this.call(key, options);
    yield* jsonLines<T>(answer.body);
  }

  async hijack(key: EndpointKey, options: CallOptions = {}): Promise<Hijacked> {
    const answer = await this.transport.hijack(await this.#request(key, options));
    if ('write' in answer) return answer;
    throw await refusal(answer);
  }

  /** A connection for another protocol, past its head. Asked without a version, which these doors have not. @throws ApiFault */
  async upgrade(
    key: EndpointKey,
    protocol: string,
    headers: Readonly<Record<string, string | readonly string[]>>,
  ): Promise<Duplex> {
    const { method, path } = endpoints[key];
    const answer = await this.transport.upgrade({ method, path, headers: { ...this.#headers, ...headers } }, protocol);
    if ('unshift' in answer) return answer;
    throw await refusal(answer);
  }

  async #request(key: EndpointKey, options: CallOptions): Promise<Parameters<Transport['request']>[0]> {
    const endpoint: ApiEndpoint = endpoints[key];
    const path = endpoint.path
      .replace('{name}', () => escapePath(options.name ?? ''))
      .replace('{checkpoint}', () => escapePath(options.checkpoint ?? ''));
    const prefix = key === 'ping' || key === 'pingHead' ? '' : `/v1.${await this.version()}`;
    const headers = { ...this.#headers, ...options.headers };
    if (options.json !== undefined) headers['Content-Type'] = 'application/json';
    return {
      method: endpoint.method,
      path: `${prefix}${path}${queryText(options)}`,
      headers,
      body: options.json === undefined ? options.stream : JSON.stringify(options.json),
      signal: options.signal,
    };
  }

  async #negotiate(): Promise<number> {
    const headers = this.#headers;
    let answer = await this.transport.request({ method: 'HEAD', path: '/_ping', headers });
    if (answer.headers['api-version'] === undefined) {
      answer = await this.transport.request({ method: 'GET', path: '/_ping', headers });
      await collectBytes(answer.body, 1 << 16);
    }
    const minor = Number(/^1\.(\d+)$/.exec(answer.headers['api-version'] ?? '')?.[1] ?? 24);
    return Math.min(minor, latestVersion);
  }
}

async function refusal(answer: Answer): Promise<ApiFault> {
  const body = (await collectBytes(answer.body, 1 << 20)).toString('utf8');
  return new ApiFault(answer.status, refusalText(answer.status, answer.reason, body));
}

function queryText({ query, filters }: CallOptions): string {
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(query ?? {})) {
    if (value === undefined || value === false) continue;
    if (Array.isArray(value)) for (const each of value) search.append(key, String(each));
    else search.append(key, value === true ? '1' : String(value));
  }
  if (filters !== undefined && Object.keys(filters).length > 0) search.append('filters', filtersText(filters));
  search.sort();
  const text = search.toString();
  return text === '' ? '' : `?${text}`;
}

/** `{"label":{"a=b":true}}`: the encoding every daemon reads. */
export function filtersText(filters: FilterValues): string {
  const entries = Object.entries(filters).map(([key, values]) => [
    key,
    Object.fromEntries(values.map((value) => [value, true])),
  ]);
  return JSON.stringify(Object.fromEntries(entries));
}

/** Slashes and colons stay: daemons route names greedily. */
function escapePath(name: string): string {
  return encodeURIComponent(name).replaceAll('%2F', '/').replaceAll('%3A', ':').replaceAll('%40', '@');
}

/** Splits bytes into lines and each line into a value. `timeNano`, too long for a double, comes as text. */
export async function* jsonLines<T>(body: AsyncIterable<Uint8Array>): AsyncGenerator<T, void> {
  const decoder = new TextDecoder();
  let held = '';
  for await (const chunk of body) {
    held += decoder.decode(chunk, { stream: true });
    let from = 0;
    for (let end = held.indexOf('\n', from); end >= 0; end = held.indexOf('\n', from)) {
      const line = held.slice(from, end).trim();
      from = end + 1;
      if (line !== '') yield parseLine(line) as T;
    }
    held = held.slice(from);
  }
  if (held.trim() !== '') yield parseLine(held) as T;
}

function parseLine(line: string): unknown {
  // `timeNano` does not fit a double: keep it as text.
  return JSON.parse(line.includes('"timeNano":') ? line.replace(/("timeNano":)(\d+)/, '$1"$2"') : line);
}
