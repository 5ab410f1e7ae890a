/** Paths, versions, bodies, queries, headers: what the engine is asked, and what its faults become. */
import assert from 'node:assert/strict';
import { request } from 'node:http';
import { describe, test } from 'node:test';
import { RawClient, type Running, withServer } from '../../test/support/server.ts';
import { Fault } from '../std/index.ts';
import { parseTarget } from './dispatch.ts';

interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  text: string;
}

function ask(
  { path: socketPath }: Running,
  method: string,
  path: string,
  options: { headers?: Record<string, string>; body?: unknown } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const body = options.body === undefined ? undefined : JSON.stringify(options.body);
    const headers = { ...(body === undefined ? {} : { 'Content-Type': 'application/json' }), ...options.headers };
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

const last = ({ engine }: Running): { method: string; args: unknown[] } => engine.calls.at(-1)!;

describe('paths', () => {
  test('image names are greedy and decoded', async () => {
    await withServer({}, async (running) => {
      for (const name of ['127.0.0.1:5000/a/b:c', '127.0.0.1%3A5000%2Fa%2Fb%3Ac']) {
        await ask(running, 'POST', `/v1.51/images/${name}/push?tag=t`);
        assert.deepEqual((last(running).args[0] as { image: string }).image, '127.0.0.1:5000/a/b:c');
      }
      await ask(running, 'GET', '/images/json/json');
      assert.equal(last(running).args[0], 'json');
      await ask(running, 'DELETE', '/images/a/b/json');
      assert.deepEqual(last(running), {
        method: 'images.remove',
        args: ['a/b/json', { force: false, noPrune: false, platforms: [] }],
      });
      await ask(running, 'GET', '/containers/%2Fname/json');
      assert.equal(last(running).args[0], '/name');
    });
  });

  test('platforms come as JSON, once; as text where they always did; not from versions that had none', async () => {
    await withServer({}, async (running) => {
      const arm = encodeURIComponent('{"os":"linux","architecture":"arm64","variant":"v8"}');
      const seen = async (method: string, path: string): Promise<unknown> => {
        const { status, text } = await ask(running, method, path);
        return status < 400 ? last(running).args : text;
      };
      assert.deepEqual(await seen('GET', `/v1.49/images/busybox/json?platform=${arm}`), [
        'busybox',
        { platform: 'linux/arm64/v8' },
      ]);
      assert.deepEqual(await seen('GET', `/v1.47/images/busybox/json?platform=${arm}`), [
        'busybox',
        { platform: undefined },
      ]);
      await seen('GET', `/v1.51/images/get?names=a&names=b&since=c&platform=${arm}`);
      assert.deepEqual(last(running).args.slice(0, 2), [['a', 'b'], { platform: 'linux/arm64/v8', since: ['c'] }]);
      await seen(
        'DELETE',
        `/v1.51/images/busybox?platforms=${arm}&platforms=${encodeURIComponent('{"os":"a","architecture":"b"}')}`,
      );
      assert.deepEqual(last(running).args[1], {
        force: false,
        noPrune: false,
        platforms: ['linux/arm64/v8', 'a/b'],
      });
      await seen('POST', '/v1.51/images/create?fromImage=busybox&platform=linux/arm64');
      assert.equal((last(running).args[0] as { platform: string }).platform, 'linux/arm64');
      const refusals: [query: string, message: RegExp][] = [
        [`platform=${arm}&platform=${arm}`, /multiple platform parameters not supported/],
        ['platform={"os":"linux"}', /both OS and Architecture must be provided/],
        ['platform={"variant":"v8"}', /optional platform components provided, but OS and Architecture are missing/],
        ['platform={', /failed to parse platform: invalid JSON/],
      ];
      for (const [query, message] of refusals) {
        const answer = await ask(running, 'GET', `/v1.51/images/busybox/history?${encodeURI(query)}`);
        assert.equal(answer.status, 400);
        assert.match(answer.text, message);
      }
    });
  });

  test('versions are split off, ranges are the dispatcher’s', () => {
    assert.deepEqual(parseTarget('/v1.41/info?x=1'), { path: '/info', query: 'x=1', versionText: '1.41' });
    assert.deepEqual(parseTarget('/version'), { path: '/version', query: '', versionText: undefined });
  });

  test('/networks/ lists as /networks does', async () => {
    await withServer({}, async (running) => {
      assert.equal((await ask(running, 'GET', '/networks/')).status, 200);
    });
  });
});

test('a NUL in a path or a query is refused, whoever would have had it', async () => {
  await withServer({}, async ({ path }) => {
    for (const target of ['/containers/a%00b/json', '/containers/json?filters=%00', '/volumes/%00', '/_ping?%00']) {
      const client = new RawClient(path);
      client.send(`GET ${target} HTTP/1.1\r\n\r\n`);
      await client.until(/^HTTP\/1\.1 400 [^]*NUL bytes in its path or query/);
      client.close();
    }
  });
});

describe('errors', () => {
  test('every kind of fault has its status, and Docker’s JSON', async () => {
    const statuses = {
      invalid: 400,
      unauthorized: 401,
      forbidden: 403,
      'not-found': 404,
      conflict: 409,
      'not-implemented': 501,
      unavailable: 503,
      internal: 500,
    } as const;
    await withServer({}, async (running) => {
      for (const [kind, status] of Object.entries(statuses)) {
        running.engine.system.info = () => Promise.reject(new Fault(kind as never, 'a <b> & c'));
        const answer = await ask(running, 'GET', '/info');
        assert.equal(answer.status, status);
        assert.equal(answer.text, '{"message":"a \\u003cb\\u003e \\u0026 c"}\n');
        assert.equal(answer.headers['content-type'], 'application/json');
      }
      running.engine.system.info = () => Promise.reject(new TypeError('a bug'));
      assert.equal((await ask(running, 'GET', '/info')).status, 500);
    });
  });

  test('a stream that fails after its head: progress says so, others are cut short', async () => {
    await withServer({}, async (running) => {
      const pushed = await ask(running, 'POST', '/images/x/push');
      assert.match(pushed.text, /\{"errorDetail":\{"message":"An image.*"\},"error":"An image.*"\}\r\n$/);
      running.engine.containers.export = async () =>
        (async function* () {
          yield Buffer.from('some');
          throw new Fault('internal', 'disk gone');
        })();
      await assert.rejects(ask(running, 'GET', '/containers/c/export'), /aborted|socket hang up/);
    });
  });
});

describe('bodies', () => {
  test('commands as strings, ports without protocol, nulls, any letter case, unknown keys', async () => {
    await withServer({}, async (running) => {
      const body = {
        image: 'busybox',
        Cmd: 'true',
        Entrypoint: null,
        Env: null,
        ExposedPorts: { '53/UDP': {}, 80: {} },
        Nonsense: 1,
        HostConfig: {
          PortBindings: { 80: [{ HostPort: '0' }], '81/tcp': null },
          MemorySwappiness: -1,
          PidsLimit: null,
        },
        NetworkingConfig: { EndpointsConfig: { default: null } },
      };
      assert.equal((await ask(running, 'POST', '/containers/create?platform=linux/amd64', { body })).status, 201);
      assert.deepEqual(last(running).args[0], {
        name: undefined,
        platform: 'linux/amd64',
        apiVersion: '1.51',
        body: {
          Image: 'busybox',
          Cmd: ['true'],
          ExposedPorts: { '53/udp': {}, '80/tcp': {} },
          HostConfig: { PortBindings: { '80/tcp': [{ HostPort: '0' }], '81/tcp': null }, MemorySwappiness: -1 },
          NetworkingConfig: { EndpointsConfig: { default: null } },
        },
      });
    });
  });

  test('the field that does not fit is named', async () => {
    await withServer({}, async (running) => {
      const wrong: [object, string][] = [
        [{ Image: 1 }, 'Image: want a string, got 1'],
        [{ Image: 'x', Cmd: [1] }, 'Cmd[0]: want a string, got 1'],
        [
          { Image: 'x', HostConfig: { Mounts: [{ Type: 'bind', ReadOnly: 'yes' }] } },
          'HostConfig.Mounts[0].ReadOnly: want true or false, got "yes"',
        ],
        [
          { Image: 'x', HostConfig: { PortBindings: { '80/tcp': {} } } },
          'HostConfig.PortBindings["80/tcp"]: want an array, got {}',
        ],
        [{ Image: 'x', Labels: { a: 1 } }, 'Labels["a"]: want a string, got 1'],
      ];
      for (const [body, message] of wrong) {
        const answer = await ask(running, 'POST', '/containers/create', { body });
        assert.equal(answer.status, 400);
        assert.equal((JSON.parse(answer.text) as { message: string }).message, `invalid JSON: ${message}`);
      }
      const port = await ask(running, 'POST', '/containers/create', {
        body: { Image: 'x', ExposedPorts: { http: {} } },
      });
      assert.match(port.text, /invalid port specification/);
    });
  });

  test('a key named __proto__ is only a key', async () => {
    await withServer({}, async (running) => {
      const body = JSON.parse('{"Name":"v","Labels":{"__proto__":"x"}}') as object;
      assert.equal((await ask(running, 'POST', '/volumes/create', { body })).status, 201);
      assert.equal(({} as Record<string, unknown>)['x'], undefined);
    });
  });

  test('start refuses a body', async () => {
    await withServer({}, async (running) => {
      assert.equal((await ask(running, 'POST', '/containers/x/start', { body: { a: 'long enough' } })).status, 400);
    });
  });

  test('registry credentials in both alphabets, padded or not, or none', async () => {
    await withServer({}, async (running) => {
      const auth = { username: 'ü?>', password: 'p~~' };
      const json = Buffer.from(JSON.stringify(auth));
      for (const header of [json.toString('base64'), json.toString('base64url')]) {
        await ask(running, 'POST', '/images/create?fromImage=busybox&tag=latest', {
          headers: { 'X-Registry-Auth': header },
        });
        assert.deepEqual((last(running).args[0] as { auth: unknown }).auth, auth);
      }
      for (const header of ['e30=', '', 'bnVsbA==']) {
        await ask(running, 'POST', '/images/create?fromImage=busybox', { headers: { 'X-Registry-Auth': header } });
        assert.equal((last(running).args[0] as { auth: unknown }).auth, undefined);
      }
      const broken = await ask(running, 'POST', '/images/create?fromImage=busybox', {
        headers: { 'X-Registry-Auth': 'bm90IGpzb24=' },
      });
      assert.equal(broken.status, 400);
    });
  });
});

describe('queries', () => {
  test('booleans, limits, times and both encodings of filters', async () => {
    await withServer({}, async (running) => {
      const options = async (query: string): Promise<Record<string, unknown>> => {
        await ask(running, 'GET', `/containers/json?${query}`);
        return last(running).args[0] as Record<string, unknown>;
      };
      for (const yes of ['1', 'true', 'True', 'anything']) assert.equal((await options(`all=${yes}`))['all'], true);
      for (const no of ['0', 'false', 'False', 'none', 'no', ''])
        assert.equal((await options(`all=${no}`))['all'], false);
      assert.equal((await options('limit=-1'))['limit'], 0);
      const wanted = new Map([['label', new Set(['a=b'])]]);
      assert.deepEqual((await options(`filters=${encodeURIComponent('{"label":["a=b"]}')}`))['filters'], wanted);
      assert.deepEqual((await options(`filters=${encodeURIComponent('{"label":{"a=b":true}}')}`))['filters'], wanted);
      assert.equal((await ask(running, 'GET', '/containers/json?limit=x')).status, 400);
      assert.equal((await ask(running, 'GET', '/events?since=yesterday')).status, 400);
    });
  });

  test('what a version does not know is ignored', async () => {
    await withServer({}, async (running) => {
      await ask(running, 'POST', '/v1.41/containers/x/stop?signal=HUP&t=3');
      assert.deepEqual(last(running).args[1], { signal: undefined, timeoutSeconds: 3 });
      await ask(running, 'POST', '/v1.42/containers/x/stop?signal=HUP&t=-1');
      assert.deepEqual(last(running).args[1], { signal: 'HUP', timeoutSeconds: -1 });
      await ask(running, 'POST', '/v1.41/volumes/prune');
      assert.deepEqual(last(running).args[1], { anonymousOnly: false });
      await ask(running, 'POST', '/v1.42/volumes/prune');
      assert.deepEqual(last(running).args[1], { anonymousOnly: true });
      await ask(running, 'POST', `/v1.42/volumes/prune?filters=${encodeURIComponent('{"all":["1"]}')}`);
      assert.deepEqual(last(running).args, [new Map(), { anonymousOnly: false }]);
    });
  });
});

describe('answers', () => {
  test('events to the last nanosecond, legacy fields where Docker has them', async () => {
    await withServer({}, async (running) => {
      running.engine.emit({
        Type: 'container',
        Action: 'die',
        Actor: { ID: 'c', Attributes: { name: 'n', image: 'i' } },
        timeNano: 1795463405286915304n,
      });
      running.engine.emit({
        Type: 'network',
        Action: 'create',
        Actor: { ID: 'n', Attributes: {} },
        timeNano: 1795463405286915305n,
      });
      const { text } = await ask(running, 'GET', '/events?since=1&until=1795463406');
      assert.deepEqual(text.split('\n'), [
        '{"status":"die","id":"c","from":"i","Type":"container","Action":"die","Actor":{"ID":"c","Attributes":{"image":"i","name":"n"}},"scope":"local","time":1795463405,"timeNano":1795463405286915304}',
        '{"Type":"network","Action":"create","Actor":{"ID":"n","Attributes":{}},"scope":"local","time":1795463405,"timeNano":1795463405286915305}',
        '',
      ]);
    });
  });

  test('numbers past 2^53 stay readable as 64-bit integers', async () => {
    await withServer({}, async (running) => {
      const { Id } = await running.engine.containers.create({
        name: 'c',
        platform: undefined,
        body: { Image: 'busybox' },
        apiVersion: '1.51',
      });
      assert.match(
        (await ask(running, 'GET', `/containers/${Id}/stats?stream=0`)).text,
        /"limit":18446744073709551615[,}]/,
      );
    });
  });

  test('volume rename is there, remove with force forgives', async () => {
    await withServer({}, async (running) => {
      await ask(running, 'POST', '/volumes/create', { body: { Name: 'a' } });
      assert.match((await ask(running, 'POST', '/volumes/a/rename?name=b')).text, /"Name":"b"/);
      assert.equal((await ask(running, 'DELETE', '/volumes/a')).status, 404);
      assert.equal((await ask(running, 'DELETE', '/volumes/a?force=1')).status, 204);
    });
  });
});

