/** Clients that are slow, many, or hostile. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { get } from 'node:https';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { test, type TestContext } from 'node:test';
import { TestAuthority } from '../../test/support/certificates.ts';
import { silentLogger } from '../std/index.ts';
import { Admission } from './admission.ts';
import type { Answer, Asked } from './handler.ts';
import { Listener, type ListenerOptions, mayListenLater } from './listener.ts';

const hello: Answer = { status: 200, headers: { 'content-length': '5' }, body: Buffer.from('hello') };

async function listen(
  t: TestContext,
  handle: (asked: Asked) => Promise<Answer>,
  options: Partial<ListenerOptions> = {},
): Promise<Listener> {
  const listener = await Listener.open({
    host: '127.0.0.1',
    port: 0,
    tls: undefined,
    admission: new Admission(['127.0.0.0/8'], { connections: 20, connectionsPerClient: 20 }),
    handle,
    log: silentLogger,
    ...options,
  });
  t.after(() => listener[Symbol.asyncDispose]());
  return listener;
}

/** A connection that says `text`, and all that comes back until it ends. */
function say(port: number, text: string): { socket: Socket; all: Promise<string> } {
  const socket = connect(port, '127.0.0.1', () => socket.write(text));
  const chunks: Buffer[] = [];
  socket.on('data', (chunk) => chunks.push(chunk)).on('error', () => {});
  const all = new Promise<string>((done) => {
    socket.on('close', () => done(Buffer.concat(chunks).toString()));
  });
  return { socket, all };
}

const head = (line: string, ...more: string[]): string =>
  `${[`${line} HTTP/1.1`, 'Host: x', ...more].join('\r\n')}\r\n\r\n`;

test('who says nothing, little or too much is let go', async (t) => {
  const listener = await listen(t, async () => hello, { times: { headMs: 200 } });
  const silent = say(listener.port, '');
  const slow = say(listener.port, 'GET /v2/ HTTP/1.1\r\nHost: x\r\n');
  const drip = setInterval(() => slow.socket.write('X: y\r\n'), 50);
  t.after(() => clearInterval(drip));
  const large = say(listener.port, head('GET /v2/', `X: ${'x'.repeat(20_000)}`));
  const garbage = say(listener.port, 'SSH-2.0-OpenSSH\r\n\r\n');
  assert.equal(await silent.all.then((text) => text.replace(/^HTTP\/1.1 408 .*$/s, '')), '');
  assert.match(await slow.all, /^(HTTP\/1.1 408 |$)/);
  assert.match(await large.all, /^HTTP\/1.1 431 /);
  assert.match(await garbage.all, /^HTTP\/1.1 400 /);
});

test('a body that nobody asked for is not waited for', async (t) => {
  const listener = await listen(t, async () => hello);
  const { all } = say(listener.port, `${head('GET /v2/', 'Content-Length: 1000000')}some`);
  assert.match(await all, /^HTTP\/1.1 200 .*connection: close.*hello$/is);
});

test('what is asked ahead is answered in turn, and not much of it', async (t) => {
  let running = 0;
  let most = 0;
  let served = 0;
  const listener = await listen(t, async () => {
    most = Math.max(most, ++running);
    await sleep(5);
    running--;
    served++;
    return hello;
  });
  const two = say(listener.port, head('GET /v2/').repeat(2) + head('GET /v2/', 'Connection: close'));
  assert.equal((await two.all).match(/hello/g)?.length, 3);
  const many = say(listener.port, head('GET /v2/').repeat(500));
  await many.all;
  assert.equal(most, 1);
  assert.ok(served < 20, `${served}`);
});

