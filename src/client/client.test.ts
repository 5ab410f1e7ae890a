/** The client at our server, and its reading of what any daemon may send. */
import assert from 'node:assert/strict';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { withServer } from '../../test/support/server.ts';
import { Fault } from '../std/index.ts';
import { ApiFault, createClient, parseEndpoint, readFrames } from './index.ts';

/** A daemon that answers each request with the next text, whatever was asked. */
async function withAnswers(answers: string[], use: (path: string, requests: string[]) => Promise<void>): Promise<void> {
  await withServer({}, async ({ folder }) => {
    const requests: string[] = [];
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('data', (chunk: Buffer) => {
        requests.push(chunk.toString('utf8'));
        const answer = answers.shift();
        if (answer === undefined || answer === '') socket.end();
        // A byte at a time, so that every boundary is crossed.
        else for (const byte of Buffer.from(answer)) socket.write(Buffer.from([byte]));
      });
    });
    const path = join(folder, 'fake.sock');
    await new Promise<void>((resolve) => server.listen(path, resolve));
    try {
      await use(path, requests);
    } finally {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    }
  });
}

const ok = (body: string, more = ''): string =>
  `HTTP/1.1 200 OK\r\n${more}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;

describe('client', () => {
  test('negotiates the lower version, once', async () => {
    await withAnswers(
      [`HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nContent-Length: 2\r\n\r\n`, ok('[]'), ok('[]')],
      async (path, requests) => {
        const client = createClient({ endpoint: `unix://${path}` });
        assert.deepEqual(await client.containers.list(), []);
        assert.deepEqual(await client.containers.list({ all: true, filters: { label: ['a=b'] } }), []);
        assert.deepEqual(
          requests.map((request) => request.split(' HTTP')[0]),
          [
            'HEAD /_ping',
            'GET /v1.41/containers/json',
            'GET /v1.41/containers/json?all=1&filters=%7B%22label%22%3A%7B%22a%3Db%22%3Atrue%7D%7D',
          ],
        );
        client.close();
      },
    );
  });

  test('a pinned version is not negotiated', async () => {
    await withAnswers([ok('[]')], async (path, requests) => {
      const client = createClient({ endpoint: `unix://${path}`, version: '1.30' });
      await client.containers.list();
      assert.match(requests[0]!, /^GET \/v1\.30\/containers\/json /);
      client.close();
    });
    assert.throws(() => createClient({ endpoint: 'unix:///x', version: 'latest' }), Fault);
  });

  test('chunked bodies, and lines across chunks', async () => {
    const chunked =
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n{"a"\r\n5;x=y\r\n:1}\n{\r\n9\r\n"b":"é"}\r\n0\r\n\r\n';
    await withAnswers([chunked], async (path) => {
      const client = createClient({ endpoint: `unix://${path}`, version: '1.41' });
      const lines: unknown[] = [];
      for await (const line of client.caller.lines('events')) lines.push(line);
      assert.deepEqual(lines, [{ a: 1 }, { b: 'é' }]);
      client.close();
    });
  });

  test('a connection that the daemon closed meanwhile is replaced', async () => {
    await withAnswers([ok('[]'), '', ok('[]')], async (path) => {
      const client = createClient({ endpoint: `unix://${path}`, version: '1.41' });
      await client.containers.list();
      assert.deepEqual(await client.containers.list(), []);
      client.close();
    });
  });

  test('refusals carry status, kind and words', async () => {
    const refusal = (status: string, body: string): string =>
      `HTTP/1.1 ${status}\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    await withAnswers(
      [
        refusal('409 Conflict', '{"message":"taken"}\n'),
        refusal('502 Bad Gateway', 'proxy says no\n'),
        refusal('418 Teapot', ''),
      ],
      async (path) => {
        const client = createClient({ endpoint: `unix://${path}`, version: '1.41' });
        const caught = async (): Promise<ApiFault> => {
          try {
            await client.system.info();
          } catch (error) {
            if (error instanceof ApiFault) return error;
          }
          return assert.fail('not refused');
        };
        const taken = await caught();
        assert.deepEqual([taken.status, taken.kind, taken.message], [409, 'conflict', 'taken']);
        assert.deepEqual((await caught()).message, 'proxy says no');
        assert.deepEqual((await caught()).message, 'request returned 418 Teapot');
        client.close();
      },
    );
  });

  test('what is not HTTP, and what ends in the middle', async () => {
    await withAnswers(['SSH-2.0-x\r\n\r\n'], async (path) => {
      const client = createClient({ endpoint: `unix://${path}`, version: '1.41' });
      await assert.rejects(client.system.info(), /does not speak HTTP/);
    });
    await assert.rejects(createClient({ endpoint: 'unix:///nonexistent/x' }).system.info(), {
      message: 'Cannot connect to the Docker daemon at unix:///nonexistent/x. Is the docker daemon running?',
    });
  });

  test('attach: half-close and frames at our server', async () => {
    await withServer({}, async ({ path }) => {
      const client = createClient({ endpoint: `unix://${path}` });
      const { Id } = await client.containers.create({
        Image: 'busybox',
        Cmd: ['cat'],
        OpenStdin: true,
        StdinOnce: true,
        AttachStdin: true,
      });
      const stream = await client.containers.attach(Id, { stream: true, stdin: true, stdout: true, stderr: true });
      const { result } = await client.containers.wait(Id, 'next-exit');
      await client.containers.start(Id);
      await stream.write(Buffer.from('hello'));
      stream.endInput();
      const parts: Uint8Array[] = [];
      for await (const { data } of readFrames(stream.output)) parts.push(data);
      assert.equal(Buffer.concat(parts).toString(), 'hello');
      assert.equal((await result).StatusCode, 0);
      client.close();
    });
  });

  test('a cancelled stream leaves nothing behind', async () => {
    await withServer({}, async ({ path, engine }) => {
      const client = createClient({ endpoint: `unix://${path}` });
      const stop = new AbortController();
      const events = client.system.events({}, {}, stop.signal);
      const first = events.next();
      setTimeout(() => stop.abort(), 50);
      await first.catch(() => {});
      client.close();
      assert.ok(engine.open.events <= 1);
    });
  });
});

