/**
 * Replays recorded conversations of stock Docker clients against any Engine API socket and reports what differs. A conversation
 * is data (test/fixtures/golden/*.json): requests as the client sent them, and what it must get: status, headers, shape.
 *
 * A shape is JSON in which strings starting with `$` are types ($string $number $boolean $any $hex64 $digest $time, `?` behind
 * them allows null), `$/…/` is text that the expression matches, an array of one is "each element", `{"…": …}` lists keys that must be there (more may be; a key that ends in
 * `?` may be missing), and anything else stands for itself. `${name}` in a path, body or shape is a value saved earlier.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { Agent, type IncomingMessage, request } from 'node:http';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { entry, tar } from './images.ts';
import { tarOf } from './tar.ts';

export interface Exchange {
  readonly method: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Text as it is, anything else as JSON. */
  readonly body?: unknown;
  /** Sends a tar of this one file instead of a body. */
  readonly tarBody?: string;
  /** Sends a tar of these files instead of a body: names to contents. */
  readonly tarFiles?: Readonly<Record<string, string>>;
  readonly status: number;
  readonly reason?: string;
  /** Exact values; "$any" means present, null means absent. */
  readonly expectHeaders?: Readonly<Record<string, string | null>>;
  readonly shape?: unknown;
  readonly text?: string;
  /** Every line must have this shape. */
  readonly lines?: unknown;
  /** The lines, each of its shape: no more, no fewer. */
  readonly sequence?: readonly unknown[];
  /** Saves top-level fields of the answer as variables. */
  readonly save?: Readonly<Record<string, string>>;
  /** Only the head is awaited; `finish` in a later step checks the rest. */
  readonly open?: string;
  /** Stdin of a hijacked connection, followed by FIN. */
  readonly send?: string;
  /** Output of a hijacked connection or log: per stream when framed, as `raw` otherwise. */
  readonly output?: { readonly stdout?: string; readonly stderr?: string; readonly raw?: string };
}

export type Step = Exchange | { readonly finish: string } | { readonly pauseMs: number };

export interface Conversation {
  readonly name: string;
  readonly client: string;
  readonly steps: readonly Step[];
}

export function loadConversations(folder: string): Conversation[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .sort()
    .flatMap((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')) as Conversation[]);
}

/** @returns what differs, one line each; empty when the server answered as it must. */
export async function replay(socketPath: string, conversation: Conversation): Promise<string[]> {
  const agent = new Agent({ keepAlive: true });
  const variables = new Map([['unique', `g${process.pid}x${Math.trunc(performance.now() * 1000)}`]]);
  const open = new Map<string, Answer>();
  const differences: string[] = [];
  try {
    for (const step of conversation.steps) {
      if ('pauseMs' in step) {
        await new Promise((resolve) => setTimeout(resolve, step.pauseMs));
        continue;
      }
      if ('finish' in step) {
        const answer = open.get(step.finish)!;
        differences.push(...(await checkBody(answer, variables)));
        continue;
      }
      const exchange = fill(step, variables) as Exchange;
      const answer = await ask(socketPath, agent, exchange);
      differences.push(...checkHead(answer));
      if (exchange.open !== undefined) open.set(exchange.open, answer);
      else differences.push(...(await checkBody(answer, variables)));
    }
  } catch (error) {
    differences.push(`the conversation broke off: ${String(error)}`);
  } finally {
    agent.destroy();
    for (const answer of open.values()) answer.socket.destroy();
  }
  return differences;
}

interface Answer {
  readonly exchange: Exchange;
  readonly status: number;
  readonly reason: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly socket: Socket;
  readonly body: Promise<Buffer>;
}

async function payloadOf({ tarBody, tarFiles, body }: Exchange): Promise<Buffer | undefined> {
  if (tarBody !== undefined) return tarOf(tarBody, Buffer.from('x\n'));
  if (tarFiles !== undefined) {
    return tar(Object.entries(tarFiles).map(([name, content]) => entry(name, 'file', { body: content })));
  }
  return body === undefined ? undefined : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
}

async function ask(socketPath: string, agent: Agent, exchange: Exchange): Promise<Answer> {
  const payload = await payloadOf(exchange);
  return new Promise((resolve, reject) => {
    const headers: Record<string, string | number> = { Host: 'api.moby.localhost', ...exchange.headers };
    if (payload !== undefined) headers['Content-Length'] = payload.length;
    else if (exchange.method !== 'GET' && exchange.method !== 'HEAD') headers['Content-Length'] = 0;
    const outgoing = request({ socketPath, agent, method: exchange.method, path: exchange.path, headers });
    outgoing.setTimeout(20_000, () => outgoing.destroy(new Error(`no answer to ${exchange.method} ${exchange.path}`)));
    outgoing.on('error', reject);
    const settle = (response: IncomingMessage, socket: Socket, body: Promise<Buffer>): void =>
      resolve({
        exchange,
        status: response.statusCode ?? 0,
        reason: response.statusMessage ?? '',
        headers: response.headers,
        socket,
        body,
      });
    outgoing.on('response', (response) => settle(response, response.socket, collect(response)));
    outgoing.on('upgrade', (response, socket: Socket, head) => {
      const body = collect(socket, head);
      socket.end(exchange.send ?? '');
      settle(response, socket, body);
    });
    outgoing.end(payload);
  });
}

function collect(source: NodeJS.ReadableStream, head?: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = head === undefined ? [] : [head];
    source.on('data', (chunk: Buffer) => chunks.push(chunk));
    source.on('end', () => resolve(Buffer.concat(chunks)));
    source.on('error', reject);
  });
}

