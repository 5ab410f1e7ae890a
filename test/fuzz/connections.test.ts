/**
 * Whole connections, pipelined requests and hijacks: serving always comes to its end, bodies and hijacked input are the bytes that their
 * framing says in whatever pieces they come, and every answer is one that Node's client could read.
 */
import assert from 'node:assert/strict';
import { duplexPair } from 'node:stream';
import type { Socket } from 'node:net';
import fc from 'fast-check';
import { Connection, type HttpRequest } from '../../src/server/http/connection.ts';
import { empty, failure, json, type Reply } from '../../src/server/http/reply.ts';
import { createLogger } from '../../src/std/index.ts';
import { fuzzed, orFaultLater, property } from '../support/fuzz.ts';

/** What `handle` is told by the path: read the body, leave it, or take the connection over and send everything back. */
async function handle({ head, body }: HttpRequest): Promise<Reply> {
  if (head.target.startsWith('/echo')) {
    const text = await orFaultLater(() => body.text(1 << 20));
    return text === undefined ? failure(413, 'too large') : { ...json({}), body: text };
  }
  if (head.target.startsWith('/hijack')) {
    return {
      kind: 'raw',
      head: 'HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n',
      serve: async (stream) => {
        for (let bytes = await stream.read(); bytes !== undefined; bytes = await stream.read())
          await stream.write(bytes);
        await stream.finish(0);
      },
    };
  }
  return empty(204);
}

/** All that a client which sends `pieces` and half-closes is answered. @throws Error when serving does not end, or fails otherwise than it may */
async function serve(pieces: readonly Buffer[]): Promise<string> {
  const [near, far] = duplexPair();
  const complaints: string[] = [];
  const logger = createLogger({ level: 'warn', format: 'text', write: (line) => void complaints.push(line) });
  const connection = new Connection(far as unknown as Socket, { handle, standardHeaders: '', logger });
  const chunks: Buffer[] = [];
  near.on('data', (chunk: Buffer) => chunks.push(chunk));
  near.on('error', () => {});
  far.on('error', () => {});
  const serving = connection.serve();
  for (const piece of pieces) near.write(piece);
  near.end();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('the connection is still served')), 3000);
  });
  await Promise.race([serving, late]);
  clearTimeout(timer);
  assert.deepEqual(complaints, []);
  return Buffer.concat(chunks)
    .toString('latin1')
    .replaceAll(/Date: [^\r]*/g, 'Date: now');
}

const corpus = [
  'GET /none HTTP/1.1\r\nHost: d\r\n\r\nGET /none HTTP/1.1\r\nHost: d\r\n\r\n',
  'POST /echo HTTP/1.1\r\nContent-Length: 5\r\n\r\nhelloPOST /none HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcGET /none HTTP/1.1\r\n\r\n',
  'POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nA: b\r\n\r\nGET /none HTTP/1.1\r\n\r\n',
  'POST /hijack HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 2\r\n\r\n{}input',
  'POST /hijack HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\ninput',
  'HEAD /echo HTTP/1.0\r\nConnection: keep-alive\r\n\r\nPOST /echo HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx',
];

fuzzed('pipelined requests', {
  corpus,
  words: [
    '\r\n',
    '0\r\n\r\n',
    'ffffffffffff\r\n',
    'GET /none HTTP/1.1\r\n\r\n',
    'POST /hijack HTTP/1.1\r\n\r\n',
    'Content-Length: 4',
    ';',
  ],
  check: async (bytes) => {
    const whole = await serve([bytes]);
    // Each answer begins where the one before ended.
    if (!/hijack/.test(bytes.toString('latin1'))) assert.match(whole, /^(HTTP\/1\.1 \d{3} |$)/);
    for (const status of whole.match(/HTTP\/1\.1 5\d\d/g) ?? []) assert.equal(status, 'HTTP/1.1 501', whole);
    const middle = Math.floor(bytes.length / 2);
    assert.equal(await serve([bytes.subarray(0, middle), bytes.subarray(middle)]), whole, 'in two pieces');
  },
});

const payload = fc.uint8Array({ minLength: 1, maxLength: 40 }).map((bytes) => Buffer.from(bytes));
const framing = fc.oneof(
  payload.map((body) => ({ body, wire: Buffer.concat([Buffer.from(`Content-Length: ${body.length}\r\n\r\n`), body]) })),
  fc.array(payload, { maxLength: 4 }).map((chunks) => ({
    body: Buffer.concat(chunks),
    wire: Buffer.concat([
      Buffer.from('Transfer-Encoding: chunked\r\n\r\n'),
      ...chunks.flatMap((chunk) => [Buffer.from(`${chunk.length.toString(16)};e="x"\r\n`), chunk, Buffer.from('\r\n')]),
      Buffer.from('0\r\nT: v\r\n\r\n'),
    ]),
  })),
);

property(
  'bodies are what was framed, and what follows a hijack comes back byte by byte',
  fc.tuple(framing, framing, payload, fc.infiniteStream(fc.nat(30))),
  async ([first, second, input, cuts]) => {
    const wire = Buffer.concat([
      Buffer.from('POST /echo HTTP/1.1\r\n'),
      first.wire,
      Buffer.from('POST /hijack HTTP/1.1\r\nUpgrade: tcp\r\n'),
      second.wire,
      input,
    ]);
    const pieces: Buffer[] = [];
    for (let at = 0; at < wire.length; at += pieces.at(-1)!.length)
      pieces.push(wire.subarray(at, at + 1 + (cuts.next().value as number)));
    const answer = await serve(pieces);
    const [, echoed, rest] = /Content-Length: \d+\r\n\r\n([^]*?)(HTTP\/1\.1 101 [^]*)$/.exec(answer) ?? [];
    assert.equal(echoed, Buffer.from(first.body.toString('utf8')).toString('latin1'));
    assert.equal(rest?.slice(rest.indexOf('\r\n\r\n') + 4), input.toString('latin1'));
  },
);
