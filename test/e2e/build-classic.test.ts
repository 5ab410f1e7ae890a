/** Clients that post a context to the classic builder: the docker CLI without buildx, docker-compose 1.29, docker-py, dockerode, Testcontainers. */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import Dockerode from 'dockerode';
import { BuildClient, put, type RunBuildOptions } from '../support/build-clients.ts';
import { sharedDaemon } from '../support/daemon.ts';
import { execute, executeBytes, type Outcome, until } from '../support/docker.ts';
import { pythonClients, RegistryService } from '../support/peers.ts';

const host = await sharedDaemon({ args: ['--default-address-pool', 'base=10.217.0.0/24,size=28'] });
const { scenario } = host;
let noClient: string | undefined;
const client = await BuildClient.classic(host.daemon).catch((error: Error) => {
  noClient = error.message;
  return undefined;
});
let noPython: string | undefined;
const python = await pythonClients().catch((error: Error) => {
  noPython = error.message;
  return undefined;
});

const build = (args: readonly string[], options: RunBuildOptions = {}): Promise<Outcome> =>
  client!.run(['build', ...args], options);

/** Output of a build that must succeed. */
async function built(args: readonly string[], options: RunBuildOptions = {}): Promise<string> {
  const { code, stdout, stderr } = await build(args, options);
  assert.equal(code, 0, stderr + stdout);
  return stdout;
}

const run = (image: string, ...command: string[]): Promise<string> =>
  host.docker.ok('run', '--rm', '--network', 'none', image, ...command);

async function imageIds(): Promise<string[]> {
  return (await host.docker.ok('images', '-aq', '--no-trunc')).split('\n').sort();
}

scenario(
  'files, configuration and history',
  async () => {
    const folder = client!.folder({
      Dockerfile: [
        'FROM busybox',
        'ARG WHO=nobody',
        'ENV GREETING="hello $WHO" KEPT=yes',
        'LABEL first=1',
        'WORKDIR /srv/app',
        'COPY --chown=33:33 site ./site',
        'COPY *.txt /texts/',
        'RUN echo "$GREETING" > greeting && ln -s greeting link && mkdir -m 1777 sticky',
        'VOLUME /data',
        'EXPOSE 8080 53/udp',
        'USER www-data:staff',
        'HEALTHCHECK --interval=7s --timeout=2s --retries=4 --start-period=1s CMD test -e /srv/app/greeting',
        'STOPSIGNAL SIGUSR1',
        'SHELL ["/bin/sh", "-ec"]',
        'ENTRYPOINT ["cat"]',
        'CMD ["greeting"]',
        '',
      ].join('\n'),
      'site/index.html': '<p>',
      'a.txt': 'a',
      'b.txt': 'b',
      ignored: 'x',
      '.dockerignore': 'ignored\n',
    });
    const args = ['-t', 'classic:1', '-t', 'classic:also', '--build-arg', 'WHO=world', '--build-arg', 'UNUSED=1'];
    const iid = join(folder, 'iid');
    const output = await built([...args, '--label', 'second=2', '--iidfile', iid, folder]);
    assert.match(output, /^Step 1\/17 : FROM busybox\n ---> \w{12}\nStep 2\/17 : ARG WHO=nobody\n ---> \w{12}\n/m);
    assert.match(
      output,
      /Step 8\/17 : RUN echo .*\n ---> Running in \w{12}\n ---> Removed intermediate container \w{12}\n/,
    );
    assert.match(output, /Step 17\/17 : LABEL second=2\n/);
    assert.match(output, /\[Warning\] One or more build-args \[UNUSED\] were not consumed\n/);
    const id = readFileSync(iid, 'utf8');
    const short = id.slice('sha256:'.length, 'sha256:'.length + 12);
    assert.match(
      output,
      new RegExp(
        ` ---> ${short}\n.*Successfully built ${short}\nSuccessfully tagged classic:1\nSuccessfully tagged classic:also\n$`,
        's',
      ),
    );
    assert.equal(await run('classic:1'), 'hello world');
    assert.equal(await run('classic:also', '/texts/a.txt', '/texts/b.txt'), 'ab');
    const stat = ['run', '--rm', '--network', 'none', '--user', '0', '--entrypoint', 'stat', 'classic:1'];
    assert.equal(
      await host.docker.ok(...stat, '-c', '%a %u %g %F %n', 'site/index.html', 'link', 'sticky', '/srv/app', '/texts'),
      [
        '644 33 33 regular file site/index.html',
        '777 0 0 symbolic link link',
        '1777 0 0 directory sticky',
        '755 0 0 directory /srv/app',
        '755 0 0 directory /texts',
      ].join('\n'),
    );
    const config = await host.docker.inspect<Record<string, unknown>>('classic:1', '.Config');
    assert.deepEqual(
      { ...config, Env: (config['Env'] as string[]).slice(1) },
      {
        ...config,
        Env: ['GREETING=hello world', 'KEPT=yes'],
        Labels: { first: '1', second: '2' },
        WorkingDir: '/srv/app',
        User: 'www-data:staff',
        Volumes: { '/data': {} },
        ExposedPorts: { '53/udp': {}, '8080/tcp': {} },
        Healthcheck: {
          Test: ['CMD-SHELL', 'test -e /srv/app/greeting'],
          Interval: 7e9,
          Timeout: 2e9,
          StartPeriod: 1e9,
          Retries: 4,
        },
        StopSignal: 'SIGUSR1',
        Shell: ['/bin/sh', '-ec'],
        Entrypoint: ['cat'],
        Cmd: ['greeting'],
      },
    );
    assert.equal(await host.docker.inspect('classic:1', '.Id'), id);
    const history = await host.docker.ok('history', '--no-trunc', '--format', '{{.CreatedBy}}', 'classic:1');
    assert.match(history, /RUN .*echo "\$GREETING" > greeting/);
    await host.docker.ok('rmi', 'classic:1', 'classic:also');
  },
  { skip: noClient },
);

