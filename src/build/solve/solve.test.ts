import assert from 'node:assert/strict';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import { GitServer, noGitServer } from '../../../test/support/git-server.ts';
import { noLimits, openSteps, type Steps, unusable } from '../../../test/support/steps.ts';
import type { BuildEvent, BuildFailure } from '../../api/index.ts';
import { runStep } from '../../container/index.ts';
import { type Content, openContent } from '../../content/index.ts';
import { parse, PatternMatcher } from '../../dockerfile/index.ts';
import { type ImageConfig, sha256, tarHeader, writeTar } from '../../oci/index.ts';
import { openSnapshots, type Snapshots } from '../../snapshot/index.ts';
import { Fault, nowNanos, Shared, silentLogger, Slots } from '../../std/index.ts';
import { SourcesFixture, WebServer } from '../fetch/fixture.ts';
import { planBuild } from '../plan/plan.ts';
import { commitLayer } from '../result/commit-layer.ts';
import { builtConfig } from '../result/image-config.ts';
import { Results } from '../result/results.ts';
import { type BuiltRoot, rootChain, scratch } from '../result/root.ts';
import { CacheMounts } from './cache-mounts.ts';
import type { SolveContext } from './context.ts';
import { KnownDigests } from './known-digests.ts';
import { solve } from './solve.ts';
import { clearUnfinished, newStepId } from './step-id.ts';

const busybox = ['/bin/busybox', '/usr/bin/busybox'].find((path) => existsSync(path));
const runtime = unusable('runc') === false ? 'runc' : 'crun';
const skip =
  process.getuid?.() !== 0
    ? 'needs root (namespaces, overlayfs)'
    : busybox === undefined
      ? 'needs a static busybox (package busybox-static)'
      : unusable(runtime);
const live = new AbortController().signal;
const applets = ['sh', 'cat', 'echo', 'id', 'ls', 'mkdir', 'rm', 'sleep', 'stat', 'test', 'touch', 'true'];

interface Built {
  config: ImageConfig;
  files: Record<string, string>;
  layers: number;
  /** Names of steps, `cached ` before those that were. */
  steps: string[];
  events: BuildEvent[];
  output: string;
}

class Fixture implements AsyncDisposable {
  readonly root = mkdtempSync(join(tmpdir(), 'wherry-solve-'));
  readonly files = join(this.root, 'context');
  readonly secrets = new Map<string, string>();
  agentSocket: string | undefined;
  limits = noLimits;
  extraHosts: string[] = [];
  /** `--build-context name=folder`. */
  readonly contexts = new Map<string, string>();
  sources!: SourcesFixture;
  ignore: string[] = [];
  content!: Content;
  snapshots!: Snapshots;
  steps!: Steps;
  context!: SolveContext;
  base!: BuiltRoot;

  static async open(files: Record<string, string> = {}): Promise<Fixture> {
    const fixture = new Fixture();
    mkdirSync(fixture.files);
    for (const [name, content] of Object.entries(files)) fixture.write(name, content);
    fixture.content = await openContent({ root: join(fixture.root, 'content') });
    fixture.snapshots = await openSnapshots({ root: join(fixture.root, 'snapshots') });
    fixture.steps = await openSteps(fixture.root, runtime);
    const { content, snapshots } = fixture;
    const parts = { content, snapshots, log: silentLogger, now: nowNanos };
    const results = await Results.open({ root: join(fixture.root, 'build'), ...parts });
    fixture.sources = await SourcesFixture.open();
    fixture.context = {
      content,
      snapshots,
      results,
      sources: fixture.sources.sources,
      running: new Shared(),
      slots: new Slots(2),
      cacheMounts: await CacheMounts.open(join(fixture.root, 'mounts'), { log: silentLogger, now: nowNanos }),
      digests: new KnownDigests(),
      run: (request, signal) => runStep(fixture.steps.context, request, signal),
      newId: newStepId,
      now: nowNanos,
    };
    await fixture.#makeBase();
    return fixture;
  }