test('no more connections than allowed; the others are still served', async (t) => {
  const admission = new Admission(['127.0.0.0/8'], { connections: 3, connectionsPerClient: 3 });
  const listener = await listen(t, async () => hello, { admission });
  const three = [1, 2, 3].map(() => say(listener.port, 'GET'));
  await sleep(50);
  assert.equal(await say(listener.port, head('GET /v2/')).all, '', 'hung up on');
  three[0]!.socket.destroy();
  await three[0]!.all;
  await sleep(20);
  assert.match(await say(listener.port, head('GET /v2/', 'Connection: close')).all, /hello$/);
  for (const { socket } of three) socket.destroy();
});

test('strangers are hung up on', async (t) => {
  const listener = await listen(t, async () => hello, { admission: new Admission(['10.0.0.0/8']) });
  assert.equal(await say(listener.port, head('GET /v2/')).all, '');
});

test('a client that takes nothing holds back no more than a few pieces, and is let go', async (t) => {
  const piece = randomBytes(128 << 10);
  let made = 0;
  const left = Promise.withResolvers<void>();
  async function* endless(): AsyncGenerator<Uint8Array> {
    try {
      for (;;) {
        made += piece.length;
        yield piece;
      }
    } finally {
      left.resolve();
    }
  }
  const headers = { 'content-length': String(1 << 40) };
  const listener = await listen(t, async () => ({ status: 200, headers, body: endless() }), {
    times: { stallMs: 200 },
  });
  const { socket, all } = say(listener.port, head('GET /v2/'));
  socket.pause();
  await left.promise;
  // The kernel's buffers of both ends, and one piece of ours.
  assert.ok(made < 16 << 20, `${made}`);
  socket.resume();
  await all;
});

test('an answer that breaks off, or is shorter than announced, is cut', async (t) => {
  async function* broken(): AsyncGenerator<Uint8Array> {
    yield Buffer.from('some');
    throw new Error('gone');
  }
  async function* short(): AsyncGenerator<Uint8Array> {
    yield Buffer.from('some');
  }
  const bodies = [broken, short];
  const headers = { 'content-length': '100' };
  const listener = await listen(t, async () => ({ status: 200, headers, body: bodies.shift()!() }));
  for (let round = 0; round < 2; round++) {
    const text = await say(listener.port, head('GET /v2/')).all;
    assert.doesNotMatch(text.split('\r\n\r\n')[1] ?? '', /.{5}/);
  }
});

test('who goes away while his answer is made is told to whoever makes it', async (t) => {
  const gone = Promise.withResolvers<void>();
  const listener = await listen(t, async ({ signal }) => {
    signal.addEventListener('abort', () => gone.resolve());
    await gone.promise;
    return hello;
  });
  const { socket } = say(listener.port, head('GET /v2/'));
  await sleep(50);
  socket.destroy();
  await gone.promise;
});

test('with a certificate', async (t) => {
  using authority = new TestAuthority();
  const { certificate, key } = authority.issue();
  const tls = { certificate: Buffer.from(certificate), key: Buffer.from(key) };
  const listener = await listen(t, async () => hello, { tls });
  const body = await new Promise<string>((done, fail) => {
    get(`https://127.0.0.1:${listener.port}/v2/`, { ca: authority.own, agent: false }, (answer) => {
      let text = '';
      answer.on('data', (chunk) => (text += String(chunk))).on('end', () => done(text));
    }).on('error', fail);
  });
  assert.equal(body, 'hello');
  assert.equal(await say(listener.port, head('GET /v2/')).all.then((text) => text.includes('hello')), false);
  await assert.rejects(
    listen(t, async () => hello, { tls: { certificate: Buffer.from('x'), key: Buffer.from('x') } }),
    {
      kind: 'invalid',
      message: /^Cannot use the certificate of the pull-through cache: /,
    },
  );
});

test('an address that is taken may be free later', async (t) => {
  const listener = await listen(t, async () => hello);
  await assert.rejects(
    listen(t, async () => hello, { port: listener.port }),
    (error) => mayListenLater(error),
  );
  await assert.rejects(
    listen(t, async () => hello, { host: '192.0.2.1', port: 5000 }),
    (error) => mayListenLater(error),
  );
});