function checkHead({ exchange, status, reason, headers }: Answer): string[] {
  const where = `${exchange.method} ${exchange.path}`;
  const differences: string[] = [];
  if (status !== exchange.status) differences.push(`${where}: status ${status}, want ${exchange.status}`);
  if (exchange.reason !== undefined && reason !== exchange.reason) {
    differences.push(`${where}: reason ${JSON.stringify(reason)}, want ${JSON.stringify(exchange.reason)}`);
  }
  const wanted = { 'api-version': '$any', server: '$any', ostype: 'linux', ...exchange.expectHeaders };
  for (const [name, value] of Object.entries(wanted)) {
    const actual = headers[name]?.toString();
    const fits = value === null ? actual === undefined : value === '$any' ? actual !== undefined : actual === value;
    if (!fits) differences.push(`${where}: header ${name} is ${JSON.stringify(actual)}, want ${JSON.stringify(value)}`);
  }
  return differences;
}

async function checkBody(answer: Answer, variables: Map<string, string>): Promise<string[]> {
  const { exchange } = answer;
  const where = `${exchange.method} ${exchange.path}`;
  const body = await Promise.race([
    answer.body,
    new Promise<never>((_, reject) => setTimeout(() => reject(new Error(`${where}: no end`)), 20_000).unref()),
  ]);
  const differences: string[] = [];
  const text = body.toString('utf8');
  if (exchange.text !== undefined && text !== exchange.text) {
    differences.push(`${where}: body ${JSON.stringify(text.slice(0, 200))}, want ${JSON.stringify(exchange.text)}`);
  }
  if (exchange.output !== undefined) differences.push(...checkOutput(where, body, exchange.output));
  if (exchange.lines !== undefined) {
    for (const line of text.split(/\r?\n/).filter((each) => each !== '')) {
      differences.push(...mismatches(JSON.parse(line), exchange.lines, where));
    }
  }
  if (exchange.sequence !== undefined) {
    const lines = text.split(/\r?\n/).filter((each) => each !== '');
    const shown = (line: string | undefined, index: number): string[] =>
      line === undefined
        ? [`${where}: line ${index + 1} is missing, want ${JSON.stringify(exchange.sequence![index])}`]
        : mismatches(JSON.parse(line), exchange.sequence![index], `${where}: line ${index + 1}`);
    differences.push(...exchange.sequence.flatMap((_, index) => shown(lines[index], index)));
    differences.push(...lines.slice(exchange.sequence.length).map((line) => `${where}: a line too many: ${line}`));
  }
  if (exchange.shape !== undefined || exchange.save !== undefined) {
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      return [...differences, `${where}: body is not JSON: ${JSON.stringify(text.slice(0, 200))}`];
    }
    if (exchange.shape !== undefined) differences.push(...mismatches(value, fill(exchange.shape, variables), where));
    for (const [name, key] of Object.entries(exchange.save ?? {})) {
      variables.set(name, String((value as Record<string, unknown>)[key]));
    }
  }
  return differences;
}