  /** busybox, as a pulled image would be here. */
  async #makeBase(): Promise<void> {
    await this.snapshots.prepare('base', undefined);
    const path = this.snapshots.mount('base');
    for (const name of ['bin', 'etc', 'tmp', 'proc', 'dev', 'sys']) mkdirSync(join(path, name));
    copyFileSync(busybox!, join(path, 'bin/busybox'));
    chmodSync(join(path, 'bin/busybox'), 0o755);
    for (const name of applets) symlinkSync('busybox', join(path, 'bin', name));
    writeFileSync(join(path, 'etc/passwd'), 'root:x:0:0::/root:/bin/sh\n');
    for (const name of ['hosts', 'resolv.conf']) writeFileSync(join(path, 'etc', name), '');
    const hold = { blobs: this.content.hold(), layers: this.snapshots.hold() };
    this.base = await commitLayer(this, { id: 'base', base: scratch, hold, now: 0n }, live);
    await this.snapshots.remove('base');
  }

  write(name: string, content: string): void {
    mkdirSync(dirname(join(this.files, name)), { recursive: true });
    writeFileSync(join(this.files, name), content);
  }

  /** The files of the last root that are not the base's. */
  async build(
    dockerfile: string,
    options: { signal?: AbortSignal; noCache?: 'all'; onEvent?: (event: BuildEvent) => void } = {},
  ): Promise<Built> {
    const { base } = this;
    const platform = { os: 'linux', architecture: 'amd64' };
    const { contexts } = this;
    const request = { platform, contexts, ...(options.noCache === undefined ? {} : { noCache: options.noCache }) };
    const plan = await planBuild(parse(Buffer.from(dockerfile)), request, (reference) =>
      Promise.resolve({ reference, config: { ...platform, rootfs: { type: 'layers', diff_ids: [...base.diffIds] } } }),
    );
    const events: BuildEvent[] = [];
    using blobs = this.content.hold();
    using layers = this.snapshots.hold();
    const ignore = this.ignore.length === 0 ? undefined : new PatternMatcher(this.ignore);
    const inputs = {
      hold: { blobs, layers },
      image: () => Promise.resolve({ resolved: sha256('base'), root: base }),
      local: (context: string) =>
        Promise.resolve({
          path: contexts.get(context) ?? this.files,
          ignore: contexts.has(context) ? undefined : ignore,
        }),
      secrets: {
        secret: (id: string) => Promise.resolve(this.secrets.has(id) ? Buffer.from(this.secrets.get(id)!) : undefined),
        agent: async (id: string) => {
          if (this.agentSocket === undefined || id !== 'default')
            throw new Fault('not-found', `unset ssh forward key ${id}`);
          return { socket: this.agentSocket, [Symbol.asyncDispose]: async () => {} };
        },
        credentials: async () => undefined,
      },
      extraHosts: this.extraHosts,
      limits: this.limits,
      allowInsecure: false,
      emit: (event: BuildEvent) => {
        events.push(event);
        options.onEvent?.(event);
      },
    };
    const roots = await solve(this.context, plan, inputs, options.signal ?? live);
    const root = roots.get(plan.root) ?? scratch;
    return {
      config: builtConfig(plan.image, root, roots),
      files: this.#files(root),
      layers: root.layers.length,
      steps: events.flatMap((event) =>
        event.kind === 'vertex' && event.completed !== undefined
          ? [`${event.cached ? 'cached ' : ''}${event.name}`]
          : [],
      ),
      events,
      output: events.map((event) => (event.kind === 'log' ? Buffer.from(event.data).toString() : '')).join(''),
    };
  }

  #files(root: BuiltRoot): Record<string, string> {
    using view = this.snapshots.view(rootChain(root)!);
    const found: Record<string, string> = {};
    for (const entry of readdirSync(view.path, { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name);
      const name = path.slice(view.path.length);
      if (entry.isFile() && !/^\/(bin|etc)\//.test(name)) found[name] = readFileSync(path, 'utf8');
    }
    return found;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.steps.close();
    await this.sources[Symbol.asyncDispose]();
    assert.deepEqual(this.snapshots.writables(), []);
    assert.deepEqual(existsSync(join(this.root, 'run/steps')) ? readdirSync(join(this.root, 'run/steps')) : [], []);
    const left = readFileSync('/proc/self/mountinfo', 'utf8')
      .split('\n')
      .filter((line) => line.includes(this.root) && !line.includes('/netns/'));
    assert.deepEqual(left, []);
    rmSync(this.root, { recursive: true });
  }
}

