/** docker buildx and docker compose building with the docker driver, unmodified, against the real daemon. */
import assert from 'node:assert/strict';
import { lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { BuildClient, put, type RunBuildOptions } from '../support/build-clients.ts';
import { sharedDaemon } from '../support/daemon.ts';
import { execute, executeBytes, type Outcome, until } from '../support/docker.ts';
import { packages, RegistryService } from '../support/peers.ts';

const host = await sharedDaemon();
const { scenario } = host;
let noClient: string | undefined;
const client = await BuildClient.buildx(host.daemon).catch((error: Error) => {
  noClient = error.message;
  return undefined;
});

const build = (args: readonly string[], options: RunBuildOptions = {}): Promise<Outcome> =>
  client!.run(['build', '--progress=plain', ...args], options);

/** What a build that must succeed tells of its progress. */
async function built(args: readonly string[], options: RunBuildOptions = {}): Promise<string> {
  const { code, stdout, stderr } = await build(args, options);
  assert.equal(code, 0, stderr + stdout);
  return stderr + stdout;
}

const run = (image: string, ...command: string[]): Promise<string> =>
  host.docker.ok('run', '--rm', '--network', 'none', image, ...command);

scenario(
  'the daemon is a builder of the docker driver',
  async () => {
    const inspected = await client!.ok(['buildx', 'inspect']);
    assert.match(inspected, /^Driver: +docker$/m);
    assert.match(inspected, /^Status: +running$/m);
    assert.match(inspected, /^BuildKit version: +v\d+\.\d+/m);
    assert.match(inspected, /^Platforms: +linux\/(amd64|arm64)/m);
    assert.match(await client!.ok(['buildx', 'ls']), /^default\*? .*\bdocker\b/m);
  },
  { skip: noClient },
);

scenario(
  'a build: steps, names, arguments, labels, the image’s id, metadata',
  async () => {
    const folder = client!.folder({
      Dockerfile: `# syntax=docker/dockerfile:1
FROM busybox AS base
ARG WHO=nobody
WORKDIR /app
COPY --chmod=640 . .
RUN <<EOF
echo "hello $WHO" > greeting
ls >> greeting
EOF
FROM base
CMD ["cat", "greeting"]
`,
      '.dockerignore': 'secret*\n**/*.tmp\n',
      'd/file': 'content',
      'd/x.tmp': 'x',
      'secret.txt': 'x',
    });
    const [iid, metadata] = [join(folder, '../bx-iid'), join(folder, '../bx-metadata')];
    const named = ['-t', 'bx:1', '-t', 'bx:2', '--build-arg', 'WHO=world', '--label', 'a=b'];
    const output = await built([...named, '--iidfile', iid, '--metadata-file', metadata, folder]);
    assert.match(output, /\[internal\] load build definition from Dockerfile/);
    assert.match(output, /\[internal\] load metadata for docker\.io\/library\/busybox:latest/);
    assert.match(output, /\[base 3\/4\] COPY --chmod=640 \. \./);
    assert.match(output, /transferring context: \d/);
    assert.match(output, /exporting to image/);
    assert.match(output, /naming to docker\.io\/library\/bx:1/);
    assert.equal(await run('bx:1'), 'hello world\nDockerfile\nd\ngreeting');
    const id = await host.docker.inspect<string>('bx:2', '.Id');
    assert.equal(readFileSync(iid, 'utf8'), id);
    const told = JSON.parse(readFileSync(metadata, 'utf8')) as Record<string, unknown>;
    assert.equal(told['containerimage.config.digest'], id);
    assert.equal(told['image.name'], 'docker.io/library/bx:1,docker.io/library/bx:2');
    assert.deepEqual(await host.docker.inspect('bx:1', '.Config.Labels'), { a: 'b' });
    assert.equal(await run('bx:1', 'stat', '-c', '%a', '/app/d/file'), '640');
    const again = await built([...named, folder]);
    assert.match(again, /\[base 3\/4\] COPY --chmod=640 \. \.\n#\d+ CACHED/);
    assert.match(again, /\[base 4\/4\] RUN <<EOF.*\n#\d+ CACHED/);
    assert.equal(await host.docker.inspect('bx:1', '.Id'), id);
    await host.docker.ok('rmi', 'bx:1', 'bx:2');
  },
  { skip: noClient },
);

scenario(
  'only what changed travels again; --no-cache, --no-cache-filter',
  async () => {
    const folder = client!.folder({
      Dockerfile:
        'FROM busybox AS one\nRUN cat /proc/sys/kernel/random/uuid > /one\nFROM one AS two\nCOPY big small /\nRUN cat /proc/sys/kernel/random/uuid > /two\n',
      big: Buffer.alloc(3_000_000, 'x'),
      small: 'one',
    });
    const ids = (): Promise<string> => run('moved', 'cat', '/one', '/two');
    assert.match(await built(['-t', 'moved', folder]), /transferring context: 3\.00MB/);
    const first = await ids();
    put(folder, { small: 'other' });
    assert.doesNotMatch(await built(['-t', 'moved', folder]), /transferring context: 3\.00MB/);
    const second = await ids();
    assert.equal(second.split('\n')[0], first.split('\n')[0]);
    assert.notEqual(second.split('\n')[1], first.split('\n')[1]);
    await built(['-t', 'moved', '--no-cache-filter', 'two', folder]);
    const third = await ids();
    assert.equal(third.split('\n')[0], first.split('\n')[0]);
    assert.notEqual(third.split('\n')[1], second.split('\n')[1]);
    await built(['-t', 'moved', '--no-cache', folder]);
    assert.notEqual((await ids()).split('\n')[0], first.split('\n')[0]);
    await host.docker.ok('rmi', 'moved');
  },
  { skip: noClient },
);

scenario(
  'secrets: as a file, in the environment, not there; none in the image or its history',
  async () => {
    const folder = client!.folder({
      Dockerfile: `FROM busybox
RUN --mount=type=secret,id=token,mode=0440,gid=33 stat -c '%a %g' /run/secrets/token; cat /run/secrets/token | md5sum > /sum
RUN --mount=type=secret,id=word,env=WORD echo "word of \${#WORD}"
RUN --mount=type=secret,id=none ls -A /run/secrets 2>/dev/null | wc -l
`,
    });
    writeFileSync(join(host.daemon.root, 'token'), 'hush-hush');
    const secrets = ['--secret', `id=token,src=${join(host.daemon.root, 'token')}`, '--secret', 'id=word,env=THE_WORD'];
    const output = await built(['-t', 'hushed', ...secrets, folder], { env: { THE_WORD: 'quietly' } });
    assert.match(output, /\b440 33\n/);
    assert.match(output, /word of 7\n/);
    assert.match(await run('hushed', 'cat', '/sum'), /^92f67e9a4f3b3f5d59d1c2c2d4d3e3e3|^[0-9a-f]{32}/);
    const saved = await host.docker.bytes(['save', 'hushed'], { timeoutMs: 60_000 });
    assert.equal(saved.stdout.includes('hush-hush'), false);
    assert.equal(saved.stdout.includes('quietly'), false);
    const required = client!.folder({
      Dockerfile: 'FROM busybox\nRUN --mount=type=secret,id=gone,required=true cat /run/secrets/gone\n',
    });
    const failed = await build([required]);
    assert.equal(failed.code, 1);
    assert.match(failed.stderr, /secret gone: not found/);
    await host.docker.ok('rmi', 'hushed');
  },
  { skip: noClient },
);

scenario(
  'the client’s SSH agent',
  async () => {
    const folder = client!.folder({
      Dockerfile:
        'FROM busybox\nRUN --mount=type=ssh echo "at $SSH_AUTH_SOCK"; test -S $SSH_AUTH_SOCK && stat -c %a $SSH_AUTH_SOCK\n',
    });
    const path = join(host.daemon.root, 'agent.sock');
    const agent = createServer((connection) => {
      connection.on('error', () => {});
      connection.on('data', () => connection.write(Buffer.from('000000050c00000000', 'hex')));
    });
    await new Promise<void>((resolve) => agent.listen(path, () => resolve()));
    try {
      const output = await built(['--ssh', `default=${path}`, folder]);
      assert.match(output, /at \/run\/buildkit\/ssh_agent\.0\n/);
      assert.match(output, /\b600\n/);
    } finally {
      agent.close();
    }
    const required = client!.folder({ Dockerfile: 'FROM busybox\nRUN --mount=type=ssh,required=true true\n' });
    const failed = await build([required]);
    assert.equal(failed.code, 1);
    assert.match(failed.stderr, /ssh/i);
  },
  { skip: noClient },
);

scenario(
  'a failing step: its excerpt with the line, its output, exit code 1; the failure is remembered',
  async () => {
    const folder = client!.folder({
      Dockerfile: 'FROM busybox\n\nRUN echo fine\nRUN echo last words && \\\n    exit 7\nRUN echo never\n',
    });
    const failed = await build(['-t', 'never', folder]);
    assert.equal(failed.code, 1);
    assert.match(failed.stderr, /#\d+ [\d.]+ last words/);
    assert.match(failed.stderr, /Dockerfile:4\n-+\n/);
    assert.match(failed.stderr, /\n +4 \| >>> RUN echo last words && \\\n +5 \| >>> +exit 7\n/);
    assert.match(
      failed.stderr,
      /ERROR: failed to (build: failed to )?solve: process "\/bin\/sh -c echo last words && +exit 7" did not complete successfully: exit code: 7/,
    );
    assert.match(await host.docker.fails('inspect', 'never'), /No such object: never/);
    const { body } = await host.daemon.api('GET', '/wherry/builds/failed');
    const [last] = body as { id: string; step: string; failure: { exitCode: number } }[];
    assert.equal(last?.failure.exitCode, 7);
    const debug = await host.daemon.api('POST', `/wherry/builds/debug-image?id=${last?.id}`);
    assert.equal(debug.status, 201, JSON.stringify(debug.body));
    const { image } = debug.body as { image: string };
    assert.equal(await run(image, 'echo', 'inside'), 'inside');
    await host.docker.ok('rmi', image);
    for (const [dockerfile, message] of [
      ['FROM busybox\nBOGUS x\n', /Dockerfile:2\n-+\n[^]*>>> BOGUS x[^]*unknown instruction: BOGUS/],
      ['FROM busybox\nCOPY nosuch /x\n', />>> COPY nosuch \/x[^]*"\/nosuch": not found/],
      ['FROM 127.0.0.1:1/nosuch\n', />>> FROM 127\.0\.0\.1:1\/nosuch/],
    ] as const) {
      const out = await build([client!.folder({ Dockerfile: dockerfile })]);
      assert.equal(out.code, 1);
      assert.match(out.stderr, message);
    }
    const missing = await build(['-f', join(folder, 'Nosuch'), folder]);
    assert.equal(missing.code, 1);
    assert.match(missing.stderr, /failed to read dockerfile: open Nosuch: no such file or directory/);
  },
  { skip: noClient },
);

scenario(
  'outputs that the client keeps: a folder, a tar',
  async () => {
    const folder = client!.folder({
      Dockerfile: `FROM busybox AS make
RUN mkdir -p /out/deep && echo made > /out/deep/file && ln -s deep/file /out/link && chmod 750 /out/deep && touch -d @1700000000 /out/old
FROM scratch
COPY --from=make /out /
COPY big /
`,
      big: Buffer.alloc(2_500_000, 'big '),
    });
    const local = join(host.daemon.root, 'out-local');
    await built(['--output', `type=local,dest=${local}`, folder]);
    assert.deepEqual(readdirSync(local).sort(), ['big', 'deep', 'link', 'old']);
    assert.equal(readFileSync(join(local, 'deep/file'), 'utf8'), 'made\n');
    assert.equal(readlinkSync(join(local, 'link')), 'deep/file');
    assert.equal(statSync(join(local, 'deep')).mode & 0o777, 0o750);
    assert.equal(lstatSync(join(local, 'old')).mtimeMs, 1_700_000_000_000);
    assert.ok(readFileSync(join(local, 'big')).equals(Buffer.alloc(2_500_000, 'big ')));
    const file = join(host.daemon.root, 'out.tar');
    await built(['--output', `type=tar,dest=${file}`, folder]);
    const listed = await execute('tar', ['-tvf', file]);
    assert.equal(listed.code, 0, listed.stderr);
    assert.match(listed.stdout, /-rw-r--r-- 0\/0 +5 .* deep\/file\n/);
    assert.match(listed.stdout, / link -> deep\/file\n/);
    const piped = await client!.run(['build', '-q', '--output', '-', folder]);
    assert.equal(piped.code, 0, piped.stderr);
    assert.ok(piped.stdout.length > 2_500_000);
  },
  { skip: noClient },
);

scenario(
  'outputs of type docker and oci',
  async () => {
    const folder = client!.folder({ Dockerfile: 'FROM busybox\nRUN echo kept > /kept\nCMD ["cat", "/kept"]\n' });
    await built(['--output', 'type=docker', '-t', 'loaded:1', folder]);
    assert.equal(await run('loaded:1'), 'kept');
    await built(['--load', '-t', 'loaded:2', folder]);
    assert.equal(await host.docker.inspect('loaded:2', '.Id'), await host.docker.inspect('loaded:1', '.Id'));
    await host.docker.ok('rmi', 'loaded:1', 'loaded:2');
  },
  { skip: noClient },
);

scenario(
  '--check, --call: told, not built',
  async () => {
    const folder = client!.folder({
      Dockerfile: 'FROM busybox AS base\nMAINTAINER me\nFROM base AS last\nARG X=1\nCMD echo $X\n',
    });
    const checked = await client!.run(['build', '--check', folder]);
    assert.equal(checked.code, 1);
    assert.match(checked.stdout + checked.stderr, /MaintainerDeprecated/);
    assert.match(checked.stdout + checked.stderr, /JSONArgsRecommended/);
    const fine = client!.folder({ Dockerfile: 'FROM busybox\nCMD ["true"]\n' });
    const none = await client!.run(['build', '--check', fine]);
    assert.equal(none.code, 0, none.stderr);
    assert.match(none.stdout + none.stderr, /no warnings found/i);
    const outline = await client!.run(['build', '--call=outline', folder]);
    assert.equal(outline.code, 0, outline.stderr);
    assert.match(outline.stdout, /\bX\b/);
    const targets = await client!.run(['build', '--call=targets', folder]);
    assert.equal(targets.code, 0, targets.stderr);
    assert.match(targets.stdout, /^base\b[^]*^last \(default\)/m);
    const warned = await built([folder]);
    assert.match(warned, /\d+ warnings? found/);
  },
  { skip: noClient },
);

scenario(
  'named contexts: a folder, an image, another build’s result',
  async () => {
    const other = client!.folder({ note: 'from the other folder\n' });
    const folder = client!.folder({
      Dockerfile: 'FROM base\nCOPY --from=other note /note\nCMD ["cat", "/note", "/base"]\n',
    });
    await built(['-t', 'named-base', '-'], { input: 'FROM busybox\nRUN echo of the base > /base\n' });
    const contexts = ['--build-context', `other=${other}`, '--build-context', 'base=docker-image://named-base'];
    await built(['-t', 'named', ...contexts, folder]);
    assert.equal(await run('named'), 'from the other folder\nof the base');
    await host.docker.ok('rmi', 'named', 'named-base');
  },
  { skip: noClient },
);

scenario(
  'contexts on stdin: a Dockerfile, an archive with all that is in it',
  async () => {
    await built(['-t', 'stdin', '-'], { input: 'FROM busybox\nRUN echo alone > /a\n' });
    assert.equal(await run('stdin', 'cat', '/a'), 'alone');
    const folder = client!.folder({
      Dockerfile: 'FROM busybox\nCOPY . /c\nCMD ["ls", "-A", "/c"]\n',
      '.dockerignore': 'ignored\n',
      ignored: 'x',
      kept: 'y',
    });
    const packed = await executeBytes('tar', ['-cz', '-C', folder, '.']);
    await built(['-t', 'stdin', '-'], { input: packed.stdout });
    assert.equal(await run('stdin'), '.dockerignore\nDockerfile\nignored\nkept');
    await built(['-t', 'stdin', folder]);
    assert.equal(await run('stdin'), '.dockerignore\nDockerfile\nkept');
    await built(['-t', 'stdin', '-f', '-', folder], { input: 'FROM busybox\nCOPY kept /k\nCMD ["cat", "/k"]\n' });
    assert.equal(await run('stdin'), 'y');
    await host.docker.ok('rmi', 'stdin');
  },
  { skip: noClient },
);

scenario(
  'networks, hosts, cache mounts, progress as JSON',
  async () => {
    const folder = client!.folder({
      Dockerfile: `FROM busybox
RUN --network=none ls /sys/class/net
RUN grep -E 'box|gate' /etc/hosts
RUN --mount=type=cache,target=/kept echo more >> /kept/file && wc -l < /kept/file
`,
    });
    const hosts = ['--add-host', 'box:10.1.2.3', '--add-host', 'gate:host-gateway'];
    const first = await built([...hosts, folder]);
    assert.match(first, /#\d+ [\d.]+ lo\n/);
    assert.match(first, /10\.1\.2\.3\s+box/);
    assert.match(first, /\d+\.\d+\.\d+\.\d+\s+gate/);
    assert.match(first, /#\d+ [\d.]+ 1\n/);
    assert.match(await built([...hosts, '--no-cache', folder]), /#\d+ [\d.]+ 2\n/);
    const raw = await client!.run(['build', '--progress=rawjson', ...hosts, folder]);
    assert.equal(raw.code, 0, raw.stderr);
    const lines = raw.stderr
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { vertexes?: { cached?: boolean }[] });
    assert.ok(lines.some(({ vertexes }) => vertexes?.some(({ cached }) => cached === true)));
  },
  { skip: noClient },
);

scenario(
  'another platform: built where nothing of it runs, else refused with what to do',
  async () => {
    const other = process.arch === 'arm64' ? 's390x' : 'ppc64le';
    const platform = ['--platform', `linux/${other}`];
    const files = client!.folder({ Dockerfile: 'FROM scratch\nCOPY Dockerfile /\n' });
    await built([...platform, '-t', 'foreign', files]);
    assert.equal(await host.docker.inspect('foreign', '.Architecture'), other);
    await host.docker.ok('rmi', 'foreign');
    const running = client!.folder({ Dockerfile: 'FROM scratch\nCOPY Dockerfile /\nRUN ["/x"]\n' });
    const many = await build(['--platform', 'linux/amd64,linux/arm64', running]);
    assert.equal(many.code, 1);
    assert.match(many.stderr, /multi-?platform|several platforms/i);
  },
  { skip: noClient },
);

scenario(
  '--push, --pull, and a build on what was pushed',
  async () => {
    await using registry = await RegistryService.open();
    const name = `${registry.address}/made:1`;
    const pushed = await built(['--push', '-t', name, '-'], { input: 'FROM busybox\nRUN echo pushed > /p\n' });
    assert.match(pushed, /pushing|pushed/i);
    await host.docker.ok('rmi', name);
    const output = await built(['--pull', '-t', 'from-registry', '-'], { input: `FROM ${name}\nCMD ["cat", "/p"]\n` });
    assert.match(output, /load metadata for 127\.0\.0\.1:\d+\/made:1/);
    assert.equal(await run('from-registry'), 'pushed');
    await host.docker.ok('rmi', 'from-registry');
  },
  { skip: noClient },
);

scenario(
  'du and prune',
  async () => {
    await built([client!.folder({ Dockerfile: 'FROM busybox\nRUN echo cached > /x\n' })]);
    assert.match(await client!.ok(['buildx', 'du']), /^Total:\s+\d/m);
    assert.match(await client!.ok(['buildx', 'du', '--verbose']), /^Description:\s+.*RUN/m);
    assert.match(await client!.ok(['buildx', 'prune', '-af']), /^Total:\s+\d/m);
    assert.match(await client!.ok(['buildx', 'du']), /^Total:\s+0B/m);
  },
  { skip: noClient },
);

scenario(
  'interrupted and killed clients: nothing of their builds goes on',
  async () => {
    const folder = client!.folder({ Dockerfile: 'FROM busybox\nRUN sleep 986\n' });
    const sleeping = async (): Promise<boolean> => (await execute('pgrep', ['-f', '^sleep 986'])).code === 0;
    for (const signal of ['SIGINT', 'SIGKILL'] as const) {
      await using going = client!.start(['build', '--progress=plain', folder]);
      await until(sleeping, { what: 'the step to begin' });
      going.child.kill(signal);
      assert.notEqual(await going.ended(), 0);
      await until(async () => !(await sleeping()), { what: `the step to end after ${signal}` });
    }
  },
  { skip: noClient },
);

scenario(
  'two at once share their step, and end apart',
  async () => {
    const folder = client!.folder({
      Dockerfile: 'FROM busybox\nRUN sleep 1; cat /proc/sys/kernel/random/uuid > /id\n',
    });
    await Promise.all(['twin:1', 'twin:2'].map((name) => built(['-t', name, folder])));
    assert.equal(await run('twin:1', 'cat', '/id'), await run('twin:2', 'cat', '/id'));
    await host.docker.ok('rmi', 'twin:1', 'twin:2');
  },
  { skip: noClient },
);

scenario(
  'bake: targets of a file, one on another',
  async () => {
    const folder = client!.folder({
      'docker-bake.json': JSON.stringify({
        group: { default: { targets: ['a', 'b'] } },
        target: {
          a: { context: '.', target: 'a', tags: ['baked:a'], args: { WHO: 'bake' } },
          b: { context: '.', target: 'b', tags: ['baked:b'] },
        },
      }),
      Dockerfile:
        'FROM busybox AS a\nARG WHO\nRUN echo $WHO > /who\nCMD ["cat", "/who"]\nFROM busybox AS b\nCMD ["echo", "b"]\n',
    });
    const out = await client!.run(['buildx', 'bake', '--progress=plain', '--load'], { cwd: folder });
    assert.equal(out.code, 0, out.stderr);
    assert.equal(await run('baked:a'), 'bake');
    assert.equal(await run('baked:b'), 'b');
    await host.docker.ok('rmi', 'baked:a', 'baked:b');
  },
  { skip: noClient },
);

const old = await packages('engine').catch((error: Error) => error);

scenario(
  'a client with BuildKit built in: POST /build?version=2',
  async () => {
    const docker = join(String(old), 'usr/bin/docker');
    const folder = client!.folder({
      Dockerfile:
        'FROM busybox\nARG A\nCOPY file /\nRUN --mount=type=secret,id=s echo "$A $(cat /file /run/secrets/s)" > /x\nCMD ["cat", "/x"]\n',
      file: 'content',
      ignored: Buffer.alloc(2_000_000),
      '.dockerignore': 'ignored\n',
    });
    writeFileSync(join(host.daemon.root, 'old-secret'), 'hush');
    const env = { ...host.docker.env, DOCKER_BUILDKIT: '1', HOME: host.daemon.root };
    const run20 = (...args: string[]): Promise<Outcome> =>
      execute(docker, ['build', '--progress=plain', ...args], { timeoutMs: 60_000, env });
    const iid = join(host.daemon.root, 'old-iid');
    const secret = `id=s,src=${join(host.daemon.root, 'old-secret')}`;
    const out = await run20('-t', 'old:1', '--build-arg', 'A=arg', '--secret', secret, '--iidfile', iid, folder);
    assert.equal(out.code, 0, out.stderr);
    assert.match(out.stderr, /\[stage-0 3\/3\] RUN --mount=type=secret/);
    assert.equal(await run('old:1'), 'arg contenthush');
    assert.equal(readFileSync(iid, 'utf8'), await host.docker.inspect('old:1', '.Id'));
    put(folder, { Dockerfile: 'FROM busybox\nRUN exit 7\n' });
    const failed = await run20(folder);
    assert.equal(failed.code, 1);
    assert.match(failed.stderr, /did not complete successfully: exit code: 7/);
    await host.docker.ok('rmi', 'old:1');
  },
  { skip: noClient ?? (typeof old === 'string' ? undefined : old.message) },
);

scenario(
  'bake and docker compose: one target built on another, that nobody keeps, with what its configuration has',
  async () => {
    const files = {
      'base.Dockerfile':
        'FROM busybox\nARG WHO\nENV FROM_BASE=yes\nWORKDIR /w\nRUN echo "made for $WHO" > made\nONBUILD RUN echo triggered > trigger\n',
      'app.Dockerfile': 'FROM base\nCOPY --from=files /w/made /copied\nCMD cat made trigger /copied; echo $FROM_BASE\n',
    };
    const said = 'made for linked\ntriggered\nmade for linked\nyes';
    const folder = client!.folder({
      ...files,
      'docker-bake.json': JSON.stringify({
        target: {
          base: { dockerfile: 'base.Dockerfile', args: { WHO: 'linked' } },
          app: {
            dockerfile: 'app.Dockerfile',
            contexts: { base: 'target:base', files: 'target:base' },
            tags: ['linked:app'],
          },
        },
      }),
      'compose.yaml': JSON.stringify({
        services: {
          base: { build: { context: '.', dockerfile: 'base.Dockerfile', args: { WHO: 'linked' } } },
          app: {
            build: {
              context: '.',
              dockerfile: 'app.Dockerfile',
              additional_contexts: { base: 'service:base', files: 'service:base' },
            },
            image: 'linked:compose',
          },
        },
      }),
    });
    const baked = await client!.run(['buildx', 'bake', '--progress=plain', '--load', 'app'], { cwd: folder });
    assert.equal(baked.code, 0, baked.stderr);
    assert.match(baked.stderr, /\[app context base\] another build/);
    // Each step is told once, under a number of its own, though both are "2/3" of something.
    const steps = [...baked.stderr.matchAll(/^(#\d+) \[(?:base|app)(?: [\w-]+)? \d\/\d\]/gm)].map(
      ([, number]) => number,
    );
    assert.equal(new Set(steps).size, 5, baked.stderr);
    assert.equal(await run('linked:app'), said);
    const composed = await client!.run(['compose', '--progress', 'plain', 'build', 'app'], { cwd: folder });
    assert.equal(composed.code, 0, composed.stderr);
    assert.equal(await run('linked:compose'), said);
    put(folder, { 'base.Dockerfile': 'FROM busybox\nRUN exit 6\n' });
    const failed = await client!.run(['buildx', 'bake', '--progress=plain', '--load', 'app'], { cwd: folder });
    assert.notEqual(failed.code, 0);
    assert.match(failed.stderr, /did not complete successfully: exit code: 6/);
    await host.docker.ok('rmi', 'linked:app', 'linked:compose');
    assert.deepEqual(await host.daemon.verify(), []);
  },
  { skip: noClient, timeoutMs: 60_000 },
);

scenario(
  'docker compose: build, up --build, a build that fails',
  async () => {
    const folder = join(host.daemon.root, 'harbour');
    mkdirSync(folder);
    const compose = {
      services: {
        web: {
          build: { context: '.', args: { WHO: 'compose' }, labels: { 'made.by': 'compose' }, secrets: ['token'] },
          image: 'harbour-web:1',
          network_mode: 'none',
        },
        job: {
          build: { context: 'job', dockerfile_inline: 'FROM busybox\nCOPY f /f\nCMD ["cat", "/f"]\n' },
          network_mode: 'none',
        },
      },
      secrets: { token: { file: './token' } },
    };
    put(folder, {
      'compose.yaml': JSON.stringify(compose),
      Dockerfile:
        'FROM busybox\nARG WHO\nRUN --mount=type=secret,id=token echo "hello $WHO, $(cat /run/secrets/token)" > /greeting\nCMD ["cat", "/greeting"]\n',
      token: 'hush',
      'job/f': 'a job\n',
    });
    const run2 = (...args: string[]): Promise<Outcome> =>
      client!.run(['compose', '--progress', 'plain', ...args], { cwd: folder });
    const first = await run2('build');
    assert.equal(first.code, 0, first.stderr + first.stdout);
    assert.equal(await run('harbour-web:1'), 'hello compose, hush');
    assert.equal(await run('harbour-job'), 'a job');
    assert.equal(await host.docker.inspect('harbour-web:1', '(index .Config.Labels "made.by")'), 'compose');
    put(folder, { 'job/f': 'another job\n' });
    const up = await run2('up', '--build');
    assert.equal(up.code, 0, up.stderr + up.stdout);
    assert.match(up.stdout + up.stderr, /another job/);
    put(folder, { Dockerfile: 'FROM busybox\nRUN exit 9\n' });
    const failed = await run2('build', 'web');
    assert.notEqual(failed.code, 0);
    assert.match(failed.stderr + failed.stdout, /did not complete successfully: exit code: 9/);
    const down = await run2('down', '--rmi', 'all', '-v');
    assert.equal(down.code, 0, down.stderr);
  },
  { skip: noClient, timeoutMs: 120_000 },
);
