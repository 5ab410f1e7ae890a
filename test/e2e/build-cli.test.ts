/** `wherry build` and `wherry debug` on the real daemon: every flag does what it says, every way to reach the daemon builds. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { BuildClient, put, type Files } from '../support/build-clients.ts';
import { TestAuthority } from '../support/certificates.ts';
import { repository, sharedDaemon } from '../support/daemon.ts';
import { type Docker, type Outcome, type RunOptions, Running, until } from '../support/docker.ts';
import { busyboxImage } from '../support/images.ts';
import { ReferenceEngine, RegistryService } from '../support/peers.ts';

const port = await freePort();
using authority = new TestAuthority();
const { certificate, key } = authority.issue();
const tls = mkdtempSync(join(tmpdir(), 'wherry-tls-'));
after(() => rmSync(tls, { recursive: true, force: true }));
put(tls, { 'ca.pem': authority.own, 'cert.pem': certificate, 'key.pem': key });
const host = await sharedDaemon({
  args: `-H tcp://127.0.0.1:${port} --tlsverify --tlscacert ${tls}/ca.pem --tlscert ${tls}/cert.pem --tlskey ${tls}/key.pem`.split(
    ' ',
  ),
});
const { scenario } = host;
const program = join(repository, 'bin/wherry');
let own: Docker | undefined;

function wherry(): Docker {
  own ??= host.daemon.cli(program);
  return own;
}

let folders = 0;

/** A new folder with these files. */
function folder(files: Files): string {
  const root = join(host.daemon.root, `cli-${folders++}`);
  mkdirSync(root);
  put(root, files);
  return root;
}

function build(args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  return wherry().run(['build', ...args], { timeoutMs: 60_000, ...options });
}

/** What a build that must succeed prints, progress first. */
async function built(args: readonly string[], options: RunOptions = {}): Promise<string> {
  const { code, stdout, stderr } = await build(args, options);
  assert.equal(code, 0, stderr + stdout);
  return stderr + stdout;
}

async function fails(args: readonly string[], options: RunOptions = {}): Promise<string> {
  const { code, stdout, stderr } = await build(args, options);
  assert.equal(code, 1, stderr + stdout);
  return stderr;
}

const run = (image: string, ...command: string[]): Promise<string> =>
  wherry().ok('run', '--rm', '--network', 'none', image, ...command);