describe('solving', { skip, timeout: 120_000 }, () => {
  test('WORKDIR, COPY, RUN; then all of it from the cache, whatever the times', async () => {
    await using fixture = await Fixture.open({ 'src/a': '1', 'src/b': '2' });
    const dockerfile = 'FROM base\nWORKDIR /app\nCOPY src .\nRUN cat a b > sum; echo done\n';
    const first = await fixture.build(dockerfile);
    assert.deepEqual(first.files, { '/app/a': '1', '/app/b': '2', '/app/sum': '12' });
    assert.equal(first.layers, 4);
    assert.equal(first.output, 'done\n');
    const blobs = fixture.content.list().length;
    utimesSync(join(fixture.files, 'src/a'), 1000, 1000);
    const second = await fixture.build(dockerfile);
    assert.deepEqual(second.files, first.files);
    assert.deepEqual(second.config, first.config);
    assert.deepEqual(
      second.steps.filter((name) => name.startsWith('cached')),
      ['cached [2/4] WORKDIR /app', 'cached [3/4] COPY src .', 'cached [4/4] RUN cat a b > sum; echo done'],
    );
    assert.equal(fixture.content.list().length, blobs);
    fixture.write('src/a', 'new');
    const third = await fixture.build(dockerfile);
    assert.equal(third.files['/app/sum'], 'new2');
    assert.deepEqual(
      third.steps.filter((name) => name.startsWith('cached')),
      ['cached [2/4] WORKDIR /app'],
    );
    const fourth = await fixture.build(dockerfile, { noCache: 'all' });
    assert.deepEqual(
      fourth.steps.filter((name) => name.startsWith('cached')),
      [],
    );
  });

  test('stages, and what is copied between them', async () => {
    await using fixture = await Fixture.open();
    const { files, steps } = await fixture.build(
      'FROM base AS one\nRUN echo 1 > /one\nFROM base AS two\nRUN echo 2 > /two\nFROM base AS unused\nRUN exit 1\nFROM scratch\nCOPY --from=one /one /\nCOPY --from=two /two /\n',
    );
    assert.deepEqual(files, { '/one': '1\n', '/two': '2\n' });
    assert.equal(
      steps.some((name) => name.includes('exit 1')),
      false,
    );
  });

  test('independent stages run at the same time', async () => {
    await using fixture = await Fixture.open();
    // Each waits for what the other does, in a cache that they share.
    const wait = (own: string, other: string): string =>
      `RUN --mount=type=cache,target=/c touch /c/${own}; until test -e /c/${other}; do sleep 0.05; done; echo ${own} > /${own}\n`;
    const { files } = await fixture.build(
      `FROM base AS one\n${wait('a', 'b')}FROM base AS two\n${wait('b', 'a')}FROM scratch\nCOPY --from=one /a /\nCOPY --from=two /b /\n`,
      { signal: AbortSignal.timeout(30_000) },
    );
    assert.deepEqual(files, { '/a': 'a\n', '/b': 'b\n' });
  });

  test('the same step of two builds at once is done once', async () => {
    await using fixture = await Fixture.open();
    const dockerfile =
      'FROM base\nRUN --mount=type=cache,target=/c sleep 0.3; echo x >> /c/runs; cat /c/runs > /runs\n';
    const [one, other] = await Promise.all([fixture.build(dockerfile), fixture.build(dockerfile)]);
    assert.deepEqual([one.files, other.files], [{ '/runs': 'x\n' }, { '/runs': 'x\n' }]);
  });

  test('mounts: a stage, a secret, a cache, memory; none of them is in a layer', async () => {
    await using fixture = await Fixture.open({ 'ctx/file': 'context' });
    fixture.secrets.set('key', 'hush');
    const dockerfile = `FROM base AS tools
RUN echo tool > /tool
FROM base
RUN --mount=type=bind,from=tools,source=/tool,target=/t \\
    --mount=type=bind,source=ctx,target=/ctx,rw \\
    --mount=type=secret,id=key --mount=type=secret,id=key,env=KEY \\
    --mount=type=tmpfs,target=/m \\
    cat /t /ctx/file /run/secrets/key > /out; echo $KEY; echo x > /m/x; echo y > /ctx/new
`;
    const { files, output } = await fixture.build(dockerfile);
    assert.deepEqual(files, { '/out': 'tool\ncontexthush' });
    assert.equal(output, 'hush\n');
    assert.deepEqual(readdirSync(join(fixture.files, 'ctx')), ['file']);
    assert.equal(JSON.stringify(fixture.context.results.list()).includes('hush'), false);
    await assert.rejects(fixture.build('FROM base\nRUN --mount=type=secret,id=none,required true\n'), {
      kind: 'not-found',
      message: 'secret none: not found',
    });
  });

  test('a failing step: its exit code, its place, and nothing is left of it', async () => {
    await using fixture = await Fixture.open();
    const layers = fixture.snapshots.layers().length;
    const building = fixture.build('FROM base\nRUN echo why; exit 7\n');
    await assert.rejects(building, (error: Error) => {
      const { exitCode, source } = error.cause as BuildFailure;
      assert.equal(error.message, 'process "/bin/sh -c echo why; exit 7" did not complete successfully: exit code: 7');
      assert.deepEqual([exitCode, source?.start.line], [7, 2]);
      return true;
    });
    assert.equal(fixture.snapshots.layers().length, layers);
  });

  test('a failing stage ends the others', async () => {
    await using fixture = await Fixture.open();
    const building = fixture.build(
      'FROM base AS slow\nRUN sleep 300\nFROM base AS bad\nRUN exit 3\nFROM scratch\nCOPY --from=slow /x /\nCOPY --from=bad /x /\n',
    );
    await assert.rejects(building, /exit code: 3$/);
  });

  test('a source that is not there', async () => {
    await using fixture = await Fixture.open({ a: '1' });
    fixture.ignore = ['a'];
    for (const source of ['none', 'a']) {
      await assert.rejects(fixture.build(`FROM base\nCOPY ${source} /\n`), {
        kind: 'not-found',
        message: `failed to compute cache key: failed to calculate checksum of ref: "/${source}": not found`,
      });
    }
  });

  test('--link: what comes after it stands on its base, too', async () => {
    await using fixture = await Fixture.open({ a: '1' });
    const dockerfile = (text: string): string =>
      `FROM base AS one\nRUN echo ${text} > /x\nCOPY --link a /d/\nRUN cat /x > /y\nFROM one\nCOPY --from=one /x /z\n`;
    const first = await fixture.build(dockerfile('1'));
    assert.deepEqual(first.files, { '/d/a': '1', '/x': '1\n', '/y': '1\n', '/z': '1\n' });
    const second = await fixture.build(dockerfile('2'));
    assert.deepEqual(second.files, { '/d/a': '1', '/x': '2\n', '/y': '2\n', '/z': '2\n' });
  });

  test('--link: its layer goes on another base from the cache', async () => {
    await using fixture = await Fixture.open({ a: '1' });
    const dockerfile = (before: string): string => `FROM base\nRUN ${before}\nCOPY --link a /d/\n`;
    const first = await fixture.build(dockerfile('echo 1 > /x'));
    assert.deepEqual(first.files, { '/x': '1\n', '/d/a': '1' });
    const second = await fixture.build(dockerfile('echo 2 > /x'));
    assert.deepEqual(second.files, { '/x': '2\n', '/d/a': '1' });
    assert.ok(second.steps.includes('cached [3/3] COPY --link a /d/'), second.steps.join('; '));
  });

  test("the image's configuration: a line of history for each layer, and the time of the youngest", async () => {
    await using fixture = await Fixture.open({ a: '1' });
    const { config } = await fixture.build('FROM base\nENV A=b\nWORKDIR /d\nCOPY a .\nRUN true\nCMD ["x"]\n');
    const history = config.history ?? [];
    assert.deepEqual(
      history.map((line) => [line.created_by, line.empty_layer ?? false]),
      [
        ['ENV A=b', true],
        ['WORKDIR /d', false],
        ['COPY a . # buildkit', false],
        ['RUN /bin/sh -c true # buildkit', false],
        ['CMD ["x"]', true],
      ],
    );
    // The base has a layer without history here.
    assert.equal(config.rootfs.diff_ids.length, 1 + history.filter((line) => line.empty_layer !== true).length);
    assert.equal(config.created, history[3]?.created);
    assert.equal(history[4]?.created, history[3]?.created);
    assert.ok(Date.parse(history[1]!.created!) <= Date.parse(history[2]!.created!));
    assert.equal(config.config?.['WorkingDir'], '/d');
    assert.match(JSON.stringify(config.config?.['Env']), /"A=b"/);
    const scratchOnly = await fixture.build('FROM base\nLABEL a=b\n');
    assert.equal(scratchOnly.config.created, undefined);
  });

  test('heredocs', async () => {
    await using fixture = await Fixture.open();
    const { files } = await fixture.build(
      'FROM base\nCOPY <<one <<two /d/\n1\none\n2\ntwo\nRUN <<end\necho a > /a\necho b > /b\nend\nRUN <<end\n#!/bin/cat\ntext\nend\n',
    );
    assert.deepEqual(files, { '/d/one': '1\n', '/d/two': '2\n', '/a': 'a\n', '/b': 'b\n' });
  });

  test('ADD of a URL: its mode, its time, its owner; archives are not opened unless told to', async () => {
    await using fixture = await Fixture.open();
    const archive = await tarOf({ inside: 'x' });
    await using server = await WebServer.open((request, response) => {
      const body = request.url === '/a.tar' ? archive : 'hello';
      response.writeHead(200, { etag: '"1"', 'last-modified': 'Sun, 06 Nov 1994 08:49:37 GMT' }).end(body);
    });
    const dockerfile = `FROM base
ADD ${server.url('/file.txt')} ${server.url('/a.tar')} /d/
ADD --unpack ${server.url('/a.tar')} /u/
ADD --chmod=644 --chown=33:44 ${server.url('/file.txt')} /other
RUN stat -c '%a %u:%g %Y %s' /d/file.txt /d/a.tar /other; cat /u/inside
`;
    const { output } = await fixture.build(dockerfile);
    assert.equal(output, `600 0:0 784111777 5\n600 0:0 784111777 ${archive.length}\n644 33:44 784111777 5\nx`);
    const asked = server.requests.length;
    const again = await fixture.build(dockerfile);
    assert.equal(again.steps.filter((name) => name.startsWith('cached')).length, 4);
    assert.ok(server.requests.slice(asked).every(({ headers }) => headers['if-none-match'] === '"1"'));
    assert.deepEqual(
      fixture.sources.sources.list().map(({ inUse }) => inUse),
      [false, false],
    );
  });

  test('ADD of what is not there, or not what it should be', async () => {
    await using fixture = await Fixture.open();
    await using server = await WebServer.open((request, response) =>
      response.writeHead(request.url === '/gone' ? 404 : 200).end('x'),
    );
    await assert.rejects(
      fixture.build(`FROM base\nADD ${server.url('/gone')} /\n`),
      /^Fault: invalid response status 404$/,
    );
    const zeros = `sha256:${'0'.repeat(64)}`;
    await assert.rejects(
      fixture.build(`FROM base\nADD --checksum=${zeros} ${server.url('/x')} /\n`),
      /digest mismatch/,
    );
    assert.deepEqual(fixture.context.results.list(), []);
  });

  test('ADD of a repository, and a stage that is one', { skip: noGitServer }, async () => {
    await using fixture = await Fixture.open();
    await using git = await GitServer.open();
    git.commit('r.git', { a: '1', 'dir/b': '2' });
    const dockerfile = `FROM base\nADD ${git.url('r.git')} /all/\nADD ${git.url('r.git')}#main:dir /dir\nRUN ls -A /all\n`;
    const { files, output, events } = await fixture.build(dockerfile);
    assert.deepEqual(files, { '/all/a': '1', '/all/dir/b': '2', '/dir/b': '2' });
    assert.equal(output.endsWith('a\ndir\n'), true);
    assert.ok(events.some((event) => event.kind === 'log' && Buffer.from(event.data).includes('refs/heads/main')));
    const again = await fixture.build(dockerfile);
    assert.equal(again.steps.filter((name) => name.startsWith('cached')).length, 3);
    fixture.contexts.set('repo', git.url('r.git'));
    const staged = await fixture.build('FROM scratch\nCOPY --from=repo /dir /\n');
    assert.deepEqual(staged.files, { '/b': '2' });
  });

  test('FROM a context that is no image', async () => {
    await using fixture = await Fixture.open();
    await using server = await WebServer.open((_request, response) => void response.end('hello'));
    const folder = join(fixture.root, 'other');
    mkdirSync(join(folder, 'd'), { recursive: true });
    writeFileSync(join(folder, 'd/file'), 'x');
    fixture.contexts.set('folder', folder);
    fixture.contexts.set('file', server.url('/hello.txt'));
    const bare = await fixture.build('FROM folder\n');
    assert.deepEqual([bare.files, bare.layers], [{ '/d/file': 'x' }, 1]);
    const more = await fixture.build('FROM folder\nCOPY --from=file / /f/\n');
    assert.deepEqual(more.files, { '/d/file': 'x', '/f/hello.txt': 'hello' });
    const again = await fixture.build('FROM folder\nCOPY --from=file / /f/\n');
    assert.deepEqual(again.config, more.config);
    writeFileSync(join(folder, 'd/file'), 'y');
    const changed = await fixture.build('FROM folder\nCOPY --from=file / /f/\n');
    assert.deepEqual(changed.files, { '/d/file': 'y', '/f/hello.txt': 'hello' });
  });

  test("RUN with the client's SSH agent", async () => {
    await using fixture = await Fixture.open();
    const optional = 'FROM base\nRUN --mount=type=ssh echo "[$SSH_AUTH_SOCK]"; ls /run 2>/dev/null; true\n';
    assert.equal((await fixture.build(optional, { noCache: 'all' })).output, '[/run/buildkit/ssh_agent.0]\n');
    const required = 'FROM base\nRUN --mount=type=ssh,required true\n';
    await assert.rejects(fixture.build(required), { kind: 'not-found', message: /^no SSH key "default" forwarded/ });
    fixture.agentSocket = join(fixture.root, 'agent.sock');
    const agent = createServer();
    await new Promise<void>((done) => agent.listen(fixture.agentSocket, () => done()));
    try {
      const dockerfile = `FROM base
RUN --mount=type=ssh,target=/a/sock,mode=0620,uid=5,gid=6 stat -c '%F %a %u:%g %i' /a/sock; echo $SSH_AUTH_SOCK
RUN ls /a 2>/dev/null; true
`;
      const { output } = await fixture.build(dockerfile, { noCache: 'all' });
      assert.equal(output, `socket 620 5:6 ${statSync(fixture.agentSocket).ino}\n/a/sock\n`);
      const own = 'FROM base\nENV SSH_AUTH_SOCK=/mine\nRUN --mount=type=ssh echo $SSH_AUTH_SOCK\n';
      assert.equal((await fixture.build(own)).output, '/mine\n');
    } finally {
      agent.close();
    }
  });

  test('what of the surroundings a RUN is known by, as in BuildKit', async () => {
    await using fixture = await Fixture.open();
    const dockerfile = 'FROM base\nRUN true\n';
    const isCached = async (): Promise<boolean> =>
      (await fixture.build(dockerfile)).steps.some((name) => name.startsWith('cached'));
    assert.equal(await isCached(), false);
    fixture.limits = { ...noLimits, memory: 64 << 20, cpuShares: 512 };
    assert.equal(await isCached(), true);
    fixture.limits = { ...noLimits, ulimits: [{ Name: 'nofile', Soft: 100, Hard: 100 }] };
    assert.equal(await isCached(), false);
    fixture.limits = { ...noLimits, shmSize: 1 << 20 };
    assert.equal(await isCached(), false);
    fixture.limits = noLimits;
    fixture.extraHosts = ['h:1.2.3.4'];
    assert.equal(await isCached(), false);
    fixture.extraHosts = ['h:1.2.3.5'];
    assert.equal(await isCached(), true);
    fixture.extraHosts = [];
    assert.equal(await isCached(), true);
  });

  test('every step that starts ends, and tells its result; one that is cancelled did not fail', async () => {
    await using fixture = await Fixture.open();
    const { events } = await fixture.build('FROM base\nRUN true\n');
    const results = events.flatMap((event) =>
      event.kind === 'vertex' && event.completed !== undefined ? [event.result] : [],
    );
    assert.deepEqual(
      results.map((result) => /^sha256:[0-9a-f]{64}$/.test(result ?? '')),
      [true, true],
    );
    const told: BuildEvent[] = [];
    const onEvent = (event: BuildEvent): void => void told.push(event);
    const failing =
      'FROM base AS a\nRUN sleep 300\nFROM base AS b\nRUN sleep 0.3; exit 7\nFROM base\nCOPY --from=a / /\nCOPY --from=b / /\n';
    await assert.rejects(fixture.build(failing, { onEvent }), /exit code: 7/);
    const ends = new Map(told.flatMap((event) => (event.kind === 'vertex' ? [[event.name, event] as const] : [])));
    assert.ok([...ends.values()].every(({ started, completed }) => started === undefined || completed !== undefined));
    assert.equal(ends.get('[a 2/2] RUN sleep 300')?.error, 'context canceled');
    assert.match(ends.get('[b 2/2] RUN sleep 0.3; exit 7')?.error ?? '', /exit code: 7/);
  });

  test('a step that another build began, and whose client is gone, is begun again', async () => {
    await using fixture = await Fixture.open();
    fixture.secrets.set('key', 'x');
    const dockerfile =
      'FROM base\nRUN --mount=type=secret,id=key,required echo up; sleep 0.5; cat /run/secrets/key > /k\n';
    const cancel = new AbortController();
    const started = Promise.withResolvers<void>();
    const one = fixture.build(dockerfile, {
      signal: cancel.signal,
      onEvent: (event) => event.kind === 'log' && started.resolve(),
    });
    await started.promise;
    const other = fixture.build(dockerfile);
    cancel.abort(new Error('gone'));
    await assert.rejects(one, /^Error: gone$/);
    assert.deepEqual((await other).files, { '/k': 'x' });
  });

  test('cancelled while a step runs', async () => {
    await using fixture = await Fixture.open();
    const cancel = new AbortController();
    const building = fixture.build('FROM base\nRUN echo up; sleep 300\n', {
      signal: cancel.signal,
      onEvent: ({ kind }) => {
        if (kind === 'log') cancel.abort(new Error('gone'));
      },
    });
    await assert.rejects(building, /^Error: gone$/);
    assert.deepEqual(fixture.context.results.list(), []);
  });

  test('what a killed daemon left of a step', async () => {
    await using fixture = await Fixture.open();
    const id = newStepId();
    await fixture.snapshots.prepare(id, undefined);
    await fixture.snapshots.prepare('a-container', undefined);
    writeFileSync(join(fixture.snapshots.mount(id), 'half'), 'x');
    await clearUnfinished(fixture.snapshots);
    assert.deepEqual(fixture.snapshots.writables(), ['a-container']);
    await fixture.snapshots.remove('a-container');
  });

  test('what no build needs any more is deleted when its record is forgotten', async () => {
    await using fixture = await Fixture.open();
    await fixture.build('FROM base\nRUN echo 1 > /x\n');
    assert.equal(fixture.snapshots.layers().length, 2);
    await fixture.context.results.forget(fixture.context.results.list().map(({ key }) => key));
    assert.equal(fixture.snapshots.layers().length, 1);
  });
});

async function tarOf(files: Readonly<Record<string, string>>): Promise<Buffer> {
  const entries = Object.entries(files).map(([name, body]) => ({
    header: tarHeader(name, 'file', { size: body.length }),
    body: Buffer.from(body),
  }));
  const chunks: Uint8Array[] = [];
  for await (const chunk of writeTar(entries)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

describe('slots', () => {
  test('are given in order, and not to those who left', async () => {
    const slots = new Slots(1);
    const first = await slots.take(live);
    const cancel = new AbortController();
    const order: string[] = [];
    const left = slots.take(cancel.signal);
    const second = slots.take(live).then((slot) => {
      order.push('second');
      return slot;
    });
    const third = slots.take(live).then((slot) => {
      order.push('third');
      return slot;
    });
    cancel.abort(new Error('left'));
    await assert.rejects(left, /left/);
    first[Symbol.dispose]();
    first[Symbol.dispose]();
    (await second)[Symbol.dispose]();
    (await third)[Symbol.dispose]();
    assert.deepEqual(order, ['second', 'third']);
    await assert.rejects(slots.take(cancel.signal), /left/);
  });
});
