/** What the SDK and its databases for tests promise, on whichever daemon. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { connect, type Engine, ReadinessFault } from '../../src/sdk/index.ts';
import { database, owned, sweep } from '../../src/testing/index.ts';
import { repository } from './daemon.ts';
import { Running, until } from './docker.ts';
import { busyboxImage } from './images.ts';

export interface SdkPlace {
  /** A folder that goes with the daemon. */
  root: string;
  host: string;
  /** How many connections the daemon has; undefined where that cannot be seen. */
  connections: (() => number) | undefined;
}

export interface SdkSetting {
  place: () => SdkPlace;
  scenario: (name: string, body: () => Promise<void>) => void;
}

/** Answers each connection with a file. */
const served = 'nc -ll -p 80 -e cat /data/rows';

export function sdkCases({ place, scenario }: SdkSetting): void {
  const open = (): Promise<Engine> => connect({ endpoint: place().host });

  function folder(): string {
    return mkdtempSync(join(place().root, 'place-'));
  }

  function fetchText(address: { host: string; port: number }, path: string): Promise<string> {
    return new Promise((resolve, reject) => {
      get({ ...address, path, agent: false }, (answer) => {
        let text = '';
        answer.on('data', (chunk: Buffer) => (text += chunk.toString('utf8')));
        answer.on('end', () => resolve(text));
      }).on('error', reject);
    });
  }

  async function nothingLeft(engine: Engine): Promise<void> {
    assert.deepEqual(
      (await engine.containers.list({ all: true })).map(({ Names }) => Names),
      [],
    );
  }

  function folderOf(dockerfile: string): string {
    const path = folder();
    writeFileSync(join(path, 'Dockerfile'), dockerfile);
    return path;
  }

  scenario('run: ports, environment, files, limits, health; a page over HTTP; gone with its scope', async () => {
    await using engine = await open();
    {
      await using web = await engine.run({
        image: 'busybox',
        name: 'web',
        command: 'echo "$GREETING" > /www/index.html; exec httpd -f -p 80 -h /www',
        env: { GREETING: 'hello', MISSING: undefined },
        files: { '/www/other.html': 'other' },
        ports: [80],
        limits: { memory: '64m', pids: 50 },
        labels: { a: 'b' },
        healthcheck: { command: 'test -f /www/index.html', intervalMs: 100 },
        until: { http: '/index.html', healthy: true },
      });
      const address = web.port(80);
      assert.equal(address.host, '127.0.0.1');
      assert.equal(await fetchText(address, '/index.html'), 'hello\n');
      assert.equal(await fetchText(address, '/other.html'), 'other');
      const { HostConfig, Config, State } = await web.inspect();
      assert.deepEqual([HostConfig.Memory, HostConfig.PidsLimit, Config.Labels?.['a']], [64 << 20, 50, 'b']);
      assert.equal(State.Health?.Status, 'healthy');
      assert.match(web.address(), /^\d+\.\d+\.\d+\.\d+$/);
      assert.equal((await engine.containers.get('web')).id, web.id);
      await web.pause();
      assert.equal((await web.inspect()).State.Paused, true);
      await web.unpause();
      await web.restart({ timeoutMs: 0 });
      await web.waitUntil({ port: 80 });
      for await (const figures of web.stats()) {
        assert.ok(figures.memory > 0 && figures.limit === 64 << 20 && figures.pids >= 1, JSON.stringify(figures));
        break;
      }
      await web.kill();
      assert.deepEqual(await web.wait(), { exitCode: 137 });
    }
    await nothingLeft(engine);
  });

  scenario('exec: its streams, its input, its exit code; a process to talk with', async () => {
    await using engine = await open();
    await using box = await engine.run({ image: 'busybox', command: ['sleep', '1000'] });
    assert.deepEqual(
      await box.exec('cat; echo "$A in $PWD as $(id -u)" >&2; exit 3', {
        stdin: 'input',
        env: { A: 'b' },
        workdir: '/tmp',
        user: '33',
      }),
      {
        exitCode: 3,
        stdout: 'input',
        stderr: 'b in /tmp as 33\n',
      },
    );
    const megabytes = Buffer.alloc(5 << 20, 'abc\n');
    const { stdout } = await box.exec(['sha256sum'], { stdin: megabytes });
    assert.equal(stdout.split(' ')[0], createHash('sha256').update(megabytes).digest('hex'));
    // It need not read what it is given.
    assert.equal((await box.exec(['true'], { stdin: megabytes })).exitCode, 0);
    await using talk = await box.spawn('while read -r line; do echo "you said $line"; done; exit 5');
    await talk.write('one\n');
    let heard = '';
    for await (const { data } of talk.output()) {
      heard += Buffer.from(data).toString('utf8');
      if (heard === 'you said one\n') {
        await talk.write('two\n');
        talk.endInput();
      }
    }
    assert.equal(heard, 'you said one\nyou said two\n');
    assert.equal(await talk.exitCode(), 5);
    const stop = AbortSignal.timeout(100);
    await assert.rejects(box.exec(['sleep', '100'], { signal: stop }), { name: 'TimeoutError' });
  });

  scenario('logs: by stream and line; a loop that is left and a signal leave no connection', async () => {
    await using engine = await open();
    await using talker = await engine.run({
      image: 'busybox',
      command: 'echo one; echo two >&2; i=0; while :; do echo $((i+=1)); sleep 0.05; done',
      until: { log: 'one' },
    });
    await until(
      async () => {
        const lines: string[] = [];
        for await (const { stream, text } of talker.logs()) lines.push(`${stream} ${text}`);
        return lines.includes('stdout one') && lines.includes('stderr two');
      },
      { what: 'both streams' },
    );
    const { connections } = place();
    const before = connections?.() ?? 0;
    for (let round = 0; round < 5; round++) {
      let seen = 0;
      for await (const { stream } of talker.logs({ follow: true, tail: 0, stream: 'stdout' })) {
        assert.equal(stream, 'stdout');
        if (++seen === 3) break;
      }
    }
    for (let round = 0; round < 5; round++) {
      // Ends quietly, in the middle of waiting too.
      for await (const line of talker.logs({
        follow: true,
        stream: 'stderr',
        tail: 0,
        signal: AbortSignal.timeout(60),
      }))
        assert.fail(line.text);
      for await (const _ of talker.output({ follow: true, signal: AbortSignal.timeout(60) }));
      for await (const _ of engine.events({ signal: AbortSignal.timeout(60) }));
      for await (const _ of talker.stats({ signal: AbortSignal.timeout(60) }));
    }
    if (connections === undefined) return;
    // As many as are kept for the next calls.
    await until(() => connections() <= before + 1, {
      what: () => `connections to close: ${connections()} and not ${before}`,
    });
    engine.close();
    await until(() => connections() < before, { what: () => `kept connections to close: ${connections()}` });
  });

  scenario('waits say what did not come, and what was printed last', async () => {
    await using engine = await open();
    const dead = await engine
      .run({
        image: 'busybox',
        name: 'dead',
        // Two pipes: what comes at once may come in either order.
        command: 'echo trying; sleep 0.2; echo no disk >&2; exit 4',
        until: { log: /ready/ },
      })
      .catch((error: unknown) => error);
    assert.ok(dead instanceof ReadinessFault);
    assert.match(
      dead.message,
      /^"dead" is not ready because it ended with exit code 4: waited until its log has \/ready\/\. It last said:\n {2}trying\n {2}no disk$/,
    );
    assert.deepEqual(dead.lastLines, ['trying', 'no disk']);
    const slow = await engine
      .run({
        image: 'busybox',
        name: 'slow',
        command: 'echo hm; exec sleep 100',
        ports: [80],
        until: { port: 80, exec: ['false'], timeoutMs: 400 },
      })
      .catch((error: unknown) => error);
    assert.match(
      String(slow),
      /"slow" is not ready after 0\.4 s: waited until something listens on port 80, and \["false"\] ends with 0 \(it ended with 1: \)/,
    );
    const ill = await engine
      .run({
        image: 'busybox',
        name: 'ill',
        command: ['sleep', '100'],
        healthcheck: { command: 'echo broken; false', intervalMs: 50, retries: 1 },
        until: { healthy: true },
      })
      .catch((error: unknown) => error);
    assert.match(
      String(ill),
      /"ill" is not ready because it is unhealthy: .*it is unhealthy: its check ended with 1, "broken"/,
    );
    const never = await engine
      .run({ image: 'busybox', command: ['sleep', '100'], until: { healthy: true } })
      .catch((error: unknown) => error);
    assert.match(String(never), /has no health check: give it one/);
    // What failed is gone: its containers and their anonymous volumes.
    await nothingLeft(engine);
  });

  scenario(
    'dispose after failure: the container goes, its anonymous volume too, named ones stay until theirs goes',
    async () => {
      await using engine = await open();
      const count = (await engine.volumes.list()).length;
      await assert.rejects(async () => {
        await using _ = await engine.run({
          image: 'busybox',
          command: ['sleep', '1000'],
          config: { Volumes: { '/cache': {} } },
        });
        assert.equal((await engine.volumes.list()).length, count + 1);
        throw new Error('the test failed');
      }, /the test failed/);
      await nothingLeft(engine);
      assert.equal((await engine.volumes.list()).length, count);
      {
        await using data = await engine.volumes.create();
        await using front = await engine.networks.create();
        await using back = await engine.networks.create({ internal: true });
        {
          // SIGTERM first: what is written at the end is in the volume.
          await using _ = await engine.run({
            image: 'busybox',
            command: 'trap "echo saved > /data/file; exit" TERM; echo up; while :; do sleep 0.1; done',
            mounts: [{ volume: data, target: '/data' }],
            until: { log: 'up' },
          });
        }
        await using reader = await engine.run({
          image: 'busybox',
          command: ['sleep', '1000'],
          mounts: [{ volume: data, target: '/data', readOnly: true }],
          networks: [{ network: front, aliases: ['reader'] }, back],
        });
        assert.equal(await reader.readText('/data/file'), 'saved\n');
        assert.deepEqual(Object.keys(reader.info.NetworkSettings.Networks).sort(), [front.name, back.name].sort());
        const { Aliases } = reader.info.NetworkSettings.Networks[front.name]!;
        assert.ok(Aliases?.includes('reader'), String(Aliases));
        const { stdout } = await engine.output({
          image: 'busybox',
          command: ['ping', '-c', '1', reader.address(front.name)],
          networks: [front],
        });
        assert.match(stdout, /1 packets received/);
      }
      assert.equal((await engine.volumes.list()).length, count);
      assert.deepEqual(await engine.networks.list({ type: ['custom'] }), []);
    },
  );

  scenario('a container that removes itself: its exit code is not missed', async () => {
    await using engine = await open();
    for (let round = 0; round < 5; round++) {
      await using container = await engine.run({ image: 'busybox', command: 'exit 7', remove: true });
      assert.deepEqual(await container.wait(), { exitCode: 7 });
    }
    await nothingLeft(engine);
  });

  scenario('files in and out, by docker cp’s rules', async () => {
    await using engine = await open();
    const here = folder();
    mkdirSync(join(here, 'tree/sub'), { recursive: true });
    writeFileSync(join(here, 'tree/sub/a'), 'text', { mode: 0o750 });
    await using box = await engine.run({ image: 'busybox', command: ['sleep', '1000'] });
    await box.copyIn(join(here, 'tree'), '/srv');
    assert.equal((await box.exec('stat -c "%a %n" /srv/sub/a')).stdout, '750 /srv/sub/a\n');
    await box.copyIn(`${here}/tree/.`, '/tmp');
    await box.exec('echo more > /tmp/sub/b; ln -s sub/a /tmp/link');
    await box.copyOut('/tmp/sub', join(here, 'out'));
    assert.deepEqual(
      ['a', 'b'].map((name) => readFileSync(join(here, 'out', name), 'utf8')),
      ['text', 'more\n'],
    );
    assert.equal(await box.readText('/tmp/link'), 'text');
    await box.writeFile('/deep/down/here', Buffer.from([0, 1, 255]), { mode: 0o600 });
    assert.deepEqual([...(await box.readFile('/deep/down/here'))], [0, 1, 255]);
    // Not straight back into it: Docker locks a container while an archive is read.
    const parts: Uint8Array[] = [];
    for await (const chunk of box.getTar('/tmp/sub')) parts.push(chunk);
    await box.putTar(Readable.from(parts), '/home');
    assert.equal(await box.readText('/home/sub/b'), 'more\n');
    await assert.rejects(box.readFile('/nowhere'), /Could not find|No such|not find/i);
    await assert.rejects(box.readFile('/tmp/sub'), /it is no file/);
  });

  scenario('images: built with progress, tagged, saved, loaded, removed; a failed build names its line', async () => {
    await using engine = await open();
    const here = folder();
    writeFileSync(
      join(here, 'Dockerfile'),
      'FROM busybox\nARG WORD\nCOPY file /file\nRUN echo built $WORD | tee /word\n',
    );
    writeFileSync(join(here, 'file'), 'content');
    const work = engine.images.build(here, { tags: ['mine:1'], args: { WORD: 'well' } });
    const steps: string[] = [];
    for await (const step of work)
      if (step.kind === 'step' || step.kind === 'output')
        steps.push(step.kind === 'step' ? `${step.state} ${step.name}` : step.text);
    const { id, tags } = await work;
    assert.deepEqual(tags, ['mine:1']);
    assert.ok(
      steps.some((step) => step === 'built well\n'),
      steps.join('\n'),
    );
    assert.ok(
      steps.some((step) => /^done .*COPY file/.test(step)),
      steps.join('\n'),
    );
    assert.equal((await engine.images.inspect('mine:1')).Id, id);
    assert.equal(
      (await engine.output({ image: 'mine:1', command: ['cat', '/word', '/file'] })).stdout,
      'built well\ncontent',
    );
    await engine.images.tag('mine:1', 'mine:2');
    const archive: Uint8Array[] = [];
    for await (const chunk of engine.images.save('mine:2')) archive.push(chunk);
    for (const name of ['mine:1', 'mine:2']) await engine.images.remove(name);
    assert.equal(await engine.images.has('mine:2'), false);
    async function* again() {
      yield* archive;
    }
    assert.deepEqual(await engine.images.load(again()), ['mine:2']);
    await engine.images.remove('mine:2');
    const failing = engine.images.build(here, { dockerfile: { text: 'FROM busybox\nRUN echo why; exit 9\n' } });
    await assert.rejects(
      Promise.resolve(failing),
      /Cannot build: .*exit code: 9\n {2}Dockerfile:2: RUN echo why; exit 9\nIt last said:\n {2}why/,
    );
    const stop = new AbortController();
    const slow = engine.images.build(here, {
      dockerfile: { text: 'FROM busybox\nRUN sleep 100\n' },
      signal: stop.signal,
    });
    await assert.rejects(async () => {
      for await (const step of slow)
        if (step.kind === 'step' && /RUN sleep/.test(step.name)) stop.abort(new Error('enough'));
    }, /enough/);
    assert.deepEqual(await engine.images.load(await busyboxImage()), ['busybox:latest']);
  });

  /** A database as far as tests of forks need one: rows in a file, served over TCP. */
  const recipe = {
    name: 'rows',
    image: 'busybox',
    command: `mkdir -p /data; test -f /data/rows || : > /data/rows; ${served}`,
    ports: [80],
    ready: { port: 80 },
  };

  scenario('a database: filled once, forked for each test, each its own', async () => {
    await using engine = await open();
    let filled = 0;
    const rows = database(
      {
        ...recipe,
        key: 'a database',
        seed: async (container) => {
          filled++;
          await container.exec('echo seeded >> /data/rows');
        },
      },
      { engine },
    );
    const image = await rows.prepare();
    assert.match(image, /^wherry-template\/rows:[0-9a-f]{20}$/);
    await nothingLeft(engine);
    {
      await using first = await rows.fork();
      await using second = await rows.fork();
      await first.container.exec('echo more >> /data/rows');
      assert.equal(await first.container.readText('/data/rows'), 'seeded\nmore\n');
      assert.equal(await second.container.readText('/data/rows'), 'seeded\n');
      assert.notEqual(first.port(80).port, second.port(80).port);
      assert.equal(first.port(80).host, '127.0.0.1');
    }
    assert.equal(filled, 1);
    await nothingLeft(engine);
    // Gone meanwhile, it is made again.
    await engine.images.remove(image, { force: true });
    {
      await using third = await rows.fork();
      assert.equal(await third.container.readText('/data/rows'), 'seeded\n');
    }
    assert.equal(filled, 2);
    await rows.forget();
    assert.equal(await engine.images.has(image), false);
  });

  scenario('data in volumes of the image comes along', async () => {
    await using engine = await open();
    await engine.images.build(folderOf('FROM busybox\nVOLUME /data\n'), { tags: ['with-volume'] });
    const rows = database(
      {
        ...recipe,
        image: 'with-volume',
        seed: async (container) => void (await container.exec('echo kept > /data/rows; chown 33 /data/rows')),
      },
      { engine },
    );
    const volumes = (await engine.volumes.list()).length;
    {
      await using first = await rows.fork();
      await using second = await rows.fork();
      await first.container.exec('echo more >> /data/rows');
      assert.equal((await second.container.exec('cat /data/rows; stat -c %u /data/rows')).stdout, 'kept\n33\n');
    }
    assert.equal((await engine.volumes.list()).length, volumes);
    await rows.forget();
    await engine.images.remove('with-volume');
  });

  scenario('a seed that fails: nothing stays, and the next one tries again', async () => {
    await using engine = await open();
    let tries = 0;
    const rows = database(
      {
        ...recipe,
        key: 'fails',
        seed: () => {
          if (++tries === 1) throw new Error('bad seed');
        },
      },
      { engine },
    );
    await assert.rejects(rows.fork(), /bad seed/);
    await nothingLeft(engine);
    await using _ = await rows.fork();
    assert.equal(tries, 2);
  });

  /** Another process with the same recipe. */
  const child = join(repository, 'test/fixtures/sdk/fork.ts');

  function start(mode: string, log: string): Running {
    return new Running(process.execPath, [child, mode, log], {
      env: { DOCKER_HOST: place().host, DOCKER_CONTEXT: undefined },
    });
  }

  scenario('several processes at once: one fills it, all fork it', async () => {
    await using engine = await open();
    const here = folder();
    const log = join(here, 'seeds');
    writeFileSync(log, '');
    const all = Array.from({ length: 4 }, () => start('once', log));
    try {
      for (const each of all) assert.equal(await each.ended(60_000), 0, each.stderr);
      for (const each of all) assert.equal(each.stdout, 'seeded\n');
    } finally {
      for (const each of all) await each[Symbol.asyncDispose]();
    }
    assert.equal(readFileSync(log, 'utf8'), 'filled\n');
    await nothingLeft(engine);
  });

  scenario('a test process that is killed takes its fork along, at once', async () => {
    await using engine = await open();
    const here = folder();
    await using victim = start('hang', join(here, 'seeds'));
    await victim.saw(/seeded/, 30_000);
    const [fork] = await engine.containers.list();
    assert.ok(fork !== undefined, victim.stderr);
    victim.child.kill('SIGKILL');
    await victim.exit;
    await until(async () => (await engine.containers.list({ all: true })).length === 0, {
      what: 'the fork to go by itself',
    });
  });

  scenario('what no connection holds goes with the next sweep, and only what belongs to the dead', async () => {
    await using engine = await open();
    const here = folder();
    // A container, a network and a volume, and a template that was being made: the lock of its name is free afterwards.
    await using victim = start('unheld', join(here, 'seeds'));
    await victim.saw(/left/, 30_000);
    await using mine = await engine.run({ image: 'busybox', command: ['sleep', '1000'], labels: owned() });
    await using strange = await engine.run({ image: 'busybox', command: ['sleep', '1000'] });
    assert.deepEqual(await sweep(engine), []);
    victim.child.kill('SIGKILL');
    await victim.exit;
    const gone = await sweep(engine);
    assert.ok(
      gone.includes('left-container') && gone.includes('left-network') && gone.includes('left-volume'),
      gone.join(),
    );
    assert.ok(
      gone.some((name) => name.startsWith('wherry-template-')),
      gone.join(),
    );
    const left = await engine.containers.list({ all: true });
    assert.deepEqual(left.map(({ Id }) => Id).sort(), [mine.id, strange.id].sort());
  });

  scenario('a process that forgets to dispose ends all the same, and its forks with it', async () => {
    await using engine = await open();
    const here = folder();
    const forgetful = spawn(process.execPath, [child, 'forget', join(here, 'seeds')], {
      env: { ...process.env, DOCKER_HOST: place().host },
      stdio: 'ignore',
    });
    const late = setTimeout(() => forgetful.kill('SIGKILL'), 30_000);
    assert.equal(await new Promise((done) => forgetful.on('exit', done)), 0);
    clearTimeout(late);
    await until(async () => (await engine.containers.list({ all: true })).length === 0, {
      what: 'the fork to go by itself',
    });
  });
}
