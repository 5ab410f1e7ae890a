/** The stock `docker buildx`, from Debian's newer packages, against this room's doors and a builder that plays a build. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { execute, executeBytes, type Outcome, Running, until } from '../../test/support/docker.ts';
import { packages } from '../../test/support/peers.ts';
import { Door, folderOf, imageId, oddTree, outputBytes } from './fixture.ts';

const peers = await packages('newer').catch((error: unknown) => String(error));
const plugins = join(peers, 'usr/libexec/docker/cli-plugins');
const docker = join(peers, 'usr/bin/docker');
const skip = existsSync(join(plugins, 'docker-buildx')) ? false : `docker-buildx cannot be had: ${peers}`;

function environment(door: Door): Record<string, string> {
  const config = join(door.folder, 'config');
  mkdirSync(config, { recursive: true });
  writeFileSync(
    join(config, 'config.json'),
    JSON.stringify({
      cliPluginsExtraDirs: [plugins],
      auths: { 'registry.example': { auth: Buffer.from('me:word').toString('base64') } },
    }),
  );
  return { DOCKER_HOST: `unix://${door.socket}`, DOCKER_CONFIG: config, HOME: door.folder };
}

function buildx(door: Door, args: readonly string[], options: { input?: string | Uint8Array } = {}): Promise<Outcome> {
  return execute(docker, ['buildx', ...args], { ...options, timeoutMs: 60_000, env: environment(door) });
}

function buildxBeside(door: Door, args: readonly string[]): Running {
  return new Running(docker, ['buildx', ...args], { env: environment(door) });
}

function context(door: Door, files: Record<string, string | Uint8Array>): string {
  return folderOf(join(door.folder, 'context'), files);
}

test('a build: progress, context, arguments, secrets, credentials, the image id', { skip }, async () => {
  await using door = await Door.open();
  const big = randomBytes(3_000_000);
  const root = context(door, {
    Dockerfile: 'FROM scratch\nRUN echo played\n',
    'deep/er/file.txt': 'hello',
    'big.bin': big,
    'ünïcode name': 'x',
    ignored: 'never sent',
    empty: '',
  });
  writeFileSync(join(door.folder, 'secret'), 'hush');
  const iid = join(door.folder, 'iid');
  const metadata = join(door.folder, 'metadata');
  const args = [
    'build',
    '--progress=plain',
    '-t',
    'x:1',
    '-t',
    'y',
    '--build-arg',
    'A=1',
    '--label',
    'l=v',
    '--iidfile',
    iid,
    '--metadata-file',
    metadata,
  ];
  const out = await buildx(door, [
    ...args,
    '--secret',
    `id=token,src=${join(door.folder, 'secret')}`,
    '--add-host',
    'h:1.2.3.4',
    root,
  ]);
  assert.equal(out.code, 0, out.stderr);
  assert.match(out.stderr, /\[2\/2\] RUN echo played/);
  assert.match(out.stderr, /played output/);
  const [seen] = door.builds.seen;
  assert.ok(seen);
  assert.equal(seen.secret, 'hush');
  assert.deepEqual(seen.credentials, { username: 'me', password: 'word', serveraddress: 'registry.example' });
  assert.deepEqual(
    [...seen.files.keys()].sort(),
    ['Dockerfile', 'big.bin', 'deep/er/file.txt', 'empty', 'ünïcode name'].sort(),
  );
  assert.ok(seen.files.get('big.bin')!.equals(big));
  assert.deepEqual(seen.request.outputs[0]?.names, ['x:1', 'y']);
  assert.deepEqual([...seen.request.buildArgs], [['A', '1']]);
  assert.equal(seen.request.labels.get('l'), 'v');
  assert.deepEqual(seen.request.extraHosts, ['h:1.2.3.4']);
  assert.equal(readFileSync(iid, 'utf8'), imageId);
  const told = JSON.parse(readFileSync(metadata, 'utf8')) as Record<string, string>;
  assert.equal(told['image.name'], 'docker.io/library/x:1,docker.io/library/y');
  assert.equal(told['containerimage.digest'], imageId);
});

test('a failed step: its exit code, its line of the Dockerfile', { skip }, async () => {
  await using door = await Door.open();
  const root = context(door, { Dockerfile: 'FROM scratch\nRUN exit 7\n' });
  const out = await buildx(door, ['build', '--progress=plain', root]);
  assert.equal(out.code, 1);
  assert.match(out.stderr, /2 \| >>> RUN exit 7/);
  assert.match(out.stderr, /did not complete successfully: exit code: 7/);
});

test('a second build transfers only what changed', { skip }, async () => {
  await using door = await Door.open();
  const files = { Dockerfile: 'FROM scratch\n', a: 'a'.repeat(100_000), b: 'b'.repeat(50), 'c/d': 'gone next time' };
  const root = context(door, files);
  const first = await buildx(door, ['build', root]);
  assert.equal(first.code, 0, first.stderr);
  writeFileSync(join(root, 'b'), 'B'.repeat(60));
  rmSync(join(root, 'c'), { recursive: true });
  const second = await buildx(door, ['build', root]);
  assert.equal(second.code, 0, second.stderr);
  assert.equal(door.builds.seen[1]!.transferred, 60);
  assert.deepEqual([...door.builds.seen[1]!.files.keys()].sort(), ['Dockerfile', 'a', 'b']);
  assert.equal(door.builds.seen[1]!.files.get('b')!.toString(), 'B'.repeat(60));
});

test('an interrupted client cancels its build', { skip }, async () => {
  await using door = await Door.open();
  const root = context(door, { Dockerfile: 'FROM scratch\nRUN wait\n' });
  await using client = buildxBeside(door, ['build', '--progress=plain', root]);
  await until(() => client.stderr.includes('played output'), { what: () => client.stderr });
  client.child.kill('SIGINT');
  assert.notEqual(await client.exit, 0);
  await until(() => door.builds.seen[0]!.aborted && door.serving === 0, {
    what: () => `${door.serving} doors still open`,
  });
});

test('a killed client cancels its build', { skip }, async () => {
  await using door = await Door.open();
  const root = context(door, { Dockerfile: 'FROM scratch\nRUN wait\n' });
  await using client = buildxBeside(door, ['build', '--progress=plain', root]);
  await until(() => client.stderr.includes('played output'), { what: () => client.stderr });
  client.child.kill('SIGKILL');
  await until(() => door.builds.seen[0]!.aborted, { what: () => 'not aborted' });
});

test('a Dockerfile on stdin, a context by URL', { skip }, async () => {
  await using door = await Door.open();
  const root = context(door, { a: 'a' });
  const out = await buildx(door, ['build', '-f', '-', root], { input: 'FROM scratch\nRUN echo stdin\n' });
  assert.equal(out.code, 0, out.stderr);
  assert.equal(door.builds.seen[0]!.dockerfile, 'FROM scratch\nRUN echo stdin\n');
  const remote = await buildx(door, ['build', 'https://git.example/x.git#main']);
  assert.notEqual(remote.code, 0);
  assert.deepEqual(door.builds.seen[1]!.request.context, { url: 'https://git.example/x.git#main' });
});

test('named contexts, targets, no cache', { skip }, async () => {
  await using door = await Door.open();
  const root = context(door, { Dockerfile: 'FROM scratch\n' });
  const named = ['--build-context', 'base=docker-image://alpine:3', '--build-context', `other=${root}`];
  const out = await buildx(door, [
    'build',
    ...named,
    '--target',
    't',
    '--no-cache-filter',
    'p,q',
    '--pull',
    '--network',
    'none',
    root,
  ]);
  assert.equal(out.code, 0, out.stderr);
  const { request } = door.builds.seen[0]!;
  assert.deepEqual([...request.namedContexts.keys()].sort(), ['base', 'other']);
  assert.deepEqual(request.namedContexts.get('base'), { image: 'alpine:3' });
  assert.deepEqual(
    { target: request.target, noCache: request.noCache, pull: request.pull, network: request.network },
    { target: 't', noCache: ['p', 'q'], pull: true, network: 'none' },
  );
});

test('du and prune', { skip }, async () => {
  await using door = await Door.open();
  const usage = await buildx(door, ['du', '--verbose']);
  assert.equal(usage.code, 0, usage.stderr);
  assert.match(usage.stdout, /record1/);
  const pruned = await buildx(door, ['prune', '-f', '--all']);
  assert.equal(pruned.code, 0, pruned.stderr);
  assert.match(pruned.stdout, /4\.096kB/);
  assert.deepEqual(door.builds.pruned, { all: true, keepBytes: undefined, filters: new Map() });
  const space = ['--reserved-space', '1000', '--max-used-space', '3000', '--min-free-space', '1002000'];
  const filtered = await buildx(door, ['prune', '-f', ...space, '--filter', 'until=1h', '--filter', 'type=regular']);
  assert.equal(filtered.code, 0, filtered.stderr);
  assert.deepEqual(door.builds.pruned, {
    all: false,
    keepBytes: 2096,
    filters: new Map([
      ['type', new Set(['regular'])],
      ['until', new Set(['3600s'])],
    ]),
  });
});

test('bake: two targets', { skip }, async () => {
  await using door = await Door.open();
  const root = context(door, { Dockerfile: 'FROM scratch\n' });
  const file = join(door.folder, 'bake.json');
  const target = (tag: string): object => ({ context: root, tags: [tag], output: ['type=docker'] });
  writeFileSync(
    file,
    JSON.stringify({ group: { default: { targets: ['a', 'b'] } }, target: { a: target('a'), b: target('b') } }),
  );
  const out = await buildx(door, ['bake', '--allow', `fs.read=${root}`, '--progress', 'rawjson', '-f', file]);
  assert.equal(out.code, 0, out.stderr);
  assert.deepEqual(new Set(door.builds.seen.map(({ request }) => request.outputs[0]!.names[0])), new Set(['a', 'b']));
});

test('an output that the client keeps, whole', { skip }, async () => {
  await using door = await Door.open();
  const root = context(door, { Dockerfile: 'FROM scratch\n' });
  const file = join(door.folder, 'out.tar');
  const out = await buildx(door, ['build', '--output', `type=tar,dest=${file}`, root]);
  assert.equal(out.code, 0, out.stderr);
  assert.ok(readFileSync(file).equals(outputBytes));
});

test('the checks, without a build', { skip }, async () => {
  await using door = await Door.open();
  const root = context(door, { Dockerfile: 'FROM scratch\n' });
  const out = await buildx(door, ['build', '--check', root]);
  assert.equal(out.code, 0, out.stderr);
  assert.equal(door.builds.seen[0]!.request.call, 'check');
  assert.match(out.stdout + out.stderr, /no warnings found/i);
});

test("the client's SSH agent", { skip }, async () => {
  await using door = await Door.open();
  const path = join(door.folder, 'agent.sock');
  // No keys (draft-miller-ssh-agent §3.5): the client relays whole messages and reads them.
  const none = Buffer.from('000000050c00000000', 'hex');
  const agent = createServer((connection) => void connection.on('data', () => connection.write(none)));
  await new Promise<void>((resolve) => agent.listen(path, () => resolve()));
  const root = context(door, { Dockerfile: 'FROM scratch\nRUN ssh\n' });
  const out = await buildx(door, ['build', '--ssh', `default=${path}`, root]);
  agent.close();
  assert.equal(out.code, 0, out.stderr);
  assert.equal(door.builds.seen[0]!.agent, '000000050c00000000');
  const without = await buildx(door, ['build', root]);
  assert.notEqual(without.code, 0);
  assert.match(without.stderr, /Cannot forward SSH agent/);
});

test('a local output: files, folders, links', { skip }, async () => {
  await using door = await Door.open();
  const root = context(door, { Dockerfile: 'FROM scratch\n' });
  door.builds.outputFolder = oddTree(join(door.folder, 'tree'));
  const target = join(door.folder, 'local');
  const out = await buildx(door, ['build', '--output', `type=local,dest=${target}`, root]);
  assert.equal(out.code, 0, out.stderr);
  assert.deepEqual(new Set(readdirSync(target)), new Set(['a', 'a-b', 'empty', 'link']));
  assert.ok(readFileSync(join(target, 'a/deep/file')).equals(outputBytes.subarray(0, 100_001)));
  assert.equal(readFileSync(join(target, 'empty'), 'utf8'), '');
  assert.equal(readlinkSync(join(target, 'link')), '../../etc/passwd');
});

test('a context as a tar on stdin', { skip }, async () => {
  await using door = await Door.open();
  const root = context(door, { Dockerfile: 'FROM scratch\n', 'd/file': 'in the tar' });
  const tar = await executeBytes('tar', ['-c', '-C', root, '.']);
  const out = await buildx(door, ['build', '-'], { input: tar.stdout });
  assert.equal(out.code, 0, out.stderr);
  const [seen] = door.builds.seen;
  assert.equal(seen?.dockerfile, 'FROM scratch\n');
  assert.equal(String(seen?.files.get('d/file')), 'in the tar');
});

test('docker compose build', { skip }, async () => {
  await using door = await Door.open();
  const root = context(door, { Dockerfile: 'FROM scratch\nRUN echo played\n', file: 'content' });
  const compose = { services: { web: { build: { context: '.', args: { A: '1' } }, image: 'web:1' } } };
  writeFileSync(join(root, 'compose.yaml'), JSON.stringify(compose));
  const args = ['compose', '--project-directory', root, '--progress', 'plain', 'build'];
  const out = await execute(docker, args, { timeoutMs: 60_000, env: environment(door) });
  assert.equal(out.code, 0, out.stderr + out.stdout);
  const [seen] = door.builds.seen;
  assert.deepEqual(seen?.request.outputs[0]?.names, ['web:1']);
  assert.equal(seen?.request.buildArgs.get('A'), '1');
  assert.equal(String(seen?.files.get('file')), 'content');
});

const old = join(await packages('engine').catch((error: unknown) => String(error)), 'usr/bin/docker');
const skipOld = existsSync(old) ? false : `the docker CLI with BuildKit built in cannot be had: ${old}`;

function oldBuild(door: Door, args: readonly string[]): Promise<Outcome> {
  const env = { ...environment(door), DOCKER_BUILDKIT: '1' };
  // No plugin beside it: with buildx there, it would hand the build over.
  writeFileSync(join(door.folder, 'config/config.json'), '{}');
  return execute(old, ['build', '--progress=plain', ...args], { timeoutMs: 60_000, env });
}

test('a client with BuildKit built in: POST /build?version=2', { skip: skipOld }, async () => {
  await using door = await Door.open();
  const root = context(door, { Dockerfile: 'FROM scratch\nRUN echo played\n', file: 'content', ignored: 'x' });
  const iid = join(door.folder, 'iid');
  const args = ['-t', 'x:1', '--build-arg', 'A=1', '--label', 'l=v', '--add-host', 'h:1.2.3.4', '--iidfile', iid];
  const out = await oldBuild(door, [...args, root]);
  assert.equal(out.code, 0, out.stderr);
  assert.match(out.stderr, /played output/);
  const [seen] = door.builds.seen;
  assert.ok(seen);
  assert.equal(String(seen.files.get('file')), 'content');
  assert.equal(seen.files.has('ignored'), false);
  assert.deepEqual(seen.request.outputs[0]?.names, ['x:1']);
  assert.deepEqual([...seen.request.buildArgs], [['A', '1']]);
  assert.deepEqual(seen.request.extraHosts, ['h:1.2.3.4']);
  assert.equal(readFileSync(iid, 'utf8'), imageId);
});

test('a client with BuildKit built in: a failed step', { skip: skipOld }, async () => {
  await using door = await Door.open();
  const root = context(door, { Dockerfile: 'FROM scratch\nRUN exit 7\n' });
  const out = await oldBuild(door, [root]);
  assert.equal(out.code, 1);
  assert.match(out.stderr, /did not complete successfully: exit code: 7/);
});

test('history: what was built is listed, read again, pinned by no one, removed', { skip }, async () => {
  await using door = await Door.open();
  const root = context(door, { Dockerfile: 'FROM scratch\nRUN echo played\n', Bad: 'FROM scratch\nRUN exit 7\n' });
  const built = await buildx(door, ['build', '-t', 'x:1', '--target', 'last', root]);
  assert.equal(built.code, 0, built.stderr);
  assert.equal((await buildx(door, ['build', '-f', join(root, 'Bad'), root])).code, 1);
  assert.equal((await buildx(door, ['build', '--check', root])).code, 0);
  const list = async (...more: string[]): Promise<Record<string, unknown>[]> => {
    const out = await buildx(door, ['history', 'ls', '--format', 'json', ...more]);
    assert.equal(out.code, 0, out.stderr);
    return out.stdout
      .split('\n')
      .filter(Boolean)
      .map((text) => JSON.parse(text) as Record<string, unknown>);
  };
  const all = await list();
  assert.deepEqual(
    all.map(({ status }) => String(status)).sort(),
    ['Completed', 'Error'],
    'not the check, which clients make for themselves',
  );
  const failed = (await list('--filter', 'status=error'))[0]!;
  const reference = String(failed['ref']).split('/').at(-1)!;
  const logs = await buildx(door, ['history', 'logs', '--progress', 'plain', reference]);
  assert.equal(logs.code, 0, logs.stderr);
  assert.match(logs.stdout + logs.stderr, /played output/);
  const inspected = await buildx(door, ['history', 'inspect', reference]);
  assert.equal(inspected.code, 0, inspected.stderr);
  assert.match(
    inspected.stdout,
    /Error:\s+Unknown process "\/bin\/sh -c exit 7" did not complete[^]*Build Steps:\s+1\/1/,
  );
  const completed = all.find(({ status, name }) => status === 'Completed' && String(name).includes('last'))!;
  const other = await buildx(door, ['history', 'inspect', String(completed['ref']).split('/').at(-1)!]);
  assert.match(other.stdout, /Target:\s+last[^]*Build Steps:\s+1\/1/);
  assert.equal((await buildx(door, ['history', 'rm', reference])).code, 0);
  assert.equal((await list()).length, 1);
  const gone = await buildx(door, ['history', 'logs', reference]);
  assert.notEqual(gone.code, 0);
  assert.equal((await buildx(door, ['history', 'rm', '--all'])).code, 0);
  assert.deepEqual(await list(), []);
});

test('history: a build that goes on is listed and followed by another client', { skip }, async () => {
  await using door = await Door.open();
  const root = context(door, { Dockerfile: 'FROM scratch\nRUN wait\n' });
  await using client = buildxBeside(door, ['build', '--progress=plain', root]);
  await until(() => client.stderr.includes('played output'), { what: () => client.stderr });
  const listed = await buildx(door, ['history', 'ls', '--format', '{{.Ref}} {{.Status}}']);
  assert.match(listed.stdout, /^\S+ Running$/m);
  await using follower = buildxBeside(door, [
    'history',
    'logs',
    '--progress',
    'plain',
    listed.stdout.split(' ')[0]!.split('/').at(-1)!,
  ]);
  await until(() => follower.stderr.includes('played output') || follower.stdout.includes('played output'), {
    what: () => `the output, for another: ${follower.stdout}${follower.stderr}`,
  });
  client.child.kill('SIGINT');
  assert.equal(await follower.exit, 0);
  await client.exit;
  const cancelled = await buildx(door, ['history', 'ls', '--filter', 'status=canceled', '--format', '{{.Ref}}']);
  assert.equal(cancelled.stdout, listed.stdout.replace(' Running', ''));
});
