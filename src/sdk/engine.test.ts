/** The SDK at our server, with an engine in memory. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Running, withServer } from '../../test/support/server.ts';
import { ApiFault, connect, type Engine, Fault } from './index.ts';

async function withEngine(use: (engine: Engine, running: Running) => Promise<void>): Promise<void> {
  await withServer({}, async (running) => {
    const env = { DOCKER_HOST: `unix://${running.path}`, DOCKER_CONFIG: running.folder };
    await using engine = await connect({ env });
    await use(engine, running);
  });
}

describe('connect', () => {
  test('finds the daemon as the command line does', async () => {
    await withEngine(async (engine, { path }) => {
      assert.equal(engine.endpoint, `unix://${path}`);
      await using same = await connect({ endpoint: `unix://${path}` });
      assert.equal((await same.version()).ApiVersion, (await engine.version()).ApiVersion);
    });
  });

  test('says what to do when nobody answers', async () => {
    await assert.rejects(connect({ env: { DOCKER_HOST: 'unix:///nonexistent/x.sock' } }), (error: Fault) => {
      assert.ok(error instanceof Fault);
      assert.equal(error.kind, 'unavailable');
      assert.match(error.message, /^Cannot connect to the Docker daemon at unix:\/\/\/nonexistent\/x\.sock/);
      assert.match(error.message, /\nThe address is from connect\(\{ endpoint \}\), DOCKER_HOST/);
      return true;
    });
    await assert.rejects(connect({ context: 'nowhere', env: { DOCKER_CONFIG: '/nonexistent' } }), /context "nowhere"/);
  });
});

describe('calls', () => {
  test('by key, typed', async () => {
    await withEngine(async (engine) => {
      const { Id } = await engine.call('containerCreate', {
        body: { Image: 'busybox', Cmd: ['true'] },
        query: { name: 'a' },
      });
      const [first] = await engine.call('containerList', { query: { all: true }, filters: { name: ['a'] } });
      assert.deepEqual([first?.Id, first?.State], [Id, 'created']);
      assert.equal((await engine.call('containerInspect', { name: 'a' })).Name, '/a');
      assert.equal(await engine.call('ping'), 'OK');
      await engine.call('containerRemove', { name: 'a', query: { force: true } });
      assert.deepEqual(await engine.call('containerList', { query: { all: true } }), []);
    });
  });

  test('refusals have a status, the daemon’s words and what to do', async () => {
    await withEngine(async (engine) => {
      const error: unknown = await engine.containers.get('nobody').catch((each: unknown) => each);
      assert.ok(error instanceof ApiFault);
      assert.deepEqual([error.status, error.kind, error.message], [404, 'not-found', 'No such container: nobody']);
      assert.equal(error.advice, "See what is here with 'wherry ps -a'.");
    });
  });
});

describe('containers', () => {
  test('run, look, and gone', async () => {
    await withEngine(async (engine, { engine: fake }) => {
      {
        await using container = await engine.run({ image: 'busybox', command: ['cat'], name: 'web', tty: true });
        assert.equal(container.name, 'web');
        assert.equal(container.info.State.Running, true);
        assert.throws(() => container.port(80), /publishes no port 80\/tcp/);
      }
      assert.equal(fake.containersById.size, 0);
    });
  });

  test('what fails leaves nothing: a name that is taken, a wait that is aborted', async () => {
    await withEngine(async (engine, { engine: fake }) => {
      await using _ = await engine.run({ image: 'busybox', command: ['cat'], name: 'web', tty: true });
      await assert.rejects(engine.run({ image: 'busybox', name: 'web' }), (error: ApiFault) => error.status === 409);
      const until = { check: () => false, intervalMs: 5, signal: AbortSignal.timeout(50) };
      await assert.rejects(engine.run({ image: 'busybox', command: ['cat'], tty: true, until }), {
        name: 'TimeoutError',
      });
      assert.equal(fake.containersById.size, 1);
    });
  });

  test('an image that may not be pulled is missed in the daemon’s words', async () => {
    await withEngine(async (engine) => {
      const error: unknown = await engine.run({ image: 'other', pull: 'never' }).catch((each: unknown) => each);
      assert.ok(error instanceof ApiFault);
      assert.match(error.message, /No such image: other/);
      assert.match(error.advice ?? '', /wherry pull other/);
    });
  });
});

describe('events', () => {
  test('end with their loop and with their signal; nothing stays open', async () => {
    await withEngine(async (engine, { engine: fake }) => {
      const start = setInterval(
        () => fake.emit({ Type: 'container', Action: 'start', Actor: { ID: 'x', Attributes: { name: 'n' } } }),
        5,
      );
      try {
        for await (const event of engine.events()) {
          assert.deepEqual(
            [event.type, event.action, event.id, event.attributes['name']],
            ['container', 'start', 'x', 'n'],
          );
          assert.ok(Math.abs(event.time.getTime() - Date.now()) < 60_000);
          break;
        }
        const stop = new AbortController();
        let seen = 0;
        for await (const _ of engine.events({ signal: stop.signal })) if (++seen === 3) stop.abort();
        assert.equal(seen, 3);
      } finally {
        clearInterval(start);
      }
    });
  });
});