scenario(
  'stages: from nothing, by --from, by --target, none that is not needed',
  async () => {
    const folder = client!.folder({
      Dockerfile: `
ARG BASE=busybox
FROM \${BASE} AS tools
RUN echo made > /made
FROM tools AS unwanted
RUN false
FROM scratch AS small
COPY --from=tools /made /
COPY --from=busybox /bin/busybox /bin/sh
FROM small
RUN ["/bin/sh", "-c", "read x < /made; echo got $x > /got"]
CMD ["/bin/sh", "-c", "read x < /got; echo $x"]
`,
    });
    const output = await built(['-t', 'staged', folder]);
    assert.match(output, /FROM scratch AS small\n ---> \n/);
    assert.doesNotMatch(output, /RUN false/);
    assert.equal(await run('staged'), 'got made');
    await built(['-t', 'target', '--target', 'small', folder]);
    assert.equal(await host.docker.inspect('target', '(len .RootFS.Layers)'), 2);
    assert.equal(await host.docker.inspect('target', '.Config.Cmd'), null);
    const wrong = await build(['--target', 'nosuch', folder]);
    assert.equal(wrong.code, 1);
    assert.match(wrong.stderr, /target stage "nosuch" could not be found/);
    const bad = await build(['--target', 'unwanted', folder]);
    assert.equal(bad.code, 1);
    assert.match(bad.stderr, /The command '\/bin\/sh -c false' returned a non-zero code: 1/);
    await host.docker.ok('rmi', 'staged', 'target');
  },
  { skip: noClient },
);

