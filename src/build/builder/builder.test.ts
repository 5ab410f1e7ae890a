import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { openBusyboxStore } from '../../../test/support/base-image.ts';
import { noLimits, openSteps, type Steps, unusable } from '../../../test/support/steps.ts';
import type { BuildEvent, BuildFailure, BuildRequest, BuildResult, LocalSource, Problem } from '../../api/index.ts';
import { runStep } from '../../container/index.ts';
import { type Content, openContent } from '../../content/index.ts';
import type { ImageStore } from '../../image/index.ts';
import { openSnapshots, type Snapshots } from '../../snapshot/index.ts';
import { Fault, nowNanos, silentLogger } from '../../std/index.ts';
import { Builder, type BuilderOptions } from './builder.ts';
import { openCacheTransfer } from '../cache/transfer.ts';
import { openExporter } from '../export/exporter.ts';
import { LayerForms } from '../export/layer-forms.ts';
import { SourcesFixture } from '../fetch/fixture.ts';

const runtime = unusable('runc') === false ? 'runc' : 'crun';
const busybox = ['/bin/busybox', '/usr/bin/busybox'].find((path) => existsSync(path));
const skip =
  process.getuid?.() !== 0
    ? 'needs root (namespaces, overlayfs)'
    : busybox === undefined
      ? 'needs a static busybox (package busybox-static)'
      : unusable(runtime);

/** A folder of the client's; what is asked of it is noted. */
function lend(folder: string, asked: unknown[] = []): LocalSource {
  return {
    fetch: async (wanted) => {
      asked.push(wanted);
      return { path: folder, transferred: 1, [Symbol.asyncDispose]: () => Promise.resolve() };
    },
  };
}

