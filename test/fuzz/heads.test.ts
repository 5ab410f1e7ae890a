/** HTTP request heads: whatever comes, a head or a refusal; the same in whatever pieces; and never another head than Node's parser reads. */
import assert from 'node:assert/strict';
import { createServer, type IncomingMessage } from 'node:http';
import { duplexPair } from 'node:stream';
import type { Socket } from 'node:net';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { MalformedRequest, parseHead, readHead, type RequestHead } from '../../src/server/http/head.ts';
import { Body, BodyTooLarge } from '../../src/server/http/body.ts';
import { ClientGone, Input } from '../../src/server/http/input.ts';
import { parseTarget } from '../../src/server/dispatch.ts';
import { fuzzed, property } from '../support/fuzz.ts';

interface Message {
  method: string;
  target: string;
  headers: Record<string, string>;
  body: string;
}

/** As our server reads it; undefined where it refuses. */
async function ours(pieces: readonly Buffer[]): Promise<Message | undefined> {
  const [near, far] = duplexPair();
  const input = new Input(far as unknown as Socket);
  for (const piece of pieces) near.write(piece);
  near.end();
  try {
    const head = await readHead(input, () => {});
    if (head === undefined) return undefined;
    parseTarget(head.target);
    const body = await new Body(head, input, () => {}).text(1 << 20);
    return { method: head.method, target: head.target, headers: Object.fromEntries(head.headers), body };
  } catch (error) {
    if (error instanceof MalformedRequest || error instanceof ClientGone || error instanceof BodyTooLarge)
      return undefined;
    throw error;
  } finally {
    near.destroy();
    far.destroy();
  }
}

const node = createServer({ maxHeaderSize: 1 << 20, insecureHTTPParser: false, requireHostHeader: false });
node.on('clientError', (_error, socket) => socket.destroy());

/** As Node's own server reads it; undefined where it refuses. */
async function theirs(bytes: Buffer): Promise<Message | undefined> {
  const [near, far] = duplexPair();
  const found: Message[] = [];
  const onRequest = (request: IncomingMessage): void => {
    if (found.length > 0) return;
    const headers: Record<string, string> = {};
    for (const [name, values] of Object.entries(request.headersDistinct)) headers[name] = values!.join(', ');
    const message: Message = { method: request.method!, target: request.url!, headers, body: '' };
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('error', () => {});
    request.on('end', () => {
      found.push({ ...message, body: Buffer.concat(chunks).toString('utf8') });
    });
  };
  node.on('request', onRequest);
  node.on('upgrade', onRequest);
  node.emit('connection', far);
  near.on('error', () => {});
  far.on('error', () => {});
  near.resume();
  near.end(bytes);
  for (let rounds = 0; found.length === 0 && !far.destroyed && rounds < 12; rounds++) await turn();
  node.off('request', onRequest);
  node.off('upgrade', onRequest);
  near.destroy();
  far.destroy();
  return found[0];
}

/** Inputs that both servers read. */
let agreed = 0;
const corpus = [
  'GET /_ping HTTP/1.1\r\nHost: docker\r\nUser-Agent: Docker-Client/28.5.2 (linux)\r\n\r\n',
  'POST /v1.51/containers/create?name=web HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\nContent-Length: 15\r\n\r\n{"Image":"box"}',
  'POST /containers/x/attach?stream=1&stdin=1 HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\nhello',
  'PUT /containers/x/archive?path=%2F HTTP/1.1\r\nHost: d\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nTrailer: x\r\n\r\n',
  'HEAD http://docker/_ping HTTP/1.0\r\nConnection: keep-alive\r\nExpect: 100-continue\r\n\r\n',
  'DELETE /images/a%2Fb:1?force=1 HTTP/1.1\nHost: d\n\n',
];
const words = [
  '\r\n',
  '\n',
  '\r',
  '\r\n\r\n',
  ': ',
  'HTTP/1.1',
  'Content-Length: 3',
  'Transfer-Encoding: chunked',
  ', ',
  '\0',
  '%',
  '%00',
  '%2e%2e%2f',
  '\t',
];

fuzzed('heads, with the body behind them', {
  corpus,
  words,
  check: async (bytes) => {
    const whole = await ours([bytes]);
    const middle = Math.floor(bytes.length / 2);
    assert.deepEqual(await ours([bytes.subarray(0, middle), bytes.subarray(middle)]), whole, 'in two pieces');
    if (whole === undefined) return;
    for (const value of Object.values(whole.headers)) assert.doesNotMatch(value, /[\r\n\0]/);
    const other = await theirs(bytes);
    if (other === undefined) return;
    agreed++;
    // Node reads neither an absolute target's host nor what it does not know of repeated headers otherwise than we do.
    assert.equal(whole.method, other.method);
    assert.equal(whole.body, other.body, 'where the body ends');
    for (const name of ['content-length', 'transfer-encoding', 'connection', 'upgrade'])
      assert.equal(whole.headers[name]?.trim(), other.headers[name]?.trim(), name);
  },
});

test('many inputs were read by both servers', () => assert.ok(agreed > 50, `only ${agreed}`));

const token = fc.string({
  unit: fc.constantFrom(...Array.from("abcXYZ019!#$%&'*+.^_`|~-")),
  minLength: 1,
  maxLength: 12,
});
const value = fc
  .string({ unit: fc.constantFrom(...Array.from('abc XYZ;,=/"()é\t')), maxLength: 30 })
  .map((text) => text.trim());
const heads = fc.record({
  method: token,
  path: fc.string({ unit: fc.constantFrom(...Array.from('abc/%25._-?&=~')), maxLength: 40 }).map((text) => `/${text}`),
  headers: fc.uniqueArray(fc.tuple(token, value), { selector: ([name]) => name.toLowerCase(), maxLength: 8 }),
  end: fc.constantFrom('\r\n', '\n'),
});

property(
  'a head that is printed is read as what it was, in whatever pieces',
  fc.tuple(heads, fc.infiniteStream(fc.nat(9))),
  async ([{ method, path, headers, end }, cuts]) => {
    const lines = [`${method} ${path} HTTP/1.1`, ...headers.map(([name, text]) => `${name}: ${text}`), '', ''];
    const bytes = Buffer.from(lines.join(end), 'latin1');
    const expected: RequestHead = {
      method,
      target: path,
      minor: 1,
      headers: new Map(headers.map(([name, text]) => [name.toLowerCase(), text])),
    };
    assert.deepEqual(parseHead(bytes.toString('latin1')), expected);
    const [near, far] = duplexPair();
    const input = new Input(far as unknown as Socket);
    const reading = readHead(input, () => {});
    for (let at = 0; at < bytes.length; ) {
      const size = 1 + (cuts.next().value as number);
      near.write(bytes.subarray(at, at + size));
      at += size;
    }
    near.end('rest');
    assert.deepEqual(await reading, expected);
    assert.equal((await input.read())?.toString(), 'rest');
    near.destroy();
    far.destroy();
  },
);
