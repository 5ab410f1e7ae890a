/**
 * Clients that mean harm, or are broken: too slow, too many, without end, without sense. Whatever they do, the daemon answers another
 * client meanwhile (within a second; here a busy machine has three), stays below `memoryBound`, and is afterwards as it was: no descriptor, no container, no crash in its log.
 */
import assert from 'node:assert/strict';
import { globSync, readFileSync, rmdirSync } from 'node:fs';
import { request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { posix } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { busyboxImage } from '../support/images.ts';
import { gatherNoise } from '../support/noise.ts';
import { Daemon, sharedDaemon, type Host } from '../support/daemon.ts';
import { until } from '../support/docker.ts';
import { fakeRegistry } from '../support/registry.ts';
import { Pinger } from '../support/pinger.ts';

const host = await sharedDaemon({
  // What the runtime cannot do with what it is asked for.
  expectedErrors: [/OCI runtime create failed/],
});
const megabyte = 1 << 20;
/** docs/guide/security.md says so. Most of it is Node itself. */
const memoryBound = 400 * megabyte;

/** Connections of the scenario. */
const open = new Set<Peer>();

/** A connection that sends what it is told and reads only when asked to. */
class Peer {
  readonly socket: Socket;
  received = '';
  ended = false;

  constructor(path = host.daemon.socket, { reads = true }: { reads?: boolean } = {}) {
    this.socket = connect({ path, allowHalfOpen: true });
    open.add(this);
    this.socket.on('close', () => open.delete(this));
    const end = (): void => {
      this.ended = true;
    };
    this.socket.on('error', end);
    this.socket.on('close', end);
    if (!reads) return;
    this.socket.on('end', end);
    this.socket.on('data', (chunk: Buffer) => {
      if (this.received.length < 100_000) this.received += chunk.toString('latin1');
    });
  }

  /** Waits while the other side does not take it; gives up when it is gone. */
  async send(text: string | Uint8Array): Promise<void> {
    if (this.ended || this.socket.destroyed) return;
    if (this.socket.write(text)) return;
    await new Promise<void>((done) => {
      const finish = (): void => {
        clearTimeout(timer);
        this.socket.off('drain', finish).off('close', finish);
        done();
      };
      const timer = setTimeout(finish, 5000);
      this.socket.on('drain', finish).on('close', finish);
    });
  }

  /** What it was answered when the answer matches. */
  async until(pattern: RegExp, timeoutMs = 10_000): Promise<string> {
    await until(() => pattern.test(this.received), {
      timeoutMs,
      what: () => `${pattern}, got ${JSON.stringify(this.received.slice(0, 500))}`,
    });
    return this.received;
  }

  close(): void {
    this.socket.destroy();
  }
}

/** Status, headers and body of one request whose target goes out as it is. */
function ask(
  method: string,
  target: string,
  body?: string,
  headers: Record<string, string> = {},
): Promise<{ status: number; text: string; headers: NodeJS.Dict<string | string[]> }> {
  return new Promise((done, fail) => {
    const type =
      body === undefined
        ? {}
        : { 'Content-Type': 'application/json', 'Content-Length': String(Buffer.byteLength(body)) };
    const message = request(
      { socketPath: host.daemon.socket, method, path: target, agent: false, headers: { ...type, ...headers } },
      (answer) => {
        let text = '';
        answer.setEncoding('utf8');
        answer.on('data', (chunk: string) => {
          if (text.length < megabyte) text += chunk;
        });
        answer.on('end', () => done({ status: answer.statusCode!, text, headers: answer.headers }));
        answer.on('error', fail);
      },
    );
    message.setTimeout(20_000, () => message.destroy(new Error(`no answer to ${method} ${target.slice(0, 100)}`)));
    message.on('error', fail);
    message.end(body);
  });
}

/** A scenario, watched by another client and measured. */
function hostile(name: string, body: (host: Host) => Promise<void>, timeoutMs = 120_000, skip?: string): void {
  host.scenario(
    name,
    async (context) => {
      const { daemon, docker } = host;
      daemon.resetPeakMemory();
      const pinger = await Pinger.start(daemon.socket);
      try {
        await body(host);
      } finally {
        for (const peer of open) peer.close();
        const { count, longestMs, longestAtMs, failures } = await pinger.stop();
        const peak = daemon.peakMemory();
        context.diagnostic(
          `peak ${Math.round(peak / megabyte)} MiB; another client waited ${Math.round(longestMs)} ms, ${Math.round(longestAtMs)} ms after the start`,
        );
        assert.deepEqual(failures, [], 'pings that failed');
        assert.ok(count > 0 && longestMs < 3000, `another client waited ${Math.round(longestMs)} ms`);
        assert.ok(peak < memoryBound, `the daemon had ${Math.round(peak / megabyte)} MiB`);
      }
      await daemon.clear();
      assert.equal(await docker.ok('ps', '-aq'), '');
      await until(() => daemon.moreDescriptors().length === 0, {
        timeoutMs: 10_000,
        what: () => `descriptors: ${daemon.moreDescriptors().join(', ')}`,
      });
      assert.deepEqual(daemon.unexpectedErrors(), []);
    },
    { timeoutMs, skip },
  );
}

const post = (path: string, framing: string): string =>
  `POST ${path} HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\n${framing}\r\n`;
const chunked = 'Transfer-Encoding: chunked\r\n';

hostile(
  'heads and bodies that drip are cut after half a minute; who waits, listens or works slowly is not',
  async ({ daemon, docker }) => {
    await docker.ok('run', '-d', '--name', 'quiet', 'busybox', 'sleep', '600');
    await docker.ok('run', '-d', '-i', '--name', 'cat', 'busybox', 'cat');
    const patient = {
      idle: new Peer(),
      'idle after a request': new Peer(),
      events: new Peer(),
      logs: new Peer(),
      attach: new Peer(),
      wait: new Peer(),
      stats: new Peer(),
      build: new Peer(),
      load: new Peer(),
    };
    await patient['idle after a request'].send('GET /_ping HTTP/1.1\r\nHost: d\r\n\r\n');
    await patient.events.send('GET /events HTTP/1.1\r\nHost: d\r\n\r\n');
    await patient.logs.send('GET /containers/quiet/logs?follow=1&stdout=1 HTTP/1.1\r\nHost: d\r\n\r\n');
    await patient.attach.send(
      'POST /containers/cat/attach?stream=1&stdin=1&stdout=1 HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n',
    );
    await patient.wait.send('POST /containers/quiet/wait HTTP/1.1\r\nHost: d\r\n\r\n');
    await patient.stats.send('GET /containers/quiet/stats HTTP/1.1\r\nHost: d\r\n\r\n');
    // Contexts and archives that stop in the middle: somebody may be making them.
    await patient.build.send(
      `POST /build?t=slow HTTP/1.1\r\nHost: d\r\nContent-Type: application/x-tar\r\nContent-Length: 10240\r\n\r\n${'\0'.repeat(512)}`,
    );
    await patient.load.send(
      `POST /images/load HTTP/1.1\r\nHost: d\r\nContent-Type: application/x-tar\r\nContent-Length: 10240\r\n\r\n${'\0'.repeat(512)}`,
    );
    await using registry = await fakeRegistry(async (message, response) => {
      if (!message.url!.includes('manifests')) return false;
      await sleep(40_000);
      response.writeHead(404).end('{}');
      return true;
    });
    const pull = new Peer();
    await pull.send(
      `POST /images/create?fromImage=${registry.host}/a&tag=1 HTTP/1.1\r\nHost: d\r\nContent-Length: 0\r\n\r\n`,
    );

    const starts = [
      'GET /_ping HTTP/1.1\r\nX: ',
      'G',
      `${post('/containers/create', 'Content-Length: 1000000\r\n')}{`,
      `${post('/volumes/create', chunked)}1;`,
      `${post('/networks/create', chunked)}5\r\n{`,
    ];
    const slow = Array.from({ length: 200 }, (_, index) => {
      const peer = new Peer();
      void peer.send(starts[index % starts.length]!);
      return peer;
    });
    const dripping = setInterval(() => {
      for (const peer of slow) void peer.send('x');
    }, 500);
    const started = performance.now();
    await until(() => slow.every(({ ended }) => ended), {
      timeoutMs: 45_000,
      what: () => `${slow.filter(({ ended }) => !ended).length} of ${slow.length} to be cut`,
    });
    clearInterval(dripping);
    assert.ok(performance.now() - started > 20_000, 'nobody is cut early');
    for (const [index, { received }] of slow.entries())
      assert.match(received, index % starts.length < 2 ? /^$/ : /^HTTP\/1\.1 408 /, starts[index % starts.length]);
    for (const [what, peer] of Object.entries(patient)) assert.equal(peer.ended, false, what);
    assert.equal(pull.ended, false, 'a pull');
    await patient.attach.send('still here\n');
    await patient.attach.until(/still here/);
    await patient.idle.send('GET /_ping HTTP/1.1\r\nHost: d\r\n\r\n');
    await patient.idle.until(/OK$/);
    await docker.ok('rm', '-f', 'quiet');
    await patient.wait.until(/"StatusCode":137/);
    await patient.events.until(/"Action":"destroy"/);
    for (const peer of [...Object.values(patient), pull]) peer.close();
    for (const peer of slow) peer.close();
    assert.equal(await daemon.answers(), true);
  },
);

hostile('connections that break off anywhere', async ({ docker }) => {
  await docker.ok('run', '-d', '-i', '--name', 'cat', 'busybox', 'cat');
  const starts = [
    '',
    'GET /_pi',
    `${post('/containers/create', 'Content-Length: 100\r\n')}{"Image":`,
    `${post('/images/load', chunked)}ffff\r\nabc`,
    'GET /events HTTP/1.1\r\nHost: d\r\n\r\n',
    'GET /containers/cat/logs?follow=1&stdout=1 HTTP/1.1\r\nHost: d\r\n\r\n',
    'POST /containers/cat/attach?stream=1&stdin=1&stdout=1 HTTP/1.1\r\nHost: d\r\nUpgrade: tcp\r\n\r\nhello',
    'POST /containers/cat/wait HTTP/1.1\r\nHost: d\r\n\r\n',
    'GET /images/busybox/get HTTP/1.1\r\nHost: d\r\n\r\n',
    'POST /session HTTP/1.1\r\nHost: d\r\nUpgrade: h2c\r\nX-Docker-Expose-Session-Uuid: a\r\n\r\nPRI * HT',
    'POST /build HTTP/1.1\r\nHost: d\r\nContent-Length: 1000\r\n\r\nabc',
  ];
  for (let round = 0; round < 10; round++) {
    const peers = starts.map((start) => ({ peer: new Peer(undefined, { reads: round % 2 === 0 }), start }));
    for (const { peer, start } of peers) await peer.send(start);
    await sleep(20 * round);
    for (const [index, { peer }] of peers.entries()) {
      if ((index + round) % 3 === 0) peer.socket.end();
      else peer.close();
    }
    await sleep(30);
    for (const { peer } of peers) peer.close();
  }
});

hostile('nonsense, pipelined', async () => {
  const noise = gatherNoise(7);
  for (let round = 0; round < 200; round++) {
    const peer = new Peer();
    await peer.send(
      Buffer.concat([Buffer.from(round % 2 === 0 ? 'GET /_ping HTTP/1.1\r\nHost: d\r\n\r\n' : ''), noise(2000)]),
    );
    peer.socket.end();
    await until(() => peer.ended, { timeoutMs: 10_000, what: 'the end' });
    for (const [, status] of peer.received.matchAll(/HTTP\/1\.1 (\d+)/g)) assert.match(status!, /^(200|4\d\d|501)$/);
    peer.close();
  }
  // A hundred thousand requests of one who reads no answer.
  const peers = Array.from({ length: 10 }, () => new Peer(undefined, { reads: false }));
  const many = 'GET /version HTTP/1.1\r\nHost: d\r\n\r\n'.repeat(1000);
  await Promise.all(
    peers.map(async (peer) => {
      for (let count = 0; count < 10 && !peer.ended; count++) await peer.send(many);
    }),
  );
  for (const peer of peers) peer.close();
});

const descriptors = Number(/^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1'))?.[1]);
const tooFew = descriptors < 17_000 ? `needs 17000 descriptors and has ${descriptors} (ulimit -n)` : undefined;

hostile(
  'ten thousand connections',
  async ({ docker }) => {
    const peers: Peer[] = [];
    for (let count = 0; count < 10_000; count++) {
      peers.push(new Peer());
      // The queue of a socket that listens is some thousand long.
      if (count % 200 === 199) await sleep(5);
    }
    await sleep(500);
    assert.equal(await docker.ok('ps', '-q'), '');
    await docker.ok('run', '--rm', 'busybox', 'true');
    // The last ones are served as ever; some of the first have made room.
    const last = peers.at(-1)!;
    await last.send('GET /_ping HTTP/1.1\r\nHost: d\r\n\r\n');
    await last.until(/OK$/);
    const closed = peers.filter(({ ended }) => ended).length;
    assert.ok(closed > 1000 && closed < 4000, `${closed} were closed`);
    for (const peer of peers) peer.close();
  },
  120_000,
  tooFew,
);

host.scenario(
  'descriptors run out: others are served as soon as connections close, and containers start meanwhile',
  async () => {
    const launcher = ['sh', '-c', 'ulimit -n 512; exec "$@"', 'sh'];
    await using daemon = await Daemon.open({ launcher });
    await daemon.docker.ok('load', '-q', '-i', await busyboxImage());
    const idle = Array.from({ length: 1000 }, () => new Peer(daemon.socket));
    await sleep(500);
    assert.equal(await daemon.answers(), true, 'idle connections make room');
    assert.equal(await daemon.docker.ok('run', '--rm', 'busybox', 'echo', 'hi'), 'hi');
    for (const peer of idle) peer.close();
    const busy: Peer[] = [];
    for (let count = 0; count < 400; count++) {
      const peer = new Peer(daemon.socket);
      await peer.send('GET /events HTTP/1.1\r\nHost: d\r\n\r\n');
      busy.push(peer);
    }
    await until(() => busy.filter(({ received, ended }) => ended || received !== '').length === busy.length, {
      what: 'all to be answered',
    });
    assert.ok(busy.some(({ received }) => /^HTTP\/1\.1 503 [^]*too many connections/.test(received)));
    for (const peer of busy.slice(0, 100)) peer.close();
    await until(() => daemon.answers(), { timeoutMs: 10_000, what: 'an answer' });
    assert.equal(await daemon.docker.ok('run', '--rm', 'busybox', 'echo', 'hi'), 'hi');
    for (const peer of busy) peer.close();
  },
  { timeoutMs: 120_000 },
);

const jsonEndpoints = [
  '/containers/create',
  '/containers/x/update',
  '/containers/x/exec',
  '/exec/x/start',
  '/networks/create',
  '/networks/bridge/connect',
  '/networks/bridge/disconnect',
  '/volumes/create',
  '/auth',
  '/commit?container=x',
];

hostile('bodies without end, wherever JSON is taken', async () => {
  const spaces = `10000\r\n${' '.repeat(65_536)}\r\n`;
  for (const path of jsonEndpoints) {
    const peer = new Peer();
    await peer.send(post(path, chunked));
    let sent = 0;
    for (; sent < 40 * megabyte && !peer.received.includes('\r\n\r\n') && !peer.ended; sent += 65_536)
      await peer.send(spaces);
    assert.match(
      await peer.until(/\}\n$/),
      /^HTTP\/1\.1 413 Content Too Large\r\n[^]*the limit is 16777216 bytes/,
      path,
    );
    assert.ok(sent < 30 * megabyte, `${sent} bytes of ${path} were taken`);
    peer.close();
    const announced = new Peer();
    await announced.send(`${post(path, 'Content-Length: 900000000000000\r\n')}{`);
    await announced.until(/^HTTP\/1\.1 413 /);
    announced.close();
  }
  // Many at once get no more memory than there is for all.
  const peers = Array.from({ length: 40 }, () => new Peer());
  await Promise.all(
    peers.map(async (peer) => {
      await peer.send(post('/containers/create', chunked));
      while (!peer.received.includes('\r\n\r\n') && !peer.ended) await peer.send(spaces);
      assert.match(await peer.until(/^HTTP/), /^HTTP\/1\.1 (413|503) /);
      peer.close();
    }),
  );
});

hostile(
  'framing without end: extensions, trailers, single bytes, headers, lengths, bodies that nobody reads',
  async () => {
    const cases: [start: string, more: string, answer: RegExp][] = [
      [post('/containers/create', chunked), '1;'.padEnd(60_000, 'e'), /^HTTP\/1\.1 400 /],
      [post('/containers/create', chunked), `1;${'e'.repeat(8000)}\r\n \r\n`, /^HTTP\/1\.1 400 /],
      [`${post('/containers/create', chunked)}0\r\n`, 'T: x\r\n'.repeat(1000), /^HTTP\/1\.1 400 /],
      ['GET /_ping HTTP/1.1\r\n', 'X: y\r\n'.repeat(10_000), /^HTTP\/1\.1 431 /],
      ['GET /', 'a'.repeat(65_536), /^HTTP\/1\.1 431 /],
      [post('/containers/create', 'Content-Length: 99999999999999999999999\r\n'), ' ', /^HTTP\/1\.1 400 /],
      [post('/containers/create', 'Content-Length: -1\r\n'), ' ', /^HTTP\/1\.1 400 /],
      [post('/containers/create', 'Content-Length: 1\r\nContent-Length: 2\r\n'), ' ', /^HTTP\/1\.1 400 /],
      [post('/containers/create', `${chunked}Content-Length: 2\r\n`), ' ', /^HTTP\/1\.1 400 /],
      [post('/containers/create', 'Transfer-Encoding: gzip, chunked\r\n'), ' ', /^HTTP\/1\.1 501 /],
      [post('/containers/create', 'Content-Encoding: gzip\r\nContent-Length: 2\r\n'), '\x1f\x8b', /^HTTP\/1\.1 400 /],
      [`GET /_ping HTTP/1.1\r\nHost: d\r\n${chunked}\r\n`, `10000\r\n${' '.repeat(65_536)}\r\n`, /^HTTP\/1\.1 200 /],
      [post('/containers/prune', chunked), `10000\r\n${' '.repeat(65_536)}\r\n`, /^HTTP\/1\.1 200 /],
      [post('/containers/x/start', 'Content-Length: 900000000000\r\n'), ' '.repeat(65_536), /^HTTP\/1\.1 400 /],
      [
        `GET /_ping HTTP/1.1\r\nHost: d\r\nExpect: 100-continue\r\nContent-Length: 900000000000\r\n\r\n`,
        ' '.repeat(65_536),
        /^HTTP\/1\.1 200 /,
      ],
    ];
    for (const [start, more, answer] of cases) {
      const peer = new Peer();
      await peer.send(start);
      const deadline = performance.now() + 20_000;
      while (!peer.ended && performance.now() < deadline) await peer.send(more);
      assert.match(peer.received.replace(/^HTTP\/1\.1 100 Continue\r\n\r\n/, ''), answer, start);
      assert.ok(peer.ended, `${start} is read on`);
      peer.close();
    }
    const single = new Peer();
    await single.send(post('/containers/create', chunked));
    const bytes = '1\r\n \r\n'.repeat(10_000);
    for (let count = 0; count < 100; count++) await single.send(bytes);
    await single.send('0\r\n\r\n');
    await single.until(/^HTTP\/1\.1 400 /, 30_000);
    single.close();
  },
);

hostile('clients that never read', async ({ daemon, docker }) => {
  await docker.ok(
    'run',
    '-d',
    '--name',
    'chatty',
    '--log-opt',
    'max-size=20m',
    // What they print is the trouble here, not the processor they take from the other client.
    '--cpus',
    '0.2',
    'busybox',
    'sh',
    '-c',
    'yes 0123456789012345678901234567890123456789',
  );
  await docker.ok(
    'run',
    '-d',
    '-t',
    '--cpus',
    '0.2',
    '--name',
    'terminal',
    'busybox',
    'sh',
    '-c',
    'while :; do printf x; done',
  );
  await docker.ok('create', '-i', '--name', 'created', 'busybox', 'cat');
  const targets = [
    'GET /containers/chatty/logs?follow=1&stdout=1&stderr=1&tail=all',
    'GET /containers/chatty/logs?stdout=1&timestamps=1',
    'GET /containers/chatty/stats',
    'GET /containers/chatty/export',
    'GET /images/busybox/get',
    'GET /events',
    'GET /events?since=1',
    'POST /containers/chatty/attach?stream=1&stdout=1&stderr=1',
    'POST /containers/terminal/attach?stream=1&stdout=1&logs=1',
    'GET /containers/chatty/archive?path=/bin',
  ];
  const peers = targets.flatMap((target) =>
    Array.from({ length: 10 }, () => ({ target, peer: new Peer(undefined, { reads: false }) })),
  );
  for (const { target, peer } of peers) {
    await peer.send(`${target} HTTP/1.1\r\nHost: d\r\n\r\n`);
    // A hundred answers begun in the same moment take their time, whoever reads them.
    await sleep(20);
  }
  // Input for a process that does not run yet.
  const early = Array.from({ length: 10 }, () => new Peer(undefined, { reads: false }));
  const input = Buffer.alloc(megabyte, 'x');
  await Promise.all(
    early.map(async (peer) => {
      await peer.send(
        'POST /containers/created/attach?stream=1&stdin=1&stdout=1 HTTP/1.1\r\nHost: d\r\nUpgrade: tcp\r\n\r\n',
      );
      for (let count = 0; count < 5; count++) peer.socket.write(input);
    }),
  );
  // Labels that every event carries.
  for (let count = 0; count < 30; count++) {
    const { status } = await ask(
      'POST',
      '/volumes/create',
      JSON.stringify({ Name: `v${count}`, Labels: { a: 'x'.repeat(100_000) } }),
    );
    assert.equal(status, 201);
  }
  for (let count = 0; count < 30; count++) await ask('DELETE', `/volumes/v${count}`);
  await sleep(3000);
  // The one whose output nobody takes waits, and can be killed all the same.
  assert.equal(await docker.ok('inspect', '-f', '{{.State.Running}}', 'chatty'), 'true');
  await docker.ok('kill', 'chatty', 'terminal');
  for (const peer of [...peers.map((each) => each.peer), ...early]) peer.close();
  assert.equal(await daemon.answers(), true);
});

hostile('hijacks gone wrong', async ({ docker }) => {
  await docker.ok('run', '-d', '-i', '--name', 'cat', 'busybox', 'cat');
  const noise = gatherNoise(11);
  const upgrade =
    'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n';
  const starts = [
    'POST /containers/cat/attach?stream=1&stdin=1&stdout=1 HTTP/1.1\r\nHost: d\r\nUpgrade: tcp\r\n\r\n',
    'POST /containers/cat/attach?stream=1&stdout=1 HTTP/1.1\r\nHost: d\r\nUpgrade: nonsense\r\nConnection: Upgrade\r\n\r\n',
    'POST /containers/cat/attach?stream=1&stdin=1 HTTP/1.0\r\n\r\n',
    `POST /containers/cat/attach?stream=1&stdin=1 HTTP/1.1\r\nHost: d\r\n${chunked}\r\nzzz\r\n`,
    'POST /containers/cat/attach HTTP/1.1\r\nHost: d\r\nContent-Length: 100000000\r\n\r\n',
    `GET /containers/cat/attach/ws?stream=1&stdin=1&stdout=1 HTTP/1.1\r\nHost: d\r\n${upgrade}\r\n`,
    `GET /containers/cat/attach/ws?stream=1 HTTP/1.1\r\nHost: d\r\n${upgrade}\r\n\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff`,
    'GET /containers/cat/attach/ws HTTP/1.1\r\nHost: d\r\nUpgrade: websocket\r\n\r\n',
    'POST /session HTTP/1.1\r\nHost: d\r\nUpgrade: h2c\r\nConnection: Upgrade\r\nX-Docker-Expose-Session-Uuid: a\r\n\r\n',
    'POST /grpc HTTP/1.1\r\nHost: d\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n',
    'POST /grpc HTTP/1.1\r\nHost: d\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\nPRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0',
    'POST /grpc HTTP/1.1\r\nHost: d\r\nUpgrade: h2c\r\n\r\nPRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\x01\x04\0\0\0\x01',
    'POST /grpc HTTP/1.1\r\nHost: d\r\nUpgrade: h3\r\n\r\n',
    'POST /exec/nosuch/start HTTP/1.1\r\nHost: d\r\nUpgrade: tcp\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}',
  ];
  for (const start of starts) {
    for (const more of [noise(5000), Buffer.alloc(200_000, 0), Buffer.alloc(200_000, 255)]) {
      const peer = new Peer();
      await peer.send(Buffer.from(start, 'latin1'));
      await peer.send(more);
      await sleep(20);
      peer.socket.end();
      await sleep(10);
      for (const [, status] of peer.received.matchAll(/^HTTP\/1\.1 (\d+)/gm))
        assert.match(status!, /^(101|200|4\d\d|501)$/, start);
      peer.close();
    }
  }
  assert.equal(await docker.ok('inspect', '-f', '{{.State.Running}}', 'cat'), 'true');
});

const nested = (count: number, open: string, close: string, middle = '1'): string =>
  open.repeat(count) + middle + close.repeat(count);

hostile('JSON that hurts', async ({ docker }) => {
  const bodies = [
    nested(100_000, '[', ']'),
    nested(100_000, '{"a":', '}'),
    `{"Image":"busybox","Cmd":${nested(100_000, '[', ']')}}`,
    `{"Image":"busybox","Labels":${nested(100_000, '{"a":', '}')}}`,
    `{"Name":"n","Labels":{"a":${nested(100_000, '[', ']')}}}`,
    `{"Container":${nested(100_000, '[', ']')}}`,
    '[',
    '{"Image":',
    '"text"',
    '1e999',
    '{"Image":5,"image":"busybox"}',
    '{"Image":"busybox","StopTimeout":1e400}',
    '{"Image":"busybox","Labels":{"a":{"toString":1}}}',
    '{"Image":"busybox","Cmd":{"toString":1}}',
    '\u0000',
    '\ufeff{}',
    'x'.repeat(megabyte),
    `{"Image":"busybox","Cmd":[${'0,'.repeat(500_000)}0]}`,
  ];
  for (const path of jsonEndpoints) {
    for (const body of bodies) {
      // With credentials of no kind it asks the Hub, which is not here.
      if (path === '/auth' && body.startsWith('{')) continue;
      const { status, text } = await ask('POST', path, body);
      // Keys that mean nothing are ignored, as in Docker: a volume needs none.
      const isVolume = status === 201 && path === '/volumes/create';
      if (isVolume) await ask('DELETE', `/volumes/${(JSON.parse(text) as { Name: string }).Name}`);
      assert.ok(
        isVolume || (status >= 400 && status < 500),
        `${path} ${body.slice(0, 60)}: ${status} ${text.slice(0, 200)}`,
      );
      assert.ok(text.length < 10_000, `${path} ${body.slice(0, 60)} is answered with ${text.length} bytes`);
      assert.doesNotMatch(text, /call stack|Cannot convert|undefined|\bat .*:\d+:\d+/, `${path} ${body.slice(0, 60)}`);
    }
  }
  // Keys that are names in JavaScript are keys like others.
  const odd =
    '{"Image":"busybox","Cmd":["true"],"Labels":{"__proto__":"a","constructor":"b","toString":"c"},"__proto__":{"Image":"other"},"HostConfig":{"Tmpfs":{"/__proto__":""},"Annotations":{"__proto__":"x"}}}';
  const { status, text } = await ask('POST', '/containers/create?name=odd', odd);
  assert.equal(status, 201, text);
  const found = JSON.parse((await ask('GET', '/containers/odd/json')).text) as { Config: { Labels: object } };
  assert.deepEqual(Object.entries(found.Config.Labels), [
    ['__proto__', 'a'],
    ['constructor', 'b'],
    ['toString', 'c'],
  ]);
  assert.equal(await docker.ok('ps', '-a', '--filter', 'label=constructor=b', '--format', '{{.Names}}'), 'odd');
  assert.equal(await docker.ok('ps', '-aq', '--filter', 'label=valueOf'), '');
  for (const name of ['constructor', '__proto__', 'toString', 'hasOwnProperty']) {
    for (const path of [
      `/containers/${name}/json`,
      `/images/${name}/json`,
      `/networks/${name}`,
      `/volumes/${name}`,
      `/exec/${name}/json`,
    ])
      assert.ok([400, 404].includes((await ask('GET', path)).status), path);
  }
});

hostile(
  'numbers, texts and names at their ends',
  async () => {
    const numbers = ['-1', '1e20', '9007199254740993', '-9223372036854775808', '0.5', '4294967296'];
    for (const key of [
      'Memory',
      'MemorySwap',
      'CpuShares',
      'NanoCpus',
      'CpuPeriod',
      'CpuQuota',
      'PidsLimit',
      'ShmSize',
      'OomScoreAdj',
      'BlkioWeight',
    ]) {
      for (const number of numbers) {
        const { status, text } = await ask(
          'POST',
          '/containers/create',
          `{"Image":"busybox","Cmd":["true"],"HostConfig":{"${key}":${number}}}`,
        );
        assert.ok(status === 201 || status === 400, `${key} ${number}: ${status} ${text}`);
        if (status === 201) await startAnyhow((JSON.parse(text) as { Id: string }).Id, `${key} ${number}`);
      }
    }
    const long = 'x'.repeat(2 * megabyte);
    const texts = [
      '',
      '\0',
      'a\0b',
      'a\nb',
      '\ud800',
      '../../etc/passwd',
      '/',
      '.',
      '..',
      '%',
      '%00',
      "';--",
      '${PATH}',
      '\u202e',
      long,
    ];
    const fields: ((value: string) => object)[] = [
      (value) => ({ Env: [`A=${value}`] }),
      (value) => ({ Env: [value] }),
      (value) => ({ Cmd: ['echo', value] }),
      (value) => ({ Cmd: [value] }),
      (value) => ({ Labels: { [value]: value } }),
      (value) => ({ Hostname: value }),
      (value) => ({ User: value }),
      (value) => ({ WorkingDir: value }),
      (value) => ({ StopSignal: value }),
      (value) => ({ HostConfig: { Binds: [`${value}:/x`] } }),
      (value) => ({ HostConfig: { Binds: [`/tmp:${value}`] } }),
      (value) => ({ HostConfig: { Tmpfs: { [value]: value } } }),
      (value) => ({ HostConfig: { NetworkMode: value } }),
      (value) => ({ HostConfig: { CgroupParent: value } }),
      (value) => ({ HostConfig: { ExtraHosts: [`${value}:1.2.3.4`] } }),
      (value) => ({ HostConfig: { Dns: [value] } }),
      (value) => ({ HostConfig: { Sysctls: { [value]: value } } }),
      (value) => ({ HostConfig: { Annotations: { [value]: value } } }),
      (value) => ({ HostConfig: { VolumesFrom: [value] } }),
      (value) => ({ HostConfig: { LogConfig: { Type: 'json-file', Config: { 'max-size': value } } } }),
    ];
    for (const [index, field] of fields.entries()) {
      for (const value of texts) {
        const what = `field ${index} ${JSON.stringify(value.slice(0, 30))}`;
        const { status, text } = await ask(
          'POST',
          '/containers/create',
          JSON.stringify({ Image: 'busybox', Cmd: ['true'], ...field(value) }),
        );
        assert.ok(status === 201 || (status >= 400 && status < 500), `${what}: ${status} ${text.slice(0, 300)}`);
        if (status === 201) await startAnyhow((JSON.parse(text) as { Id: string }).Id, what);
      }
    }
    // What is no character is a question mark to a runtime.
    for (const value of [...texts, '?']) removeGroups(value);
    for (const name of [...texts, 'a/b', 'a'.repeat(300)]) {
      const encoded = encodeURIComponent(name.isWellFormed() ? name : 'x');
      if (name === long) continue;
      for (const path of [`/containers/create?name=${encoded}`, '/volumes/create', '/networks/create']) {
        const body = path.startsWith('/containers') ? '{"Image":"busybox"}' : JSON.stringify({ Name: name });
        const { status, text } = await ask('POST', path, body);
        assert.ok(
          status === 201 || (status >= 400 && status < 500),
          `${path} ${JSON.stringify(name)}: ${status} ${text.slice(0, 300)}`,
        );
        if (status !== 201) continue;
        const made = JSON.parse(text) as { Id?: string; Name?: string };
        await ask(
          'DELETE',
          path.startsWith('/containers')
            ? `/containers/${made.Id}?v=1`
            : path.startsWith('/volumes')
              ? `/volumes/${made.Name}`
              : `/networks/${made.Id}`,
        );
      }
    }
  },
  300_000,
);

/** Parents of containers' groups stay, as with Docker: those that were asked for here go again. */
function removeGroups(parent: string): void {
  if (parent.includes('\0') || parent.length > 1000) return;
  const parts = posix.join('/', parent).split('/').filter(Boolean);
  for (const root of ['/sys/fs/cgroup', ...globSync('/sys/fs/cgroup/*/')]) {
    for (let count = parts.length; count > 0; count--) {
      try {
        rmdirSync(posix.join(root, ...parts.slice(0, count)));
      } catch {
        // Never made, or somebody's.
      }
    }
  }
}

/** Starts and removes it: what cannot run is refused, with an error that is no crash of ours. */
async function startAnyhow(id: string, what: string): Promise<void> {
  const { status, text } = await ask('POST', `/containers/${id}/start`).catch((error: Error) => {
    throw new Error(`${what}: ${error.message}`, { cause: error });
  });
  assert.ok([204, 400, 404, 409, 500].includes(status), `${what}: ${status}`);
  assert.doesNotMatch(text, /call stack|Cannot read prop|is not a function|undefined/, what);
  const { status: removed } = await ask('DELETE', `/containers/${id}?force=1&v=1`);
  assert.equal(removed, 204, what);
}

hostile('filters and query values in every form', async () => {
  const lists = [
    '/containers/json?all=1&',
    '/images/json?',
    '/networks?',
    '/volumes?',
    '/events?until=1&',
    '/images/search?term=x&',
  ];
  const prunes = ['/containers/prune?', '/images/prune?', '/networks/prune?', '/volumes/prune?', '/build/prune?'];
  const filters = [
    '{',
    '[]',
    '"x"',
    '1',
    '{"name":"x"}',
    '{"name":1}',
    '{"name":[{"toString":1}]}',
    `{"name":${nested(50_000, '[', ']')}}`,
    '{"name":{"x":1}}',
    '{"nosuch":["x"]}',
    '{"__proto__":["x"]}',
    '{"until":["9e999"]}',
    `{"until":["${'9'.repeat(1000)}s"]}`,
    '{"label":[""],"name":[""]}',
    '{"name":["(a+)+$"]}',
    `{"reference":["${'*a'.repeat(1000)}b"]}`,
    '{"dangling":["maybe"]}',
    '{"label":["a\\u0000b"]}',
  ];
  for (const filter of filters) {
    for (const [method, paths] of [
      ['GET', lists],
      ['POST', prunes],
    ] as const) {
      for (const path of paths) {
        const { status, text } = await ask(method, `${path}filters=${encodeURIComponent(filter)}`);
        assert.ok(
          status < 500 || (path.startsWith('/images/search') && status !== 500) || /search|reach|registry/.test(text),
          `${method} ${path} ${filter.slice(0, 60)}: ${status} ${text.slice(0, 200)}`,
        );
      }
    }
  }
  await ask('POST', '/containers/create?name=target', '{"Image":"busybox","Cmd":["sleep","100"]}');
  const values = ['-1', '-1e999', '1e999', 'NaN', '', '\0', '9'.repeat(400), '0x10', '1.5', 'a', '%', '１', '-0'];
  const queries: [method: string, path: string, key: string][] = [
    ['GET', '/containers/target/logs?stdout=1', 'tail'],
    ['GET', '/containers/target/logs?stdout=1', 'since'],
    ['GET', '/containers/target/logs?stdout=1', 'until'],
    ['GET', '/events?since=1', 'until'],
    ['GET', '/events?until=1', 'since'],
    ['POST', '/containers/target/resize?h=1', 'w'],
    ['POST', '/containers/target/stop?x', 't'],
    ['POST', '/containers/target/kill?x', 'signal'],
    ['GET', '/containers/json?all=1', 'limit'],
    ['GET', '/containers/target/top?x', 'ps_args'],
    ['GET', '/containers/target/archive?x', 'path'],
    ['HEAD', '/containers/target/archive?x', 'path'],
    ['GET', '/system/df?x', 'type'],
    ['POST', '/containers/target/wait?x', 'condition'],
    ['POST', '/containers/target/attach?stream=0', 'detachKeys'],
    ['POST', '/build/prune?x', 'keep-storage'],
    ['GET', '/images/busybox/json?x', 'platform'],
    ['POST', '/images/busybox/tag?repo=a', 'tag'],
    ['POST', '/images/busybox/tag?x', 'repo'],
  ];
  for (const [method, path, key] of queries) {
    for (const value of values) {
      // An `until` far ahead waits for it, and a wait for its container.
      if (
        (path.startsWith('/events?since') && /^(9+|１|1|-0|)$/.test(value)) ||
        (path.includes('/wait') && value === '')
      )
        continue;
      const { status, text } = await ask(method, `${path}&${key}=${encodeURIComponent(value)}`);
      assert.ok(
        status < 500 || status === 501,
        `${method} ${path}&${key}=${value.slice(0, 20)}: ${status} ${text.slice(0, 200)}`,
      );
    }
  }
  await ask('DELETE', '/images/a:a');
});

hostile('paths that lead elsewhere, and line breaks in names', async () => {
  const names = [
    '..',
    '../..',
    '%2e%2e',
    '%2e%2e%2f%2e%2e%2fetc%2fpasswd',
    '..%252f..%252fetc',
    '%2f',
    '%5c..%5c',
    '%00',
    'a%00b',
    '%0d%0aX-Injected:%20yes',
    'a%0d%0a%0d%0aHTTP/1.1%20200%20OK',
    '%c0%ae%c0%ae',
    '%',
    '%zz',
    '%E4%B8%96',
    'x'.repeat(100_000),
  ];
  for (const name of names) {
    for (const [method, path] of [
      ['GET', `/containers/${name}/json`],
      ['GET', `/containers/${name}/archive?path=/`],
      ['GET', `/containers/${name}/logs?stdout=1`],
      ['DELETE', `/containers/${name}`],
      ['GET', `/images/${name}/json`],
      ['GET', `/images/${name}/get`],
      ['GET', `/images/get?names=${name}`],
      ['DELETE', `/images/${name}`],
      ['POST', `/images/${name}/tag?repo=${name}`],
      ['GET', `/networks/${name}`],
      ['DELETE', `/networks/${name}`],
      ['GET', `/volumes/${name}`],
      ['DELETE', `/volumes/${name}`],
      ['POST', `/volumes/${name}/restore`],
      ['POST', `/volumes/${name}/rename?name=${name}`],
      ['GET', `/exec/${name}/json`],
      ['GET', `/v1.51/../${name}`],
      ['POST', `/build?dockerfile=${name}&remote=${name}`],
      ['GET', `/v${name}/info`],
    ] as const) {
      const peer = new Peer();
      await peer.send(`${method} ${path} HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n`);
      await until(() => peer.ended, { timeoutMs: 15_000, what: () => `the end of ${method} ${path.slice(0, 100)}` });
      peer.close();
      const [head = ''] = peer.received.split('\r\n\r\n', 1);
      assert.match(head, /^HTTP\/1\.1 (4\d\d|501|503) /, `${method} ${path.slice(0, 100)}`);
      assert.doesNotMatch(head, /injected/i);
      assert.doesNotMatch(peer.received, /root:x:0/);
    }
  }
  // Names that do get into headers: of files, and of what a client asks to upgrade to.
  const { status, headers } = await ask('POST', '/grpc', undefined, { Connection: 'Upgrade', Upgrade: 'x y' });
  assert.equal(status, 400);
  assert.equal(headers['upgrade'], undefined);
});