scenario('a build, its names, its cache, its id', async () => {
  const root = folder({
    Dockerfile: 'FROM busybox\nARG WHO=nobody\nRUN echo "hello $WHO" > /hi\nCOPY . /ctx/\nCMD ["cat", "/hi"]\n',
    '.dockerignore': '*.log\nsecret\n!keep.log\n',
    'a.log': '',
    'keep.log': '',
    'secret/x': '',
    'deep/er/file': 'content',
  });
  const iid = join(host.daemon.root, 'iid');
  const metadata = join(host.daemon.root, 'metadata');
  const files = ['--iidfile', iid, '--metadata-file', metadata];
  const first = await built(['-t', 'cli:1', '-t', 'cli:2', '--label', 'l=v', '--build-arg', 'WHO=you', ...files, root]);
  assert.match(first, /^#0 building with/);
  assert.match(first, /#\d+ \[2\/3\] RUN echo "hello you" > \/hi\n#\d+ DONE \d\.\ds\n/);
  const id = readFileSync(iid, 'utf8');
  assert.equal(await wherry().inspect('cli:2', '.Id'), id);
  assert.equal(await wherry().inspect('cli:1', '.Config.Labels.l'), 'v');
  assert.equal(
    (JSON.parse(readFileSync(metadata, 'utf8')) as Record<string, string>)['containerimage.config.digest'],
    id,
  );
  assert.equal(await run('cli:1'), 'hello you');
  const copied = (await run('cli:1', 'find', '/ctx', '-type', 'f')).split('\n').sort();
  assert.deepEqual(copied, ['/ctx/.dockerignore', '/ctx/Dockerfile', '/ctx/deep/er/file', '/ctx/keep.log']);
  const again = await built(['-t', 'cli:1', '--build-arg', 'WHO=you', root]);
  assert.equal(again.match(/CACHED/g)?.length, 2);
  assert.doesNotMatch(await built(['--no-cache', '--build-arg', 'WHO=you', root]), /CACHED/);
  assert.match(await built(['-q', root]), /^sha256:[0-9a-f]{64}\n$/);
});

scenario('contexts and Dockerfiles from everywhere', async () => {
  const root = folder({
    'docker/Other': 'FROM busybox\nCOPY f /f\n',
    f: 'of the folder',
    'docker/Other.dockerignore': 'docker',
  });
  await built(['-t', 'where', '-f', join(root, 'docker/Other'), root]);
  assert.equal(await run('where', 'cat', '/f'), 'of the folder');
  await built(['-t', 'where', '-f', '-', root], { input: 'FROM busybox\nCOPY f /typed\n' });
  assert.equal(await run('where', 'cat', '/typed'), 'of the folder');
  await built(['-t', 'where', '-'], { input: 'FROM busybox\nRUN echo alone > /alone\n' });
  assert.equal(await run('where', 'cat', '/alone'), 'alone');
  put(root, { Dockerfile: 'FROM busybox\nCOPY f /packed\n' });
  for (const [flag, name] of [
    ['-c', 'plain'],
    ['-cz', 'gzip'],
  ] as const) {
    const tar = execFileSync('tar', [flag, '-C', root, '.']);
    await built(['-t', `where:${name}`, '-'], { input: tar });
    assert.equal(await run(`where:${name}`, 'cat', '/packed'), 'of the folder');
  }
  const other = folder({ file: 'of the other' });
  const named = ['--build-context', `other=${other}`, '--build-context', 'base=docker-image://busybox'];
  await built(['-t', 'where', ...named, '-'], { input: 'FROM base\nCOPY --from=other file /other\n' });
  assert.equal(await run('where', 'cat', '/other'), 'of the other');
});

scenario('links, modes, times and hard links of a context arrive as they are', async () => {
  const root = folder({
    Dockerfile: 'FROM busybox\nCOPY tree /tree\n',
    'tree/file': 'x',
    'tree/run.sh': '#!/bin/sh\n',
  });
  chmodSync(join(root, 'tree/run.sh'), 0o755);
  symlinkSync('file', join(root, 'tree/link'));
  execFileSync('ln', [join(root, 'tree/file'), join(root, 'tree/hard')]);
  execFileSync('touch', ['-d', '2001-02-03T04:05:06.123456789Z', join(root, 'tree/file')]);
  execFileSync('mkfifo', [join(root, 'tree/pipe')]);
  await built(['-t', 'tree', root]);
  const listed = await run(
    'tree',
    'sh',
    '-c',
    'cd /tree && stat -c "%n %A %h %u %g" * && readlink link && stat -c %y file',
  );
  assert.match(listed, /^file -rw-r--r-- \d 0 0\nhard -rw-r--r-- \d 0 0\nlink lrwxrwxrwx 1 0 0\npipe prw/);
  assert.match(listed, /\nrun\.sh -rwxr-xr-x 1 0 0\nfile\n2001-02-03 04:05:06\.123456789/);
});

scenario('what RUN gets: secrets, keys, hosts, limits, networks', async () => {
  const secret = join(host.daemon.root, 'secret');
  writeFileSync(secret, 'hush');
  const keys = join(host.daemon.root, 'key');
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', keys]);
  const dockerfile = [
    'FROM busybox',
    'RUN --mount=type=secret,id=file cat /run/secrets/file',
    'RUN --mount=type=secret,id=env,env=TOKEN echo "token $TOKEN"',
    'RUN --mount=type=ssh test -S "$SSH_AUTH_SOCK" && echo "an agent"',
    'RUN grep -w made /etc/hosts; grep gate /etc/hosts',
    'RUN echo "files $(ulimit -n)"; df -k /dev/shm | tail -n 1',
    'RUN ls /sys/class/net',
    '',
  ].join('\n');
  const flags = ['--secret', `id=file,src=${secret}`, '--secret', 'id=env,env=MINE', '--ssh', `default=${keys}`];
  const more = [
    '--add-host',
    'made:10.1.2.3',
    '--add-host',
    'gate=host-gateway',
    '--ulimit',
    'nofile=123',
    '--shm-size',
    '8m',
  ];
  const output = await built(['--network', 'none', '--progress', 'plain', ...flags, ...more, '-'], {
    input: dockerfile,
    env: { MINE: 'of mine' },
  });
  for (const said of [
    /hush/,
    /token of mine/,
    /an agent/,
    /10\.1\.2\.3\s+made/,
    /\d+\.\d+\.\d+\.\d+\s+gate/,
    /files 123/,
    /8192 /,
    /\blo\n/,
  ]) {
    assert.match(output, said);
  }
  const refused = await fails(['-'], {
    input: 'FROM busybox\nRUN --mount=type=secret,id=x,required cat /run/secrets/x\n',
  });
  assert.match(refused, /2 \| >>> RUN --mount=type=secret,id=x/);
});

scenario('outputs: folders, archives, standard output', async () => {
  const dockerfile =
    'FROM busybox AS made\nRUN mkdir -p /out/d && echo hi > /out/d/f && ln -s d/f /out/l\nFROM scratch\nCOPY --from=made /out /\n';
  const root = folder({ Dockerfile: dockerfile });
  const out = join(root, 'out');
  await built(['-o', out, root]);
  assert.equal(readFileSync(join(out, 'd/f'), 'utf8'), 'hi\n');
  assert.equal(readlinkSync(join(out, 'l')), 'd/f');
  put(out, { 'd/f': 'old', kept: 'kept' });
  await built(['-o', `type=local,dest=${out}`, root]);
  assert.deepEqual([readFileSync(join(out, 'd/f'), 'utf8'), readFileSync(join(out, 'kept'), 'utf8')], ['hi\n', 'kept']);
  const stdout = await wherry().bytes(['build', '-q', '-o', '-', root]);
  assert.equal(stdout.code, 0, stdout.stderr);
  assert.match(String(execFileSync('tar', ['-t'], { input: stdout.stdout })), /^d\/f$/m);
  assert.equal(stdout.stdout.length % 512, 0, 'nothing behind the archive');
  for (const type of ['oci', 'docker']) {
    const file = join(root, `${type}.tar`);
    await built(['-t', `loaded:${type}`, '-o', `type=${type},dest=${file}`, root]);
    assert.match(await wherry().ok('load', '-i', file), new RegExp(`Loaded image: loaded:${type}`));
  }
  await built(['-t', 'two:1', '--load', '-o', `type=tar,dest=${join(root, 'two.tar')}`, root]);
  assert.ok(existsSync(join(root, 'two.tar')));
  await wherry().ok('image', 'inspect', 'two:1');
  const broken = await fails(['-o', `type=tar,dest=${join(root, 'broken.tar')}`, '-'], {
    input: 'FROM busybox\nRUN false\n',
  });
  assert.match(broken, /exit code: 1/);
  assert.deepEqual(
    readdirSync(root).filter((name) => /partial|broken/.test(name)),
    [],
  );
});

scenario('a failure: the step, its line, its output; then a look around', async () => {
  const root = folder({
    Dockerfile:
      'FROM busybox\nWORKDIR /app\nENV MODE=test\nUSER www-data\nRUN echo made > /tmp/state\nRUN echo trying; echo bad >&2; exit 7\n',
  });
  const error = await fails(['-t', 'failed', root]);
  assert.match(error, / > \[4\/4\] RUN echo trying; echo bad >&2; exit 7:\n\d+\.\d+ trying\n\d+\.\d+ bad\n------\n/);
  assert.match(error, /Dockerfile:6\n-{20}\n[^]*6 \| >>> RUN echo trying[^]*exit code: 7\n/);
  assert.match(error, /To look around in the state before this step:\n {2}wherry debug\n$/);
  assert.equal((await wherry().run(['image', 'inspect', 'failed'])).code, 1);
  const images = await wherry().ok('images', '-aq');
  assert.match(await wherry().ok('debug', '--list'), /^BUILD .*\n[0-9a-f]{12} .* 7 +\[4\/4\] RUN echo trying/);
  const looked = await wherry().ok('debug', '--', 'sh', '-c', 'pwd; cat /tmp/state; echo $MODE; id -un');
  assert.equal(looked, '/app\nmade\ntest\nwww-data');
  assert.equal((await wherry().run(['debug', '--', 'sh', '-c', 'exit 5'])).code, 5);
  const none = await wherry().run(['debug', '--shell', 'zsh']);
  assert.deepEqual([none.code, none.stderr.includes('There is no zsh in this state')], [127, true]);
  assert.match(await wherry().fails('debug', 'nosuch'), /No such failed build: nosuch/);
  assert.equal(await wherry().ok('images', '-aq'), images);
  await using shell = wherry().terminal('debug');
  await shell.saw(/Before \[4\/4\] RUN echo trying.*exit code 7/);
  shell.write('cat /tmp/state; exit 3\n');
  assert.equal(await shell.ended(), 3);
  assert.match(shell.stdout, /made\r/);
});

scenario('not a build: checks, the plan, stages and arguments', async () => {
  const root = folder({ Dockerfile: '# the base\nFROM busybox as base\nARG A=1\nFROM base\nCMD sh\n' });
  const checked = await build(['--check', root]);
  assert.equal(checked.code, 1);
  assert.match(
    checked.stdout,
    /^Check complete, 2 warnings have been found!\n\nWARNING: FromAsCasing - https:[^]*\/Dockerfile:2\n/,
  );
  assert.match(
    (await build(['--call', 'check,format=json', root])).stdout,
    /^\{"warnings":\[\{"ruleName":"FromAsCasing"/,
  );
  assert.match((await build(['--print-plan', root])).stdout, /FROM docker\.io\/library\/busybox:latest/);
  assert.match((await build(['--call', 'targets', root])).stdout, /^TARGET +DESCRIPTION\nbase/);
  assert.match((await build(['--call', 'outline', '--target', 'base', root])).stdout, /BUILD ARG[^]*\nA +1/);
});

scenario('Ctrl-C stops it, says so, and leaves nothing', async () => {
  await using building = wherry().start(
    'build',
    '--progress',
    'plain',
    '-t',
    'stopped',
    folder({ Dockerfile: 'FROM busybox\nRUN echo waiting; sleep 100\n' }),
  );
  await building.saw(/#\d+ \d\.\d+ waiting/);
  building.child.kill('SIGINT');
  assert.equal(await building.ended(), 130);
  assert.match(building.stderr, /CANCELED\nCANCELED: the build was stopped, and nothing came of it\.\n$/);
  assert.equal(await wherry().ok('ps', '-aq'), '');
  assert.equal((await wherry().run(['image', 'inspect', 'stopped'])).code, 1);
});

scenario('on a terminal: frames in place, the cursor back', async () => {
  const root = folder({
    Dockerfile: 'FROM busybox\nRUN for i in 1 2 3; do echo "line $i"; sleep 0.3; done\nRUN exit 3\n',
  });
  await using building = wherry().terminal('build', '--no-cache', root);
  assert.equal(await building.ended(), 1);
  const { stdout } = building;
  assert.match(stdout, /^\u001b\[\?25l/);
  assert.match(stdout, / => => # line 1/);
  assert.match(stdout, / => \[2\/3\] RUN for i in 1 2 3; do echo "line \$i"; sleep 0\.3; done +\d\.\ds\r/);
  assert.match(stdout, / => ERROR \[3\/3\] RUN exit 3/);
  assert.match(stdout, /FINISHED +wherry:default\r\n/);
  assert.match(stdout, /\u001b\[\?25h------\r\n > \[3\/3\] RUN exit 3:/);
});

let noBuildx: string | undefined;
const buildx = await BuildClient.buildx(host.daemon).catch((error: Error) => {
  noBuildx = error.message;
  return undefined;
});

scenario(
  'plain and raw progress, and errors, are those of buildx',
  async () => {
    // One step after the other, so that who speaks when is no matter of chance.
    const root = folder({ Dockerfile: 'FROM busybox\nRUN echo one\nRUN printf "no end"\nRUN echo bad >&2; exit 7\n' });
    const plain = ['build', '--no-cache', '--progress', 'plain', root];
    const [ours, theirs] = [await wherry().run(plain), await buildx!.run(['buildx', ...plain])];
    assert.deepEqual([ours.code, theirs.code], [1, 1]);
    const leveled = (text: string): string =>
      text
        .replaceAll(/\d+\.\d+s?\b/g, 'T')
        .replaceAll(/ T done| done/g, ' done')
        .replace(/To look around[^]*/, '');
    assert.equal(leveled(ours.stderr), leveled(theirs.stderr));
    const raw = ['build', '--no-cache', '--progress', 'rawjson', root];
    const kinds = ({ stderr }: Outcome): string[] =>
      stderr
        .split('\n')
        .filter((line) => line.startsWith('{'))
        .map((line) =>
          line
            .replaceAll(/"20\d\d-[^"]*Z"/g, '"T"')
            .replaceAll(/"digest":"[^"]*"|"vertex":"[^"]*"|"inputs":\[[^\]]*\]/g, 'D'),
        );
    const [rawOurs, rawTheirs] = [await wherry().run(raw), await buildx!.run(['buildx', ...raw])];
    assert.deepEqual([...new Set(kinds(rawOurs))].sort(), [...new Set(kinds(rawTheirs))].sort());
    put(root, { Dockerfile: 'FROM busybox as base\nCMD sh\n' });
    const check = ['build', '--check', root];
    assert.equal((await wherry().run(check)).stdout, (await buildx!.run(['buildx', ...check])).stdout);
  },
  { skip: noBuildx, timeoutMs: 120_000 },
);

scenario(
  'both write the same metadata, and build the same image',
  async () => {
    const root = folder({ Dockerfile: 'FROM busybox\nCOPY file /file\n', file: 'x' });
    const told = async (client: 'wherry' | 'buildx'): Promise<Record<string, unknown>> => {
      const file = join(root, `${client}.json`);
      const words = ['build', '-t', 'same:1', '--metadata-file', file, root];
      const { code, stderr } =
        client === 'wherry' ? await wherry().run(words) : await buildx!.run(['buildx', ...words]);
      assert.equal(code, 0, stderr);
      return { ...(JSON.parse(readFileSync(file, 'utf8')) as object), 'buildx.build.ref': 'ref' };
    };
    put(root, { '.dockerignore': '*.json\n' });
    assert.deepEqual(await told('wherry'), await told('buildx'));
  },
  { skip: noBuildx },
);

scenario('over TCP with TLS, and over ssh', async () => {
  const dockerfile = 'FROM busybox\nRUN echo far > /far\nCOPY . /ctx\n';
  const root = folder({ Dockerfile: dockerfile, big: 'x'.repeat(3_000_000) });
  const secure = { DOCKER_HOST: `tcp://127.0.0.1:${port}`, DOCKER_TLS_VERIFY: '1', DOCKER_CERT_PATH: tls };
  await built(['-t', 'far:tls', root], { env: secure });
  assert.equal(await run('far:tls', 'cat', '/far'), 'far');
  // What ssh would run at the other end, run here.
  const bin = folder({ ssh: '#!/bin/sh\nfor last; do :; done\nexec sh -c "$last"\n' });
  chmodSync(join(bin, 'ssh'), 0o755);
  symlinkSync(program, join(bin, 'wherry'));
  const far = { DOCKER_HOST: `ssh://me@far${host.daemon.socket}`, PATH: `${bin}:/usr/sbin:/usr/bin:/sbin:/bin` };
  await built(['--no-cache', '-t', 'far:ssh', root], { env: far });
  assert.equal(await run('far:ssh', 'sh', '-c', 'wc -c < /ctx/big'), '3000000');
});

scenario('pushed and pulled, with the user’s credentials where they are asked for', async () => {
  await using open = await RegistryService.open();
  // The bcrypt hash of "ahoy", cost 5.
  const htpasswd = 'captain:$2y$05$oH0cxmQtZLgkYBmn0wNA0e5mNS3i30971i6/JvgplmKoM9gmOFGpe\n';
  const auth = (root: string): string => `  htpasswd:\n    realm: test\n    path: ${root}/htpasswd`;
  await using guarded = await RegistryService.open({ files: { htpasswd }, auth });
  const push = (address: string): readonly string[] => ['--push', '-t', `${address}/made:1`, '-'];
  const refused = await fails(push(guarded.address), { input: 'FROM busybox\n' });
  assert.match(
    refused,
    /ERROR: failed to build: failed to push 127\.0\.0\.1:\d+\/made:1: .*(unauthorized|no basic auth)/,
  );
  await wherry().run(['login', '-u', 'captain', '--password-stdin', guarded.address], { input: 'ahoy' });
  for (const { address } of [open, guarded]) {
    const name = `${address}/made:1`;
    const output = await built(push(address), { input: 'FROM busybox\nRUN echo pushed > /p\n' });
    assert.match(output, new RegExp(`#\\d+ pushing ${name} with docker\n`));
    await wherry().ok('rmi', name);
    await built(['--pull', '-t', 'from-registry', '-'], { input: `FROM ${name}\nCMD ["cat", "/p"]\n` });
    assert.equal(await run('from-registry'), 'pushed');
  }
  await wherry().ok('logout', guarded.address);
});

scenario('the cache: listed, pruned', async () => {
  await built(['-'], { input: 'FROM busybox\nRUN echo cached > /x\n' });
  const listed = await wherry().ok('buildx', 'du', '--filter', 'type=regular');
  assert.match(listed, /^ID +RECLAIMABLE +SIZE +LAST ACCESSED\n\S{25}/);
  assert.equal((await wherry().run(['buildx', 'prune'], { input: 'n\n' })).code, 1);
  assert.match(await wherry().ok('buildx', 'prune', '-af'), /^ID +RECLAIMABLE[^]*\nTotal:\t\d/);
  assert.match(await wherry().ok('buildx', 'du'), /Total:\t\t0B$/);
  assert.match(await wherry().ok('builder', 'prune', '-f'), /^Total reclaimed space: 0B$/);
});

scenario('the history: what was built and what it printed, also after kill -9', async () => {
  const history = (...args: string[]): Promise<string> => wherry().ok('buildx', 'history', ...args);
  await history('rm', '--all');
  const context = folder({
    Dockerfile: 'FROM busybox AS last\nRUN echo the whole of it\n',
    Bad: 'FROM busybox\nRUN echo before; exit 9\n',
    Going: 'FROM busybox\nRUN echo going; sleep 600\n',
  });
  await built(['-t', 'remembered', '--target', 'last', context]);
  await fails(['-f', join(context, 'Bad'), context]);
  await build(['--check', context]);
  const rows = '{{.Name}} {{.Status}} {{.Error}}';
  const expected = [
    'Bad Error process "/bin/sh -c echo before; exit 9" did not complete successfully: exit code: 9',
    'remembered (last) Completed',
  ];
  assert.deepEqual(
    (await history('ls', '--format', rows)).split('\n').map((row) => row.trim()),
    expected,
  );
  await host.daemon.restart();
  assert.equal((await history('ls', '--filter', 'status=error', '--format', '{{.Name}}')).trim(), 'Bad');
  assert.match(await history('logs'), /RUN echo before; exit 9\n#\d+ [\d.]+ before\n#\d+ ERROR/);
  assert.match(await history('logs', '^1'), /[\d.]+ the whole of it/);
  const ref = (await history('ls', '--format', '{{.Ref}}')).split('\n')[1]!;
  assert.equal(await history('rm', ref.slice(0, 12)), ref);
  assert.match(await wherry().fails('buildx', 'history', 'logs', ref), /^1: .*no record found for ref/s);
  assert.equal((await history('ls', '--format', '{{.Name}}')).trim(), 'Bad');
  assert.match(await wherry().fails('buildx', 'history', 'ls', '--filter', 'size=1'), /invalid filter "size=1"/);
  assert.match(await wherry().fails('buildx', 'history', 'rm'), /no build id, and no --all/);
  // One that the daemon did not bring to its end.
  const args = ['build', '--progress', 'plain', '-f', join(context, 'Going'), context];
  await using cut = new Running(program, args, { env: { ...wherry().env } });
  await until(() => cut.stderr.includes('going\n'), { what: () => `the step: ${cut.stderr}` });
  assert.match(await history('ls', '--format', '{{.Status}}'), /^Running/);
  await host.daemon.restart();
  await cut.exit;
  assert.match(
    await history('ls', '--format', '{{.Status}} {{.Error}}'),
    /^Error the daemon ended while this was built/,
  );
  assert.match(await history('logs'), /going/);
  await history('rm', '--all');
});

scenario('caches in a folder and in a registry', async () => {
  await using registry = await RegistryService.open();
  const cache = join(host.daemon.root, 'cache');
  const root = folder({ Dockerfile: 'FROM busybox\nRUN echo once; cat /proc/sys/kernel/random/uuid > /id\n' });
  for (const [to, from] of [
    [`type=local,dest=${cache}`, `type=local,src=${cache}`],
    [`type=registry,ref=${registry.address}/cache:1`, `${registry.address}/cache:1`],
  ] as const) {
    await wherry().ok('buildx', 'prune', '-af');
    await built(['--no-cache', '-t', 'kept:1', '--cache-to', to, root]);
    const id = await run('kept:1', 'cat', '/id');
    await wherry().ok('rmi', 'kept:1');
    await wherry().ok('buildx', 'prune', '-af');
    assert.match(
      await built(['-t', 'kept:2', '--cache-from', from, root]),
      /\[2\/2\] RUN [^\n]*\n(?:#\d+ sha256:.*\n)*#\d+ CACHED/,
    );
    assert.equal(await run('kept:2', 'cat', '/id'), id);
    await wherry().ok('rmi', 'kept:2');
  }
  const first = await built(['--cache-from', `type=local,src=${join(host.daemon.root, 'nowhere')}`, root]);
  assert.match(first, /^WARNING: there is no cache in .*nowhere yet\n/);
});

scenario(
  'the same command line on Docker’s own daemon',
  async (context) => {
    const engine = await ReferenceEngine.open().catch((error: Error) => context.skip(error.message));
    if (engine === undefined) return;
    await using _ = engine;
    await engine.docker.ok('load', '-q', '-i', await busyboxImage());
    const there = { env: { DOCKER_HOST: engine.host } };
    const root = folder({
      Dockerfile: 'FROM busybox AS made\nCOPY . /ctx\nFROM scratch\nCOPY --from=made /ctx/deep /\n',
    });
    put(root, { '.dockerignore': 'left-out\n', 'deep/er/file': 'content', 'left-out': '', big: 'x'.repeat(1_000_000) });
    const out = join(root, 'out');
    await built(['-o', out, root], there);
    assert.equal(readFileSync(join(out, 'er/file'), 'utf8'), 'content');
    await built(['--target', 'made', '-t', 'made', root], there);
    const listed = await engine.docker.ok('run', '--rm', '--network', 'none', 'made', 'ls', '/ctx');
    assert.equal(listed, 'Dockerfile\nbig\ndeep\nout');
    assert.equal((await build(['--check', root], there)).stdout, 'Check complete, no warnings found.\n');
    const failed = await fails(['-'], { ...there, input: 'FROM busybox\nRUN exit 9\n' });
    assert.match(failed, /2 \| >>> RUN exit 9\n[^]*exit code: 9\n$/);
    assert.match((await wherry().run(['buildx', 'du'], there)).stdout, /^ID +RECLAIMABLE[^]*Total:\t\t/);
    assert.match((await wherry().run(['debug'], there)).stderr, /this daemon is not Wherry/);
  },
  { timeoutMs: 180_000, skip: noBuildx },
);

scenario('a daemon that goes ends the build, with words', async () => {
  await using building = new Running(
    program,
    ['build', '--progress', 'plain', folder({ Dockerfile: 'FROM busybox\nRUN echo waiting; sleep 100\n' })],
    { env: wherry().env },
  );
  await building.saw(/#\d+ \d\.\d+ waiting/);
  await host.daemon.restart('SIGKILL');
  assert.equal(await building.ended(), 1);
  assert.match(
    building.stderr,
    /ERROR: failed to build: .*connection.*\nSee whether the daemon runs with 'wherry system status'\.\n$/,
  );
  await until(async () => (await wherry().ok('ps', '-aq')) === '', { what: 'its step to go' });
});

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}