scenario(
  'the cache: what it knows, what changes, what it is not asked for',
  async () => {
    const folder = client!.folder({
      Dockerfile:
        'FROM busybox\nARG A\nCOPY file /file\nRUN cat /proc/sys/kernel/random/uuid > /when\nRUN echo $A >> /when\n',
      file: 'one',
    });
    const first = await built(['-t', 'cached:1', folder]);
    assert.doesNotMatch(first, /Using cache/);
    const again = await built(['-t', 'cached:2', folder]);
    assert.equal(again.match(/ ---> Using cache\n/g)?.length, 3);
    assert.equal(await run('cached:2', 'cat', '/when'), await run('cached:1', 'cat', '/when'));
    const other = await built(['-t', 'cached:3', '--build-arg', 'A=x', folder]);
    assert.match(other, /COPY file \/file\n ---> Using cache\n[^]*RUN echo \$A .*\n ---> Running in/);
    put(folder, { file: 'two' });
    const changed = await built(['-t', 'cached:4', folder]);
    assert.doesNotMatch(changed, /Using cache/);
    const anew = await built(['-t', 'cached:5', '--no-cache', folder]);
    assert.doesNotMatch(anew, /Using cache/);
    assert.notEqual(await run('cached:5', 'cat', '/when'), await run('cached:4', 'cat', '/when'));

    const usage = JSON.parse(
      await host.docker.ok('system', 'df', '-v', '--format', '{{json .BuildCache}}'),
    ) as object[];
    assert.ok(usage.length >= 4, `${usage.length} records`);
    assert.match(await host.docker.ok('system', 'df'), /^Build Cache +\d+ /m);
    await host.docker.ok('rmi', ...['1', '2', '3', '4', '5'].map((tag) => `cached:${tag}`));
    const since = String(Math.floor(Date.now() / 1000) - 1);
    const pruned = await client!.ok(['builder', 'prune', '-af']);
    const until = String(Math.floor(Date.now() / 1000) + 1);
    const told = ['events', '--since', since, '--until', until, '--filter', 'type=builder', '--format', '{{json .}}'];
    interface Told {
      Action: string;
      Actor: { Attributes: { reclaimed: string } };
    }
    const event = JSON.parse(await host.docker.ok(...told)) as Told;
    assert.equal(event.Action, 'prune');
    assert.match(event.Actor.Attributes.reclaimed, /^[1-9]\d*$/);
    assert.match(pruned, /Total reclaimed space: [\d.]+/);
    assert.deepEqual(JSON.parse(await host.docker.ok('system', 'df', '-v', '--format', '{{json .BuildCache}}')), []);
    assert.doesNotMatch(await built([folder]), /Using cache/);
  },
  { skip: noClient },
);

