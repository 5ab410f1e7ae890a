/** The doors for building over HTTP, before a builder that plays builds. */
import assert from 'node:assert/strict';
import { request } from 'node:http';
import { describe, test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { executeBytes } from '../../test/support/docker.ts';
import { entry, tar } from '../../test/support/images.ts';
import { eventually, RawClient, type Running, withServer } from '../../test/support/server.ts';
import type { BuildFailure, ProgressMessage } from '../api/index.ts';

const skip = process.getuid?.() === 0 ? false : 'needs root (owners of what is unpacked)';

interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  text: string;
}

function ask(
  { path: socketPath }: Pick<Running, 'path'>,
  path: string,
  options: { method?: string; body?: Uint8Array; headers?: Record<string, string> } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { method = 'POST', body, headers = {} } = options;
    const outgoing = request({ socketPath, method, path, headers }, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => {
        text += chunk.toString();
      });
      response.on('error', reject);
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text }));
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

function context(files: Record<string, string>): Promise<Buffer> {
  return tar(Object.entries(files).map(([name, body]) => entry(name, 'file', { body })));
}

function messages({ text }: Answer): ProgressMessage[] {
  return text
    .split('\r\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as ProgressMessage);
}

function streams(answer: Answer): string {
  return messages(answer)
    .map(({ stream }) => stream ?? '')
    .join('');
}

async function build(
  running: Running,
  dockerfile: string,
  parameters = '',
  files: Record<string, string> = {},
): Promise<Answer> {
  return ask(running, `/build?${parameters}`, { body: await context({ Dockerfile: dockerfile, ...files }) });
}

describe('the classic builder', { skip }, () => {
  test('a build as Docker tells it', async () => {
    await withServer({}, async (running) => {
      const text = 'FROM busybox\nENV A=b\nRUN echo <hi>\nCOPY file /\n';
      const answer = await build(running, text, 't=x:1&t=y', { file: 'content' });
      assert.equal(answer.status, 200);
      assert.equal(answer.headers['content-type'], 'application/json');
      assert.equal(answer.headers['transfer-encoding'], 'chunked');
      assert.match(answer.text, /\{"stream":"\\u003chi\\u003e\\n"\}\r\n/);
      const shown = streams(answer).replace(
        /(?<=---> (?:Running in |Removed intermediate container )?)\w{12}$/gm,
        'id',
      );
      const image = messages(answer).find(({ aux }) => aux !== undefined)?.aux as { ID: string };
      assert.match(image.ID, /^sha256:[0-9a-f]{64}$/);
      assert.deepEqual(shown.split('\n'), [
        'Step 1/4 : FROM busybox',
        ' ---> id',
        'Step 2/4 : ENV A=b',
        ' ---> id',
        'Step 3/4 : RUN echo <hi>',
        ' ---> Running in id',
        '<hi>',
        ' ---> Removed intermediate container id',
        ' ---> id',
        'Step 4/4 : COPY file /',
        ' ---> id',
        `Successfully built ${image.ID.slice(7, 19)}`,
        'Successfully tagged x:1',
        'Successfully tagged y:latest',
        '',
      ]);
      const again = await build(running, text, '', { file: 'content' });
      assert.match(streams(again), /RUN echo <hi>\n ---> Using cache\n/);
      assert.doesNotMatch(streams(await build(running, text, 'nocache=1', { file: 'content' })), /Using cache/);
    });
  });

  test('contexts, plain and compressed', async () => {
    const plain = await context({ Dockerfile: 'FROM scratch\n', 'deep/er/file': 'content' });
    const by = async (program: string): Promise<Buffer> =>
      (await executeBytes(program, ['-c'], { input: plain })).stdout;
    const bodies = [plain, gzipSync(plain), await by('bzip2'), await by('xz'), zstdCompressSync(plain)];
    await withServer({}, async (running) => {
      for (const body of bodies) {
        assert.equal((await ask(running, '/build', { body })).status, 200);
        assert.deepEqual(
          [...running.engine.builds.seen.at(-1)!.files],
          [
            ['Dockerfile', 'FROM scratch\n'],
            ['deep/er/file', 'content'],
          ],
        );
      }
    });
  });

  test('what is asked for, and by whom', async () => {
    await withServer({}, async (running) => {
      const auths = {
        'https://index.docker.io/v1/': { username: 'me', password: 'word' },
        'registry.example:5000': { identitytoken: 'token' },
      };
      const headers = { 'X-Registry-Config': Buffer.from(JSON.stringify(auths)).toString('base64url') };
      const body = await context({ 'd/Other': 'FROM scratch\n' });
      const parameters = 'dockerfile=d/Other&target=t&networkmode=host&buildargs={"A":"1"}&cachefrom=["c"]';
      const answer = await ask(running, `/v1.29/build?${parameters}`, { body, headers });
      assert.doesNotMatch(answer.text, /"aux"/, 'not before 1.30');
      assert.match(streams(answer), /\[Warning\] One or more build-args \[A\] were not consumed\n/);
      const { request: seen, dockerfile } = running.engine.builds.seen[0]!;
      assert.equal(dockerfile, 'FROM scratch\n');
      assert.deepEqual([seen.target, seen.network], ['t', 'host']);
      const signal = new AbortController().signal;
      assert.equal((await seen.secrets.credentials('docker.io', signal))?.username, 'me');
      assert.equal((await seen.secrets.credentials('registry.example:5000', signal))?.identitytoken, 'token');
      assert.equal(await seen.secrets.credentials('other.example', signal), undefined);
      assert.equal(await seen.secrets.secret('any', signal), undefined);
      await assert.rejects(seen.secrets.agent('default', signal), { kind: 'not-found' });
      assert.equal(seen.context !== undefined && 'fetch' in seen.context && seen.context.ignores, 'own-files');
      const nonsense = { 'X-Registry-Config': '???' };
      assert.equal((await ask(running, '/build?dockerfile=d/Other', { body, headers: nonsense })).status, 200);
      await ask(running, '/build?remote=https://git.example/x.git');
      assert.deepEqual(running.engine.builds.seen.at(-1)!.request.context, { url: 'https://git.example/x.git' });
    });
  });

  test('a failing step: told in the stream, with its code', async () => {
    await withServer({}, async (running) => {
      const answer = await build(running, 'FROM busybox\nRUN echo before\nRUN exit 7\nRUN echo after\n');
      assert.equal(answer.status, 200);
      const message = "The command '/bin/sh -c exit 7' returned a non-zero code: 7";
      assert.deepEqual(messages(answer).at(-1), { errorDetail: { code: 7, message }, error: message });
      assert.match(streams(answer), /before\n.*Step 3\/4 : RUN exit 7\n ---> Running in \w{12}\n$/s);
      const missing = await build(running, 'FROM busybox\nCOPY nosuch /\n');
      assert.match(
        messages(missing).at(-1)?.error ?? '',
        /^COPY failed: file not found in build context or excluded by \.dockerignore: stat nosuch: file does not exist$/,
      );
    });
  });

  test('quiet: the id alone, but all of what failed', async () => {
    await withServer({}, async (running) => {
      const quiet = await build(running, 'FROM busybox\nRUN echo hi\n', 'q=1&t=x');
      assert.match(quiet.text, /^\{"stream":"sha256:[0-9a-f]{64}\\n"\}\r\n$/);
      const failing = await build(running, 'FROM busybox\nRUN echo hi\nRUN exit 3\n', 'q=1&nocache=1');
      assert.match(streams(failing), /^Step 1\/3 : FROM busybox\n.*hi\n.*Step 3\/3/s);
      assert.equal(messages(failing).at(-1)?.errorDetail?.code, 3);
    });
  });

  test('what fails before anything is told has a status', async () => {
    await withServer({}, async (running) => {
      const message = async (answer: Answer | Promise<Answer>): Promise<unknown[]> => {
        const { status, text } = await answer;
        return [status, (JSON.parse(text) as { message: string }).message];
      };
      assert.deepEqual(await message(build(running, 'FROM busybox\nBOGUS x\n')), [
        400,
        'dockerfile parse error on line 2: unknown instruction: BOGUS',
      ]);
      assert.deepEqual(await message(build(running, 'FROM scratch\n', 'dockerfile=no/Such')), [
        400,
        'Cannot locate specified Dockerfile: no/Such',
      ]);
      assert.deepEqual(await message(ask(running, '/build')), [400, 'Cannot locate specified Dockerfile: Dockerfile']);
      assert.equal((await message(build(running, 'FROM nosuch\n')))[0], 404);
      assert.equal((await message(ask(running, '/build', { body: Buffer.alloc(2000, 'x') })))[0], 400);
      assert.equal((await message(ask(running, '/build', { body: gzipSync('x').subarray(0, 12) })))[0], 400);
      assert.equal((await message(build(running, 'FROM scratch\n', 'squash=1')))[0], 400);
    });
  });

  test('a large body after a refusal does not hang its client', async () => {
    await withServer({}, async (running) => {
      const client = new RawClient(running.path);
      client.send('POST /build?squash=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 50000000\r\n\r\n');
      client.send(Buffer.alloc(1_000_000));
      await client.until(/squash is only supported/);
      client.close();
    });
  });

  test('progress of a pull', async () => {
    await withServer({}, async (running) => {
      const answer = await build(running, 'FROM pulled\n');
      assert.deepEqual(messages(answer).slice(0, 3), [
        { status: 'Downloading', progressDetail: { current: 10, total: 20 }, id: 'f7c8a1ccfffc' },
        { status: 'Pull complete', progressDetail: {}, id: 'f7c8a1ccfffc' },
        { stream: 'Step 1/1 : FROM pulled' },
      ]);
    });
  });

  test('a client that goes cancels its build', async () => {
    await withServer({}, async (running) => {
      const body = await context({ Dockerfile: 'FROM busybox\nRUN wait\n' });
      const client = new RawClient(running.path);
      client.send(`POST /build HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n`);
      client.send(body);
      await client.until(/waiting/);
      assert.equal(running.engine.builds.seen[0]!.aborted, false);
      client.close();
      await eventually(() => running.engine.builds.running === 0, 'the build goes on');
      assert.equal(running.engine.builds.seen[0]!.aborted, true);
    });
  });

  test('a client that goes within its context', async () => {
    await withServer({}, async (running) => {
      const body = await context({ Dockerfile: 'FROM busybox\n', file: 'x'.repeat(100_000) });
      const client = new RawClient(running.path);
      client.send(`POST /build HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n`);
      client.send(body.subarray(0, 50_000));
      await eventually(() => running.engine.builds.seen.length === 1, 'no build');
      client.close();
      await eventually(() => running.engine.builds.running === 0, 'the build goes on');
    });
  });

  test('cancelled by its id', async () => {
    await withServer({}, async (running) => {
      const answer = build(running, 'FROM busybox\nRUN wait\n', 'buildid=mine');
      await eventually(() => running.engine.builds.running === 1, 'no build');
      assert.equal((await ask(running, '/build/cancel?id=other')).status, 200);
      assert.equal(running.engine.builds.seen[0]!.aborted, false);
      const cancelled = await ask(running, '/build/cancel?id=mine');
      assert.deepEqual([cancelled.status, cancelled.text], [200, '']);
      assert.equal(messages(await answer).at(-1)?.error, 'Build cancelled');
      assert.equal((await ask(running, '/build/cancel')).status, 400);
    });
  });

  test('a server that ends cancels its builds', async () => {
    await withServer({}, async (running) => {
      const answer = build(running, 'FROM busybox\nRUN wait\n').catch((error: unknown) => error);
      await eventually(() => running.engine.builds.running === 1, 'no build');
      await running.server.close({ graceMs: 2000 });
      assert.equal(running.engine.builds.running, 0);
      await answer;
    });
  });

  test('failed builds and a look inside', async () => {
    await withServer({}, async (running) => {
      await build(running, 'FROM busybox\nRUN exit 7\n', 'buildid=mine');
      const failed = await ask(running, '/wherry/builds/failed', { method: 'GET' });
      const [first] = JSON.parse(failed.text) as { id: string; step: string; failure: BuildFailure }[];
      assert.deepEqual([first?.id, first?.step, first?.failure.exitCode], ['mine', 'RUN exit 7', 7]);
      const debug = await ask(running, '/wherry/builds/debug-image?id=mine');
      assert.equal(debug.status, 201);
      assert.match((JSON.parse(debug.text) as { image: string }).image, /^sha256:/);
      assert.equal((await ask(running, '/wherry/builds/debug-image?id=nosuch')).status, 404);
    });
  });

  test('disk usage, and pruning', async () => {
    await withServer({}, async (running) => {
      await build(running, 'FROM busybox\nRUN echo hi\n');
      const usage = async (
        version: string,
      ): Promise<{ BuildCache: Record<string, unknown>[]; BuilderSize: number }> => {
        const { text } = await ask(running, `/v${version}/system/df`, { method: 'GET' });
        return JSON.parse(text) as { BuildCache: Record<string, unknown>[]; BuilderSize: number };
      };
      const now = await usage('1.51');
      assert.equal(now.BuilderSize, 0);
      const { ID, ...record } = now.BuildCache[1]!;
      assert.match(String(ID), /^sha256:/);
      assert.deepEqual(record, {
        Parents: ['parent'],
        ' Parents': ['parent'],
        Type: 'regular',
        Description: 'a step',
        InUse: false,
        Shared: false,
        Size: 1000,
        CreatedAt: '2026-01-02T03:04:05.000000006Z',
        LastUsedAt: null,
        UsageCount: 1,
      });
      assert.equal('Parents' in now.BuildCache[0]!, false);
      const then = await usage('1.41');
      assert.equal(then.BuilderSize, 2000);
      assert.deepEqual([then.BuildCache[1]!['Parent'], 'Parents' in then.BuildCache[1]!], ['parent', false]);

      const { builds } = running.engine;
      const filters = encodeURIComponent('{"unused-for":{"24h":true},"type":{"regular":true}}');
      const pruned = await ask(running, `/build/prune?all=1&keep-storage=500&filters=${filters}`);
      assert.match(pruned.text, /^\{"CachesDeleted":\["sha256:\w+","sha256:\w+"\],"SpaceReclaimed":2000\}\n$/);
      assert.deepEqual(builds.pruned, {
        all: true,
        keepBytes: 500,
        filters: new Map([
          ['type', new Set(['regular'])],
          ['until', new Set(['24h'])],
        ]),
      });
      const none = await ask(running, '/build/prune?filters=');
      assert.equal(none.text, '{"CachesDeleted":null,"SpaceReclaimed":0}\n');
      assert.deepEqual(builds.pruned, { all: false, keepBytes: undefined, filters: new Map() });
      await ask(running, '/v1.47/build/prune?reserved-space=1&keep-storage=2');
      assert.equal((builds.pruned as { keepBytes: number }).keepBytes, 2);
      await ask(running, '/v1.48/build/prune?reserved-space=1&keep-storage=2&max-used-space=9');
      assert.equal((builds.pruned as { keepBytes: number }).keepBytes, 9);
      for (const [query, message] of [
        ['keep-storage=x', /keep-storage is in bytes and expects an integer, got x/],
        [`filters=${encodeURIComponent('{"bogus":["1"]}')}`, /failed to prune build cache: invalid filter 'bogus'/],
        [
          `filters=${encodeURIComponent('{"until":["1h"],"unused-for":["2h"]}')}`,
          /conflicting filters: \\"until\\" and \\"unused-for\\"/,
        ],
      ] as const) {
        const refused = await ask(running, `/build/prune?${query}`);
        assert.equal(refused.status, 400);
        assert.match(refused.text, message);
      }
    });
  });
});

describe('doors that become HTTP/2', () => {
  test('are there, and ping says so', async () => {
    await withServer({}, async (running) => {
      assert.equal((await ask(running, '/_ping', { method: 'GET' })).headers['builder-version'], '2');
      for (const path of ['/grpc', '/session']) {
        const client = new RawClient(running.path);
        client.send(`POST ${path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n`);
        client.send('X-Docker-Expose-Session-Uuid: one\r\n\r\n');
        await client.until(
          /^HTTP\/1\.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nApi-Version: /,
        );
        client.close();
      }
    });
  });

  test('do not keep a server from ending', async () => {
    await withServer({}, async (running) => {
      const client = new RawClient(running.path);
      client.send('POST /session HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n');
      client.send('X-Docker-Expose-Session-Uuid: one\r\n\r\n');
      await client.until(/101 Switching/);
      // Without its own end the session would last as long as the test may.
      await running.server.close({ graceMs: 3_600_000 });
      await client.end();
    });
  });

  test('want the upgrade, and a session its id', async () => {
    await withServer({}, async (running) => {
      const upgrade = { Connection: 'Upgrade', Upgrade: 'h2c' };
      for (const [path, headers, message] of [
        ['/grpc', {}, 'no upgrade proto in request'],
        ['/session', {}, 'no upgrade proto in request'],
        ['/grpc', { ...upgrade, Upgrade: 'x' }, 'protocol x not supported'],
        ['/session', { ...upgrade, 'X-Docker-Expose-Session-Uuid': '../x' }, 'no usable session id'],
      ] as const) {
        const { status, text } = await ask(running, path, { headers });
        assert.equal(status, 400);
        assert.ok(text.includes(message), text);
      }
    });
  });
});

describe('sockets that let their clients do less', () => {
  const doors = ['/build', '/build?version=2', '/build/prune', '/build/cancel?id=x', '/session', '/grpc'];
  const headers = { Connection: 'Upgrade', Upgrade: 'h2c', 'X-Docker-Expose-Session-Uuid': 'one' };

  test('a read-only one builds nothing, and tells what failed', async () => {
    await withServer({ readOnly: true }, async (running) => {
      for (const path of [...doors, '/wherry/builds/debug-image']) {
        const { status, text } = await ask(running, path, { headers });
        assert.equal(status, 403, path);
        assert.match(text, /this socket is read-only/);
      }
      assert.equal((await ask(running, '/wherry/builds/failed', { method: 'GET' })).text, '[]\n');
      assert.equal(running.engine.builds.seen.length, 0);
    });
  });

  test('a project’s own builds nothing, and knows of no builds', async () => {
    await withServer({ project: 'app' }, async (running) => {
      for (const path of [...doors, '/wherry/builds/debug-image']) {
        assert.equal((await ask(running, path, { headers })).status, 403, path);
      }
      assert.equal((await ask(running, '/wherry/builds/failed', { method: 'GET' })).status, 403);
      assert.equal((await ask(running, '/_ping', { method: 'GET' })).headers['builder-version'], '1');
      assert.equal(running.engine.builds.seen.length, 0);
      assert.equal(running.engine.builds.pruned, undefined);
      const { text } = await ask(running, '/system/df', { method: 'GET' });
      assert.deepEqual((JSON.parse(text) as { BuildCache: unknown[] }).BuildCache, []);
    });
  });
});
