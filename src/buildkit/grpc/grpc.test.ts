/** This room's client and server against each other; the stock clients are in buildx.test.ts. */
import assert from 'node:assert/strict';
import { type ClientHttp2Session, connect as connectHttp2, createServer as createHttp2 } from 'node:http2';
import { connect, createServer, type Socket } from 'node:net';
import { Duplex, duplexPair } from 'node:stream';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Fault } from '../../std/index.ts';
import { bytes, int, text } from '../protobuf/field.ts';
import { GrpcClient } from './client.ts';
import { frames, maxMessageBytes } from './frame.ts';
import { serveGrpc } from './server.ts';
import { bidirectional, type CallContext, type Method, streaming, unary } from './service.ts';
import { GrpcFault, grpcCode } from './status.ts';

const ask = { text: text(1), count: int(2), data: bytes(3) };
const tables = { request: ask, response: ask };

/** A connection over a real socket, the server's half-open as the hijacked ones are. */
class Pair implements AsyncDisposable {
  readonly near: Socket;
  readonly far: Socket;
  readonly served: Promise<void>;

  private constructor(near: Socket, far: Socket, methods: Record<string, Method>) {
    this.near = near;
    this.far = far;
    this.served = serveGrpc(far, new Map(Object.entries(methods)));
  }

  static async open(methods: Record<string, Method>): Promise<Pair> {
    const server = createServer({ allowHalfOpen: true });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
    const address = server.address();
    assert.ok(typeof address === 'object' && address !== null);
    const accepted = new Promise<Socket>((resolve) => server.once('connection', resolve));
    const near = connect(address.port, '127.0.0.1');
    const far = await accepted;
    server.close();
    return new Pair(near, far, methods);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.near.destroy();
    await this.served;
  }
}

const echo = unary(ask, ask, (request) => request);

test('a call and its answer, of any size that is allowed', async () => {
  await using pair = await Pair.open({ '/a/echo': echo });
  using client = new GrpcClient(pair.near);
  const data = Buffer.alloc(maxMessageBytes - 100, 'x');
  const answer = await client.unary('/a/echo', tables, { text: 'ü', count: -1, data });
  assert.deepEqual([answer.text, answer.count], ['ü', -1]);
  assert.ok(data.equals(answer.data));
  await assert.rejects(
    client.unary('/a/echo', tables, { data: Buffer.alloc(maxMessageBytes + 1) }),
    /more than|closed/,
  );
});

test('metadata arrives, an unknown method is told as one', async () => {
  const named = unary(ask, ask, (_, call: CallContext) => ({ text: call.metadata('x-name') ?? 'none' }));
  await using pair = await Pair.open({ '/a/named': named });
  using client = new GrpcClient(pair.near);
  const { text: said } = await client.unary('/a/named', tables, {}, { metadata: { 'x-name': 'value' } });
  assert.equal(said, 'value');
  await assert.rejects(client.unary('/a/missing', tables, {}), {
    code: grpcCode.unimplemented,
    kind: 'not-implemented',
  });
});

test('a fault crosses with its kind, its text and its details', async () => {
  const details = [{ typeUrl: 'x/y', value: Buffer.from([1, 2, 3]) }];
  await using pair = await Pair.open({
    '/a/plain': unary(ask, ask, () => {
      throw new Fault('not-found', '100% größer\nzweite Zeile');
    }),
    '/a/detailed': unary(ask, ask, () => {
      throw new GrpcFault(grpcCode.unknown, 'it failed', details);
    }),
  });
  using client = new GrpcClient(pair.near);
  await assert.rejects(client.unary('/a/plain', tables, {}), {
    kind: 'not-found',
    message: '100% größer\nzweite Zeile',
  });
  await assert.rejects(client.unary('/a/detailed', tables, {}), {
    code: grpcCode.unknown,
    message: 'it failed',
    details,
  });
});

test('many answers, and messages both ways', async () => {
  await using pair = await Pair.open({
    '/a/count': streaming(ask, ask, async function* ({ count }) {
      for (let at = 0; at < count; at++) yield { count: at };
    }),
    '/a/double': bidirectional(ask, ask, async function* (requests) {
      for await (const { count } of requests) yield { count: count * 2 };
    }),
  });
  using client = new GrpcClient(pair.near);
  using count = client.call('/a/count', tables);
  await count.send({ count: 1000 });
  let expected = 0;
  for await (const message of count.messages) assert.equal(message.count, expected++);
  assert.equal(expected, 1000);
  using double = client.call('/a/double', tables);
  await double.send({ count: 1 });
  await double.send({ count: 21 });
  double.end();
  const doubled: number[] = [];
  for await (const message of double.messages) doubled.push(message.count);
  assert.deepEqual(doubled, [2, 42]);
});