scenario(
  'a command that fails: its output, its code, and nothing kept',
  async () => {
    const before = await imageIds();
    const folder = client!.folder({
      Dockerfile: 'FROM busybox\nRUN echo made > /a\nRUN echo last words; echo and these >&2; exit 7\nRUN echo never\n',
    });
    const failed = await build(['-t', 'never:made', folder]);
    assert.equal(failed.code, 7);
    assert.match(failed.stdout, /Step 3\/4 : RUN echo last words.*\n ---> Running in \w{12}\n/);
    assert.match(failed.stdout, /last words\n/);
    assert.match(failed.stdout, /\u001b\[91mand these\n\u001b\[0m/);
    assert.doesNotMatch(failed.stdout, /Step 4/);
    assert.match(
      failed.stderr,
      /The command '\/bin\/sh -c echo last words; echo and these >&2; exit 7' returned a non-zero code: 7\n$/,
    );
    assert.deepEqual(await imageIds(), before);
    const exec = client!.folder({ Dockerfile: 'FROM busybox\nRUN ["nosuch", "argument"]\n' });
    const missing = await build([exec]);
    assert.notEqual(missing.code, 0);
    assert.match(missing.stderr, /nosuch/);
    const { status, body } = await host.daemon.api('GET', '/wherry/builds/failed');
    assert.equal(status, 200);
    assert.ok((body as { failure: { exitCode: number } }[]).some(({ failure }) => failure.exitCode === 7));
  },
  { skip: noClient },
);

scenario(
  'errors: their text, their status',
  async () => {
    const before = await imageIds();
    for (const [dockerfile, message] of [
      ['FROM busybox\nBOGUS x\n', /Error response from daemon: .*line 2: unknown instruction: BOGUS/],
      ['', /Error response from daemon: .*cannot be empty/],
      [
        'FROM busybox\nCOPY nosuch /x\n',
        /COPY failed: file not found in build context or excluded by \.dockerignore: stat nosuch: file does not exist/,
      ],
      ['FROM busybox AS x\nFROM busybox\nCOPY --from=x /nosuch /x\n', /COPY failed: stat nosuch: file does not exist/],
      ['FROM 127.0.0.1:1/nosuch\n', /127\.0\.0\.1:1/],
      ['FROM busybox\nRUN --mount=type=secret,id=x,required=true cat /run/secrets/x\n', /secret/],
    ] as const) {
      const out = await build([client!.folder({ Dockerfile: dockerfile })]);
      assert.equal(out.code, 1, dockerfile);
      assert.match(out.stderr, message);
    }
    const folder = client!.folder({ Dockerfile: 'FROM busybox\n' });
    const tagged = await build(['-t', 'UPPER', folder]);
    assert.match(tagged.stderr, /must be lowercase/);
    const squashed = await host.daemon.api('POST', '/build?squash=1');
    assert.deepEqual(
      [squashed.status, squashed.body],
      [400, { message: 'squash is only supported with experimental mode' }],
    );
    assert.deepEqual(await imageIds(), before);
  },
  { skip: noClient },
);

scenario(
  'Dockerfiles elsewhere and on stdin, contexts on stdin, compressed; what an ignore file means there',
  async () => {
    const folder = client!.folder({
      'docker/Other': 'FROM busybox\nCOPY . /c\nRUN ls -A /c\n',
      '.dockerignore': 'ignored\nDockerfile\n',
      Dockerfile: 'FROM busybox\nCOPY . /c\nRUN ls -A /c\n',
      ignored: 'x',
      kept: 'y',
    });
    const listing = (output: string): string[] =>
      /Running in \w{12}\n((?:[^ ].*\n)+) ---> Removed/.exec(output)?.[1]?.trim().split('\n').sort() ?? [];
    assert.deepEqual(listing(await built([folder])), ['.dockerignore', 'docker', 'kept']);
    const elsewhere = await built(['-f', join(folder, 'docker/Other'), '--no-cache', folder]);
    assert.deepEqual(listing(elsewhere), ['.dockerignore', 'docker', 'kept']);
    const outside = join(client!.folder({ Dockerfile: 'FROM busybox\nCOPY kept /k\nRUN ls /k\n' }), 'Dockerfile');
    assert.deepEqual(listing(await built(['-f', outside, folder])), ['/k']);
    const stdin = await built(['-f', '-', folder], { input: 'FROM busybox\nCOPY . /c\nRUN ls -A /c # stdin\n' });
    assert.deepEqual(
      listing(stdin).filter((name) => !name.startsWith('.dockerfile')),
      ['.dockerignore', 'docker', 'kept'],
    );
    assert.match(await built(['-q', '-'], { input: 'FROM busybox\nENV alone=1\n' }), /^sha256:\w{64}\n$/);
    for (const flag of ['', 'z', 'j', 'J']) {
      const tar = await executeBytes('tar', [`-c${flag}`, '-C', folder, '.']);
      // Whoever makes an archive has put in what is wanted; the Dockerfile alone goes, as the rules say.
      const output = await built(['--no-cache', '-'], { input: tar.stdout });
      assert.deepEqual(listing(output), ['.dockerignore', 'docker', 'ignored', 'kept']);
    }
  },
  { skip: noClient, timeoutMs: 90_000 },
);

scenario(
  'networks, hosts, limits',
  async () => {
    const of = (command: string): string => client!.folder({ Dockerfile: `FROM busybox\nRUN ${command}\n` });
    assert.match(await built(['--network', 'none', of('ls /sys/class/net')]), /Running in \w{12}\nlo\n ---> Removed/);
    assert.match(await built(['--network', 'host', of('ls /sys/class/net')]), new RegExp(`\n${host.daemon.bridge}\n`));
    assert.match(await built([of('ip -4 -o addr show | grep -vc " lo "')]), /\n1\n ---> Removed/);
    assert.match(await built(['--add-host', 'box:10.1.2.3', of('grep box /etc/hosts')]), /10\.1\.2\.3\s+box\n/);
    const limits = ['-m', '64m', '--ulimit', 'nofile=111:222', '--shm-size', '8m'];
    const shown = await built([...limits, of('ulimit -n; ulimit -Hn; df -k /dev/shm | tail -1')]);
    assert.match(shown, /Running in \w{12}\n111\n222\nshm +8192 /);
    await host.docker.ok('network', 'create', 'buildnet');
    assert.match(await built(['--network', 'buildnet', of('ip -4 -o addr show # named')]), /10\.217\.0\.\d+/);
    await host.docker.ok('network', 'rm', 'buildnet');
  },
  { skip: noClient },
);

scenario(
  'an image whose ONBUILD goes on',
  async () => {
    const parent = client!.folder({ Dockerfile: 'FROM busybox\nONBUILD RUN echo triggered > /t\nONBUILD ENV X=1\n' });
    await built(['-t', 'onbuild', parent]);
    const output = await built(['-t', 'child', client!.folder({ Dockerfile: 'FROM onbuild\nCMD ["cat", "/t"]\n' })]);
    assert.match(
      output,
      /^Step 1\/2 : FROM onbuild\n# Executing 2 build triggers\n ---> Running in \w{12}\n ---> Removed intermediate container \w{12}\n ---> \w{12}\nStep 2\/2 : CMD/m,
    );
    assert.equal(await run('child'), 'triggered');
    await host.docker.ok('rmi', 'child', 'onbuild');
  },
  { skip: noClient },
);

scenario(
  '--pull: the registry’s image, whatever has its name here',
  async () => {
    await using registry = await RegistryService.open();
    const name = `${registry.address}/base:1`;
    const make = async (text: string): Promise<void> => {
      await built(['-t', name, client!.folder({ Dockerfile: `FROM busybox\nRUN echo ${text} > /base\n` })]);
      await host.docker.ok('push', '-q', name);
    };
    const folder = client!.folder({ Dockerfile: `FROM ${name}\nCMD ["cat", "/base"]\n` });
    await make('new');
    await host.docker.ok('rmi', name);
    const pulled = await built(['-t', 'on-base', folder]);
    // Downloads are shown as they go, before any step.
    assert.match(pulled, /^1: Pulling from base\n(?:\w{12}: .*\n)+Step 1\/2 : FROM/m);
    assert.equal(await run('on-base'), 'new');
    // Another image takes the name here; the registry keeps its own.
    await host.docker.ok('tag', 'busybox', name);
    await built(['-t', 'on-base', folder]);
    assert.match(await host.docker.fails('run', '--rm', 'on-base'), /\/base/);
    await built(['-t', 'on-base', '--pull', folder]);
    assert.equal(await run('on-base'), 'new');
    await host.docker.ok('rmi', 'on-base', name);
  },
  { skip: noClient },
);

scenario(
  'contexts by URL: a Dockerfile, an archive; what is neither',
  async () => {
    const folder = client!.folder({ 'd/Other': 'FROM busybox\nCOPY file /\nRUN cat /file\n', file: 'fetched\n' });
    const packed = await executeBytes('tar', ['-cz', '-C', folder, '.']);
    const answers: Record<string, string | Buffer> = {
      '/Dockerfile': 'FROM busybox\nRUN echo by URL\n',
      '/context.tar.gz': packed.stdout,
    };
    const server = createServer((request, response) => {
      const body = answers[request.url ?? ''];
      response.writeHead(body === undefined ? 404 : 200).end(body);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const post = async (path: string): Promise<{ status: number; text: string }> => {
      const { status, body } = await host.daemon.api('POST', `/build?${path}`);
      return { status, text: typeof body === 'string' ? body : JSON.stringify(body) };
    };
    try {
      assert.match((await post(`remote=${url}/Dockerfile`)).text, /"stream":"by URL\\n"/);
      assert.match((await post(`remote=${url}/context.tar.gz&dockerfile=d/Other`)).text, /"stream":"fetched\\n"/);
      const missing = await post(`remote=${url}/nosuch`);
      assert.match(missing.text, /404/);
      const nonsense = await post('remote=nonsense');
      assert.equal(nonsense.status, 400);
      assert.match(nonsense.text, /nonsense/);
    } finally {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    }
  },
  { skip: noClient },
);

scenario(
  'an interrupted client: nothing of its build goes on',
  async () => {
    const folder = client!.folder({ Dockerfile: 'FROM busybox\nRUN sleep 987\n' });
    const sleeping = async (): Promise<boolean> => (await execute('pgrep', ['-f', '^sleep 987'])).code === 0;
    await using client1 = client!.start(['build', folder]);
    await until(sleeping, { what: 'the step to begin' });
    client1.child.kill('SIGINT');
    assert.notEqual(await client1.ended(), 0);
    await until(async () => !(await sleeping()), { what: 'the step to end' });
    await using client2 = client!.start(['build', folder]);
    await until(sleeping, { what: 'the step to begin' });
    client2.child.kill('SIGKILL');
    await until(async () => !(await sleeping()), { what: 'the step to end' });
    // The door's own folder for what was posted.
    await until(
      () => execute('ls', [join(host.daemon.dataRoot, 'buildkit/posted')]).then(({ stdout }) => stdout === ''),
      { what: 'the posted context to go' },
    );
    const named = host.daemon.api('POST', '/build?buildid=named', undefined);
    assert.equal((await named).status, 400, 'no context');
    assert.equal((await host.daemon.api('POST', '/build/cancel?id=named')).status, 200);
  },
  { skip: noClient },
);

/** docker-compose 1.29 in a folder of its own. */
function compose(name: string, files: Record<string, string>): (...args: string[]) => Promise<Outcome> {
  const folder = join(host.daemon.root, name);
  mkdirSync(folder);
  put(folder, files);
  return (...args) =>
    execute(python!.python, [python!.compose, '--ansi', 'never', ...args], {
      cwd: folder,
      timeoutMs: 90_000,
      env: { ...host.docker.env, ...python!.env, COMPOSE_DOCKER_CLI_BUILD: '0', COMPOSE_HTTP_TIMEOUT: '60' },
    });
}

scenario(
  'docker-compose 1.29: build, up --build, a build that fails',
  async () => {
    const run129 = compose('yard', {
      'docker-compose.yml': `
version: "2.4"
services:
  web:
    build:
      context: .
      args: { WHO: world }
      labels: { made.by: compose }
      target: last
      network: none
    network_mode: none
    image: yard-web:1
`,
      Dockerfile:
        'FROM busybox AS last\nARG WHO\nRUN echo hello $WHO > /greeting\nCMD ["cat", "/greeting"]\nFROM last\nRUN false\n',
    });
    const out = await run129('build');
    assert.equal(out.code, 0, out.stderr + out.stdout);
    assert.match(out.stdout, /Successfully built \w{12}\nSuccessfully tagged yard-web:1\n/);
    const up = await run129('up', '--build');
    assert.equal(up.code, 0, up.stderr + up.stdout);
    assert.match(up.stdout, / ---> Using cache\n/);
    assert.match(up.stdout, /hello world/);
    assert.deepEqual(await host.docker.inspect('yard-web:1', '(index .Config.Labels "made.by")'), 'compose');
    put(join(host.daemon.root, 'yard'), { Dockerfile: 'FROM busybox AS last\nRUN exit 9\n' });
    const failed = await run129('build');
    assert.equal(failed.code, 1);
    assert.match(failed.stderr, /The command '\/bin\/sh -c exit 9' returned a non-zero code: 9/);
    const down = await run129('down', '--rmi', 'all');
    assert.equal(down.code, 0, down.stderr);
  },
  { skip: noPython, timeoutMs: 120_000 },
);

scenario(
  'docker-py',
  async () => {
    const folder = join(host.daemon.root, 'py');
    mkdirSync(folder);
    put(folder, {
      Dockerfile: 'FROM busybox\nARG WHO\nCOPY note /note\nRUN echo by $WHO >> /note\n',
      note: 'a note\n',
    });
    writeFileSync(
      join(folder, 'script.py'),
      `
import docker, io
client = docker.from_env(version='auto')
image, log = client.images.build(path='.', tag='py:1', buildargs={'WHO': 'py'}, labels={'made': 'py'}, rm=True, pull=False)
assert image.tags == ['py:1'], image.tags
assert image.labels == {'made': 'py'}, image.labels
assert any('Successfully built' in line.get('stream', '') for line in log)
assert client.containers.run('py:1', ['cat', '/note'], remove=True, network_mode='none') == b'a note\\nby py\\n'
again, log = client.images.build(path='.', tag='py:2', buildargs={'WHO': 'py'}, labels={'made': 'py'})
assert sum('Using cache' in line.get('stream', '') for line in log) >= 2
limited = dict(extra_hosts={'box': '10.1.2.3'}, container_limits={'memory': 67108864})
single, _ = client.images.build(fileobj=io.BytesIO(b'FROM busybox\\nENV A=b\\nRUN grep box /etc/hosts\\n'), **limited)
assert 'A=b' in single.attrs['Config']['Env']
try:
    client.images.build(fileobj=io.BytesIO(b'FROM busybox\\nRUN exit 5\\n')); raise SystemExit('no BuildError')
except docker.errors.BuildError as error:
    assert error.msg == "The command '/bin/sh -c exit 5' returned a non-zero code: 5", error.msg
try:
    client.images.build(fileobj=io.BytesIO(b'NONSENSE\\n')); raise SystemExit('no APIError')
except docker.errors.APIError as error:
    assert error.status_code == 400 and 'unknown instruction' in error.explanation, error
for name in ['py:1', 'py:2']: client.images.remove(name)
assert client.api.prune_builds()['SpaceReclaimed'] >= 0
print('all is well')
`,
    );
    const { code, stdout, stderr } = await execute(python!.python, ['script.py'], {
      cwd: folder,
      timeoutMs: 60_000,
      env: { ...host.docker.env, ...python!.env },
    });
    assert.equal(code, 0, stderr);
    assert.equal(stdout, 'all is well\n');
  },
  { skip: noPython },
);

scenario('dockerode', async () => {
  const folder = join(host.daemon.root, 'rode-context');
  mkdirSync(folder);
  put(folder, { Dockerfile: 'FROM busybox\nCOPY note /note\nRUN cat /note\n', note: 'from dockerode\n' });
  const rode = new Dockerode({ socketPath: host.daemon.socket });
  interface Line {
    stream?: string;
    aux?: { ID: string };
    error?: string;
    errorDetail?: { code: number };
  }
  const follow = (stream: NodeJS.ReadableStream): Promise<Line[]> =>
    new Promise((resolve, reject) => {
      rode.modem.followProgress(stream, (error, output: Line[]) => (error === null ? resolve(output) : reject(error)));
    });
  const sources = { context: folder, src: ['Dockerfile', 'note'] };
  const lines = await follow(await rode.buildImage(sources, { t: 'rode:built', labels: { a: 'b' } }));
  assert.ok(lines.some(({ stream }) => stream === 'from dockerode\n'));
  const id = lines.findLast(({ aux }) => aux !== undefined)?.aux?.ID;
  assert.equal((await rode.getImage('rode:built').inspect()).Id, id);
  put(folder, { Dockerfile: 'FROM busybox\nRUN exit 3\n' });
  const failed = await follow(await rode.buildImage(sources, {}));
  assert.equal(failed.at(-1)?.errorDetail?.code, 3);
  await assert.rejects(rode.buildImage(sources, { dockerfile: 'nosuch' }), { statusCode: 400 });
  await rode.getImage('rode:built').remove();
});

scenario('Testcontainers: GenericContainer.fromDockerfile', async () => {
  const folder = join(host.daemon.root, 'tc-context');
  mkdirSync(folder);
  put(folder, {
    'Dockerfile.test': 'ARG BASE\nFROM $BASE\nARG WHO\nRUN echo hello $WHO > /greeting\nCMD cat /greeting; sleep 100\n',
  });
  Object.assign(process.env, { TESTCONTAINERS_RYUK_DISABLED: 'true', DOCKER_HOST: host.daemon.host });
  const { GenericContainer, Wait } = await import('testcontainers');
  const image = await GenericContainer.fromDockerfile(folder, 'Dockerfile.test')
    .withBuildArgs({ BASE: 'busybox', WHO: 'tests' })
    .withCache(false)
    .build('tc:built', { deleteOnExit: false });
  const started = await image.withWaitStrategy(Wait.forLogMessage('hello tests')).withStartupTimeout(20_000).start();
  await started.stop({ timeout: 1 });
  await assert.rejects(GenericContainer.fromDockerfile(folder, 'nosuch').build('tc:never', { deleteOnExit: false }));
  await host.docker.ok('rmi', 'tc:built');
});

scenario(
  'a daemon that is killed within a build: its step, its context and its layer are gone with the next',
  async () => {
    const before = await imageIds();
    const folder = client!.folder({ Dockerfile: 'FROM busybox\nCOPY . /c\nRUN echo x > /x; sleep 985\n', file: 'x' });
    const sleeping = async (): Promise<boolean> => (await execute('pgrep', ['-f', '^sleep 985'])).code === 0;
    const posted = join(host.daemon.dataRoot, 'buildkit/posted');
    await using going = client!.start(['build', '-t', 'killed', folder]);
    await until(sleeping, { what: 'the step to begin' });
    assert.equal(readdirSync(posted).length, 1);
    await host.daemon.restart('SIGKILL');
    assert.notEqual(await going.ended(), 0);
    await until(async () => !(await sleeping()), { what: 'the step to end' });
    assert.deepEqual(readdirSync(posted), []);
    assert.deepEqual(await imageIds(), before);
    assert.deepEqual(await host.daemon.verify(), []);
    // What was done before is known still.
    const again = client!.folder({ Dockerfile: 'FROM busybox\nCOPY . /c\nRUN echo y > /y\n', file: 'x' });
    put(again, { Dockerfile: readFileSync(join(folder, 'Dockerfile'), 'utf8').replace('sleep 985', 'true') });
    await built(['-t', 'killed', again]);
    assert.equal(await run('killed', 'cat', '/x'), 'x');
    await host.docker.ok('rmi', 'killed');
  },
  { skip: noClient },
);