test('frames survive any cutting', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.constantFrom(1, 2), fc.uint8Array({ maxLength: 40 }))),
      fc.integer({ min: 1, max: 30 }),
      async (frames, size) => {
        const bytes = Buffer.concat(
          frames.map(([stream, data]) => {
            const head = Buffer.alloc(8);
            head[0] = stream;
            head.writeUInt32BE(data.length, 4);
            return Buffer.concat([head, data]);
          }),
        );
        async function* pieces() {
          for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
        }
        const seen = { stdout: '', stderr: '' };
        for await (const { stream, data } of readFrames(pieces())) seen[stream] += Buffer.from(data).toString('hex');
        const wanted = (stream: number): string =>
          frames
            .filter(([each]) => each === stream)
            .map(([, data]) => Buffer.from(data).toString('hex'))
            .join('');
        assert.deepEqual(seen, { stdout: wanted(1), stderr: wanted(2) });
      },
    ),
  );
});

test('addresses', () => {
  assert.deepEqual(parseEndpoint('unix:///run/x.sock'), {
    kind: 'unix',
    url: 'unix:///run/x.sock',
    path: '/run/x.sock',
  });
  const tcp = parseEndpoint('tcp://[::1]:2375/base');
  assert.deepEqual(tcp.kind === 'tcp' && [tcp.host, tcp.port, tcp.basePath, tcp.tls], [
    '::1',
    2375,
    '/base',
    undefined,
  ]);
  const secure = parseEndpoint('tcp://host', { verify: true });
  assert.deepEqual(secure.kind === 'tcp' && secure.port, 2376);
  const ssh = parseEndpoint('ssh://me@host:22/run/docker.sock');
  assert.deepEqual(ssh.kind === 'ssh' && [ssh.user, ssh.host, ssh.port, ssh.path], [
    'me',
    'host',
    22,
    '/run/docker.sock',
  ]);
  assert.throws(() => parseEndpoint('ftp://x'), { message: 'unable to parse docker host `ftp://x`' });
});