/** A method that waits until its call is cancelled. */
function waiting(): { method: Method; started: Promise<void>; cancelled: Promise<unknown> } {
  const started = Promise.withResolvers<void>();
  const cancelled = Promise.withResolvers<unknown>();
  const method = unary(ask, ask, async (_, { signal }) => {
    signal.addEventListener('abort', () => cancelled.resolve(signal.reason));
    started.resolve();
    await cancelled.promise;
    return {};
  });
  return { method, started: started.promise, cancelled: cancelled.promise };
}

test('a cancelled call is cancelled at the other end', async () => {
  const { method, started, cancelled } = waiting();
  await using pair = await Pair.open({ '/a/wait': method, '/a/echo': echo });
  using client = new GrpcClient(pair.near);
  const stop = new AbortController();
  const call = client.unary('/a/wait', tables, {}, { signal: stop.signal });
  const refused = assert.rejects(call, /enough/);
  await started;
  stop.abort(new Error('enough'));
  await refused;
  assert.ok((await cancelled) instanceof GrpcFault);
  assert.equal((await client.unary('/a/echo', tables, { count: 3 })).count, 3, 'the connection is still good');
});

test('a lost connection cancels calls at both ends', async () => {
  const { method, started, cancelled } = waiting();
  await using pair = await Pair.open({ '/a/wait': method });
  using client = new GrpcClient(pair.near);
  const refused = assert.rejects(client.unary('/a/wait', tables, {}), { kind: 'unavailable' });
  await started;
  pair.near.destroy();
  await Promise.all([refused, cancelled, pair.served, client.closed]);
  assert.throws(() => client.call('/a/wait', tables), { kind: 'unavailable' });
});

test('what is no HTTP/2 ends the connection, what is no gRPC ends the call', async () => {
  await using garbage = await Pair.open({ '/a/echo': echo });
  garbage.near.on('error', () => {});
  garbage.near.write('GET / HTTP/1.1\r\n\r\n'.repeat(100));
  await garbage.served;
  await using pair = await Pair.open({ '/a/echo': echo });
  const session = connectHttp2('http://localhost', { createConnection: () => pair.near });
  session.on('error', () => {});
  assert.equal(await rawStatus(session, Buffer.from('00000000050102', 'hex')), String(grpcCode.invalidArgument));
  assert.equal(await rawStatus(session, Buffer.alloc(0)), String(grpcCode.invalidArgument));
  assert.equal(await rawStatus(session, Buffer.from('000000000108', 'hex')), String(grpcCode.invalidArgument));
  session.destroy();
});

test('a reset without an error, behind the trailers, takes nothing away', async () => {
  const server = createHttp2();
  server.on('stream', (stream) => {
    stream.on('error', () => {});
    stream.respond({ ':status': 200 }, { waitForTrailers: true });
    stream.on('wantTrailers', () => {
      stream.sendTrailers({ 'grpc-status': '0' });
      setTimeout(() => stream.close(0), 1);
    });
    stream.end(
      frames(
        ask,
        [1, 2, 3].map((count) => ({ count })),
      ),
    );
  });
  const [near, middle] = duplexPair();
  server.emit('connection', lumped(middle));
  using client = new GrpcClient(near);
  using call = client.call('/a/any', tables);
  const counts: number[] = [];
  for await (const { count } of call.messages) {
    counts.push(count);
    await sleep(5);
  }
  assert.deepEqual(counts, [1, 2, 3]);
});

/** The other end of `middle`, whose writes come out together: frames that follow one another arrive in one piece. */
function lumped(middle: Duplex): Duplex {
  const held: Buffer[] = [];
  const flush = (): void => void (held.length > 0 && middle.write(Buffer.concat(held.splice(0))));
  const timer = setInterval(flush, 50);
  const end = new Duplex({
    read() {},
    write(chunk: Buffer, _, taken) {
      held.push(chunk);
      taken();
    },
    destroy(error, done) {
      clearInterval(timer);
      done(error);
    },
  });
  middle.on('data', (chunk) => end.push(chunk));
  middle.once('close', () => end.destroy());
  middle.once('end', () => end.destroy());
  return end;
}

/** The status that a call with these bytes ends with. */
function rawStatus(session: ClientHttp2Session, body: Buffer): Promise<string> {
  return new Promise((resolve, reject) => {
    const stream = session.request({ ':method': 'POST', ':path': '/a/echo', 'content-type': 'application/grpc' });
    stream.on('trailers', (headers) => resolve(String(headers['grpc-status'])));
    stream.on('error', reject);
    stream.resume();
    stream.end(body);
  });
}