function checkOutput(where: string, body: Buffer, wanted: NonNullable<Exchange['output']>): string[] {
  const actual =
    wanted.raw === undefined ? demultiplex(body) : { stdout: undefined, stderr: undefined, raw: body.toString('utf8') };
  return (['stdout', 'stderr', 'raw'] as const)
    .filter((name) => (wanted[name] ?? '') !== (actual[name] ?? ''))
    .map((name) => `${where}: ${name} ${JSON.stringify(actual[name])}, want ${JSON.stringify(wanted[name] ?? '')}`);
}

/** Splits a multiplexed stream into its two outputs. */
export function demultiplex(body: Buffer): { stdout: string; stderr: string; raw: string } {
  const parts = { stdout: '', stderr: '', raw: '' };
  let at = 0;
  while (at + 8 <= body.length) {
    const length = body.readUInt32BE(at + 4);
    const name = body[at] === 1 ? 'stdout' : body[at] === 2 ? 'stderr' : 'raw';
    parts[name] += body.toString('utf8', at + 8, at + 8 + length);
    at += 8 + length;
  }
  if (at !== body.length) parts.raw += body.toString('utf8', at);
  return parts;
}

const types: Readonly<Record<string, (value: unknown) => boolean>> = {
  $any: () => true,
  $string: (value) => typeof value === 'string',
  $number: (value) => typeof value === 'number',
  $boolean: (value) => typeof value === 'boolean',
  $hex64: (value) => typeof value === 'string' && /^[0-9a-f]{64}$/.test(value),
  $digest: (value) => typeof value === 'string' && /^sha256:[0-9a-f]{64}$/.test(value),
  $time: (value) => typeof value === 'string' && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$/.test(value),
};

function mismatches(value: unknown, shape: unknown, where: string): string[] {
  const wrong = [`${where}: ${JSON.stringify(value)?.slice(0, 120)}, want ${JSON.stringify(shape)}`];
  if (typeof shape === 'string' && shape.startsWith('$')) {
    if (shape.endsWith('?') && value === null) return [];
    const expression = /^\$\/(.*)\/$/s.exec(shape)?.[1];
    if (expression !== undefined) return typeof value === 'string' && new RegExp(expression).test(value) ? [] : wrong;
    const type = types[shape.replace(/\?$/, '')];
    return type?.(value) === true ? [] : wrong;
  }
  if (Array.isArray(shape)) {
    if (!Array.isArray(value)) return wrong;
    if (shape.length === 0) return value.length === 0 ? [] : wrong;
    return value.flatMap((each, index) => mismatches(each, shape[0], `${where}[${index}]`));
  }
  if (typeof shape === 'object' && shape !== null) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return wrong;
    return Object.entries(shape).flatMap(([key, each]) => {
      const name = key.replace(/\?$/, '');
      if (Object.hasOwn(value, name)) {
        return mismatches((value as Record<string, unknown>)[name], each, `${where}.${name}`);
      }
      return key.endsWith('?') ? [] : [`${where}: no ${name}`];
    });
  }
  return value === shape ? [] : wrong;
}

function fill(value: unknown, variables: ReadonlyMap<string, string>): unknown {
  const text = JSON.stringify(value).replaceAll(/\$\{(\w+)\}/g, (whole, name: string) => variables.get(name) ?? whole);
  return JSON.parse(text);
}