describe('a read-only socket', () => {
  test('serves what changes nothing and forbids the rest', async () => {
    await withServer({ readOnly: true }, async (running) => {
      const { Id } = await running.engine.containers.create({
        name: 'c',
        platform: undefined,
        body: { Image: 'busybox' },
        apiVersion: '1.51',
      });
      for (const path of ['/_ping', '/info', '/containers/json', `/containers/${Id}/json`, '/volumes']) {
        assert.equal((await ask(running, 'GET', path)).status, 200, path);
      }
      const upgrade = { Connection: 'Upgrade', Upgrade: 'tcp' };
      const refused: [string, string, Record<string, string>][] = [
        ['POST', `/containers/${Id}/start`, {}],
        ['DELETE', `/containers/${Id}`, {}],
        ['POST', `/containers/${Id}/exec`, {}],
        ['POST', `/containers/${Id}/attach?stream=1&stdin=1`, upgrade],
        ['GET', `/containers/${Id}/attach/ws`, {}],
        ['PUT', `/containers/${Id}/archive?path=/`, {}],
        ['POST', '/images/create?fromImage=busybox', {}],
        ['POST', '/volumes/create', {}],
      ];
      for (const [method, path, headers] of refused) {
        const answer = await ask(running, method, path, { headers });
        assert.equal(answer.status, 403, `${method} ${path}`);
        assert.match(answer.text, /this socket is read-only/);
      }
      assert.equal((await ask(running, 'POST', `/containers/${Id}/wait`)).status, 200);
    });
  });
});

test('a request costs little', async () => {
  await withServer({}, async (running) => {
    const { connect } = await import('node:net');
    const socket = connect(running.path);
    const count = 2000;
    const started = performance.now();
    await new Promise<void>((resolve) => {
      let seen = 0;
      socket.on('data', (chunk: Buffer) => {
        seen += chunk.toString('latin1').split('HTTP/1.1 200').length - 1;
        if (seen >= count) resolve();
        else socket.write('GET /v1.51/containers/json?all=1 HTTP/1.1\r\nHost: x\r\nUser-Agent: test\r\n\r\n');
      });
      socket.write('GET /v1.51/containers/json?all=1 HTTP/1.1\r\nHost: x\r\nUser-Agent: test\r\n\r\n');
    });
    socket.destroy();
    const micros = ((performance.now() - started) * 1000) / count;
    // Client and server together, on a busy machine; quiet, it is about 40.
    assert.ok(micros < 1500, `${micros.toFixed(0)} µs per request and answer`);
  });
});