describe('builds', { skip }, () => {
  const root = mkdtempSync(join(tmpdir(), 'wherry-builder-'));
  const folder = join(root, 'files');
  let steps: Steps;
  let content: Content;
  let snapshots: Snapshots;
  let images: ImageStore;
  let sources: SourcesFixture;
  let builder: Builder;
  let options: BuilderOptions;

  before(async () => {
    content = await openContent({ root: join(root, 'content') });
    snapshots = await openSnapshots({ root: join(root, 'snapshots') });
    images = await openBusyboxStore(root, { content, snapshots });
    steps = await openSteps(root, runtime);
    sources = await SourcesFixture.open();
    const forms = new LayerForms();
    options = {
      root: join(root, 'build'),
      content,
      snapshots,
      images,
      runStep: (request, signal) => runStep(steps.context, request, signal),
      sources: sources.sources,
      exporter: openExporter({ folder: join(root, 'exports'), content, snapshots, images, forms, now: nowNanos }),
      caches: openCacheTransfer({ content, snapshots, images, registry: sources.registry, forms, now: nowNanos }),
      gc: [],
      log: silentLogger,
    };
    builder = await Builder.open(options);
  });

  after(async () => {
    await builder[Symbol.asyncDispose]();
    await sources[Symbol.asyncDispose]();
    await images[Symbol.asyncDispose]();
    await steps.close();
    rmSync(root, { recursive: true, force: true });
  });

  function write(files: Record<string, string>): LocalSource {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder);
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), text);
    }
    return lend(folder);
  }

  function request(context: LocalSource | undefined, more: Partial<BuildRequest> = {}): BuildRequest {
    return {
      id: 'build1',
      context,
      dockerfile: { path: 'Dockerfile', source: undefined },
      namedContexts: new Map(),
      target: undefined,
      buildArgs: new Map(),
      labels: new Map(),
      annotations: new Map(),
      platform: undefined,
      noCache: false,
      pull: false,
      cacheFrom: [],
      cacheTo: [],
      network: 'default',
      extraHosts: [],
      limits: noLimits,
      allowInsecure: false,
      secrets: {
        secret: async () => undefined,
        agent: () => Promise.reject(new Fault('not-found', 'no agent')),
        credentials: async () => undefined,
      },
      outputs: [{ type: 'image', names: [], push: false, attributes: {}, write: undefined }],
      call: 'build',
      ...more,
    };
  }

  interface Run {
    result: BuildResult;
    events: BuildEvent[];
  }

  async function build(
    files: Record<string, string>,
    more: Partial<BuildRequest> = {},
    signal = new AbortController().signal,
  ): Promise<Run> {
    const run = builder.run(request(write(files), more), signal);
    const events: BuildEvent[] = [];
    for await (const event of run.events) events.push(event);
    return { result: await run.result, events };
  }

  async function failure(work: Promise<unknown>): Promise<BuildFailure> {
    try {
      await work;
    } catch (error) {
      assert.ok(error instanceof Fault, String(error));
      assert.ok(error.cause !== undefined, error.message);
      return error.cause as BuildFailure;
    }
    return assert.fail('it did not fail');
  }

  const named = (events: readonly BuildEvent[]): string[] =>
    events.flatMap((event) =>
      event.kind === 'vertex' && event.completed !== undefined ? [`${event.cached ? 'cached ' : ''}${event.name}`] : [],
    );

  test('a file to an image with names, and again from the cache', async () => {
    const files = {
      Dockerfile: 'FROM busybox\nENV A=1\nCOPY a.txt /\nRUN cat a.txt > b.txt\nCMD ["sh"]\n',
      'a.txt': 'hello',
      '.dockerignore': '*.md\n',
    };
    const output = { type: 'image', names: ['one', 'two:2'], push: false, attributes: {}, write: undefined } as const;
    const first = await build(files, { outputs: [output], labels: new Map([['l', 'v']]) });
    const image = await images.inspect('two:2', {});
    assert.equal(image.Id, first.result.image);
    assert.deepEqual(image.RepoTags?.toSorted(), ['one:latest', 'two:2']);
    assert.deepEqual(image.Config?.Labels, { l: 'v' });
    const names = named(first.events);
    for (const name of [
      '[internal] load build definition from Dockerfile',
      '[internal] load .dockerignore',
      '[internal] load metadata for docker.io/library/busybox:latest',
      '[internal] load build context',
      '[2/3] COPY a.txt /',
      '[3/3] RUN cat a.txt > b.txt',
    ])
      assert.ok(names.includes(name), `${name} in ${names.join(', ')}`);
    const second = await build(files, { outputs: [output], labels: new Map([['l', 'v']]) });
    assert.equal(second.result.image, first.result.image);
    assert.ok(named(second.events).includes('cached [3/3] RUN cat a.txt > b.txt'));
  });

  test('the instructions come before the first step, each with its step', async () => {
    const { events } = await build({ Dockerfile: 'FROM busybox AS a\nRUN true\nFROM a\nENV X=1\n' });
    const told = events.find((event) => event.kind === 'instructions');
    assert.deepEqual(
      told?.instructions.map(({ text, vertex }) => [text, vertex !== undefined]),
      [
        ['FROM busybox AS a', true],
        ['RUN true', true],
        ['FROM a', false],
        ['ENV X=1', false],
      ],
    );
  });

  test('only what is used is asked of the client, without what is ignored', async () => {
    const asked: unknown[] = [];
    write({ Dockerfile: 'FROM busybox\nCOPY src/a /a\n', 'src/a': '1', '.dockerignore': 'node_modules\n' });
    await builder.run(request(lend(folder, asked)), new AbortController().signal).result;
    assert.deepEqual(asked, [
      { followPaths: ['Dockerfile', 'Dockerfile.dockerignore', 'dockerfile'], excludes: [] },
      { followPaths: ['.dockerignore'], excludes: [] },
      { followPaths: ['src/a'], excludes: ['node_modules'] },
    ]);
  });

  test('every syntax error of a file at once, each with its place', async () => {
    const { message, source, text } = await failure(build({ Dockerfile: 'FROM busybox\nRUM x\nCOPY a\n' }));
    assert.match(message, /^dockerfile parse error on line 2: unknown instruction: RUM/);
    assert.match(message, /1 more problem:\nDockerfile:3:6: .*COPY requires at least two arguments/s);
    assert.equal(source?.start.line, 2);
    assert.match(text ?? '', /RUM x/);
  });

  test('a missing file says where it was looked for', async () => {
    await assert.rejects(build({ 'a.txt': '' }), {
      kind: 'not-found',
      message: 'failed to read dockerfile: open Dockerfile: no such file or directory',
    });
    const missing = await failure(build({ Dockerfile: 'FROM busybox\nCOPY nothing /\n' }));
    assert.match(missing.message, /"\/nothing": not found/);
    assert.equal(missing.source?.start.line, 2);
    assert.equal(missing.source?.file, 'Dockerfile');
    const image = await failure(build({ Dockerfile: 'FROM busybox\nCOPY --from=nowhere.invalid/x /a /\n' }));
    assert.match(image.message, /failed to resolve source metadata for nowhere.invalid\/x:latest/);
  });

  test('a Dockerfile is not read through a link that leads out', async () => {
    writeFileSync(join(root, 'secret'), 'FROM scratch\n');
    write({ 'a.txt': '' });
    symlinkSync('../secret', join(folder, 'Dockerfile'));
    await assert.rejects(builder.run(request(lend(folder)), new AbortController().signal).result, {
      message: /no such file or directory/,
    });
  });

  test('a RUN that fails: its exit code, its place, and its state to look at', async () => {
    const failed = await failure(
      build({ Dockerfile: 'FROM busybox\nENV HERE=yes\nWORKDIR /w\nRUN echo before > f\nRUN echo said; exit 7\n' }),
    );
    assert.equal(failed.exitCode, 7);
    assert.equal(failed.source?.start.line, 5);
    assert.match(failed.message, /did not complete successfully: exit code: 7/);
    const [last] = await builder.failed();
    assert.equal(last?.step, '[4/4] RUN echo said; exit 7');
    const { image } = await builder.debugImage('build1');
    const { Config, RepoTags } = await images.inspect(image, {});
    assert.deepEqual(RepoTags, []);
    assert.equal(Config?.WorkingDir, '/w');
    assert.ok(Config?.Env?.includes('HERE=yes'));
    await images.remove(image, { force: false, noPrune: false });
    await assert.rejects(builder.debugImage('other'), { kind: 'not-found', message: 'No such failed build: other' });
  });

  test('contexts by name: a folder with its own ignore file, and an image', async () => {
    const other = join(root, 'other');
    mkdirSync(other, { recursive: true });
    for (const name of ['keep', 'drop']) writeFileSync(join(other, name), name);
    writeFileSync(join(other, '.dockerignore'), 'drop\n');
    const namedContexts = new Map<string, LocalSource | { image: string }>([
      ['more', lend(other)],
      ['base', { image: 'busybox' }],
    ]);
    const { result } = await build(
      { Dockerfile: 'FROM base\nCOPY --from=more . /m/\nRUN test ! -e /m/drop\n' },
      { namedContexts },
    );
    assert.ok(result.image);
  });

  test('a build on one that is held: its files and configuration; not once it is let go of', async () => {
    const files = { Dockerfile: 'FROM busybox\nENV HERE=yes\nRUN echo made > /made\n' };
    await build(files, { id: 'first', held: true, outputs: [] });
    await builder.prune({ all: true, keepBytes: undefined, filters: new Map() });
    const on = {
      id: 'second',
      namedContexts: new Map([['base', { build: 'first' }]]),
    };
    const second = { Dockerfile: 'FROM base\nRUN test "$HERE" = yes && grep made /made\n' };
    const { result, events } = await build(second, on);
    assert.ok(result.image);
    assert.ok(named(events).includes('[context base] another build'), named(events).join('\n'));
    builder.release('first');
    await assert.rejects(build(second, on), { message: /Cannot build on build first/ });
  });

  test('what is asked instead of a build', async () => {
    const files = {
      Dockerfile: '# dev what people work in\nFROM busybox AS dev\nARG V=1\nfrom dev as Two\nRUN true\n',
    };
    const check = (await build(files, { call: 'check' })).result.answer;
    assert.match(check?.text ?? '', /StageNameCasing/);
    assert.equal(check?.status, 1);
    const targets = (await build(files, { call: 'targets' })).result.answer;
    assert.match(targets?.text ?? '', /dev +what people work in\ntwo \(default\)/);
    const outline = JSON.parse((await build(files, { call: 'outline' })).result.answer?.json ?? '') as {
      args: { name: string; value: string }[];
    };
    assert.deepEqual(
      outline.args.map(({ name, value }) => [name, value]),
      [['V', '1']],
    );
    assert.match((await build(files, { call: 'plan' })).result.answer?.text ?? '', /run \["\/bin\/sh","-c","true"\]/);
  });

  test('checks warn beside a build, and fail it where the file says so', async () => {
    const { events } = await build(
      { Dockerfile: 'FROM busybox AS One\nRUN true\n' },
      { buildArgs: new Map([['NOPE', '1']]) },
    );
    const warnings = events.flatMap((event) => (event.kind === 'warning' ? [event.short] : []));
    assert.match(warnings[0] ?? '', /^StageNameCasing: .* \(line 1\)$/);
    assert.equal(warnings[1], 'One or more build-args ["NOPE"] were not consumed');
    await assert.rejects(build({ Dockerfile: '# check=error=true\nFROM busybox AS One\nRUN true\n' }), {
      message: 'lint violation found for rules: StageNameCasing',
    });
  });

  test('programs of a machine that this is not are refused before anything runs', async () => {
    const foreign = process.arch === 'arm64' ? 's390x' : 'ppc64le';
    const other = await failure(build({ Dockerfile: 'FROM busybox\nRUN true\n' }, { platform: `linux/${foreign}` }));
    assert.match(other.message, /busybox.*(platform|resolve)/s);
    await assert.rejects(build({ Dockerfile: 'FROM scratch\n' }, { platform: 'linux/amd64,linux/arm64' }), {
      message: /several platforms at once/,
    });
  });

  test('rules cut the cache down by themselves', async () => {
    const space = { reserved: 0, maxUsed: 0, minFree: 0 };
    const filters = new Map([['description', new Set(['goes'])]]);
    await using other = await Builder.open({
      ...options,
      root: join(root, 'collected'),
      gc: [{ all: true, filters, space }],
    });
    const run = other.run(
      request(write({ Dockerfile: 'FROM busybox\nRUN echo goes\nRUN echo stays\n' }), { outputs: [] }),
      new AbortController().signal,
    );
    await run.result;
    await other.collect();
    assert.deepEqual(
      (await other.cache()).map(({ description }) => description),
      ['[3/3] RUN echo stays'],
    );
  });

  test('a build that is cancelled leaves nothing', async () => {
    const controller = new AbortController();
    const run = builder.run(
      request(write({ Dockerfile: 'FROM busybox\nRUN echo started; sleep 100\n' })),
      controller.signal,
    );
    for await (const event of run.events)
      if (event.kind === 'log') controller.abort(new Fault('unavailable', 'enough'));
    await assert.rejects(run.result, { message: 'enough' });
    assert.deepEqual(snapshots.writables(), []);
    assert.deepEqual(readdirSync(join(root, 'run', 'steps')), []);
  });

  test('output is told up to a limit, and the step goes on', async () => {
    const { events } = await build({ Dockerfile: 'FROM busybox\nRUN yes | busybox head -c 5000000; touch /end\n' });
    const logs = events.flatMap((event) => (event.kind === 'log' ? [event] : []));
    const size = logs.reduce((sum, { data }) => sum + data.length, 0);
    assert.ok(size > 2 << 20 && size < (2 << 20) + 200, String(size));
    assert.match(Buffer.from(logs.at(-1)!.data).toString(), /output clipped, log limit 2MiB reached/);
  });

  test('the cache is verified, and what is damaged is built again', async () => {
    const files = { Dockerfile: 'FROM busybox\nRUN echo whole > /whole\n' };
    await build(files, { outputs: [] });
    const found = async (): Promise<Problem[]> => {
      const problems: Problem[] = [];
      for await (const problem of builder.check({ quick: false }, new AbortController().signal)) problems.push(problem);
      return problems;
    };
    assert.deepEqual(await found(), []);
    const { chains } = await builder.usage();
    const chain = [...chains].find((each) => existsSync(join(snapshots.describeLayer(each)['UpperDir']!, 'whole')))!;
    writeFileSync(join(snapshots.describeLayer(chain)['UpperDir']!, 'whole'), 'broken');
    writeFileSync(join(root, 'build/cache-mounts/stray'), '');
    const [stray, damaged] = await found();
    assert.match(stray?.Path ?? '', /cache-mounts\/stray$/);
    assert.match(damaged?.Detail ?? '', /RUN echo whole > \/whole.* are not what was built/);
    rmSync(stray!.Path);
    assert.ok(typeof damaged?.repair === 'function');
    await damaged.repair();
    assert.deepEqual(await found(), []);
    const { events } = await build(files);
    assert.ok(named(events).includes('[2/2] RUN echo whole > /whole'));
  });

  test('the cache is listed, and pruned with what only it has', async () => {
    await build({
      Dockerfile: 'FROM busybox\nRUN --mount=type=cache,target=/c echo x > /c/x; echo lonely > /lonely\n',
    });
    const records = await builder.cache();
    const step = records.find(({ description }) => description.includes('lonely'));
    assert.ok(step !== undefined && step.size > 0 && step.shared, JSON.stringify(step));
    const cache = records.find(({ type }) => type === 'exec.cachemount');
    assert.equal(cache?.description, 'cached mount /c with id "//c"');
    const none = await builder.prune({
      all: true,
      keepBytes: undefined,
      filters: new Map([['until', new Set(['1h'])]]),
    });
    assert.deepEqual(none, { deleted: [], reclaimed: 0 });
    const { deleted } = await builder.prune({ all: true, keepBytes: undefined, filters: new Map() });
    assert.ok(deleted.includes(step.id) && deleted.includes(cache.id));
    assert.deepEqual(await builder.cache(), []);
    assert.deepEqual(
      readdirSync(join(root, 'build/cache-mounts')).filter((name) => name !== 'records'),
      [],
    );
    await assert.rejects(
      builder.prune({ all: true, keepBytes: undefined, filters: new Map([['x', new Set(['1'])]]) }),
      {
        message: "invalid filter 'x'",
      },
    );
  });
});
