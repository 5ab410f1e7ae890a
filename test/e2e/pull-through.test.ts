/**
 * The pull-through cache of one daemon, pulled from by another, by a current dockerd, by containerd, and by what podman is made of:
 * before Debian's docker-registry in the place of the default registry, and before a double that cuts. Then with all upstream gone.
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { CuttingRelay } from '../support/cutting-relay.ts';
import { cannotRun, Daemon, sharedDaemon } from '../support/daemon.ts';
import { execute, must, until } from '../support/docker.ts';
import { entry, tar } from '../support/images.ts';
import { freePort, packages, ReferenceEngine, RegistryService } from '../support/peers.ts';
import { RegistryDouble } from '../support/registry-double.ts';
import { digestOf } from '../support/registry-store.ts';

let reason = cannotRun();
const folder = mkdtempSync(join(tmpdir(), 'wherry-pull-through-'));
const loans = new AsyncDisposableStack();
loans.defer(() => rmSync(folder, { recursive: true, force: true }));
after(() => loans.disposeAsync());

const double = loans.use(await RegistryDouble.open());
const port = await freePort();
const cacheAddress = `127.0.0.1:${port}`;
const cacheUrl = `http://${cacheAddress}`;
const settings = join(folder, 'daemon.json');
const peers = reason === undefined ? await openPeers().catch(giveUp) : undefined;

function giveUp(error: Error): undefined {
  reason = error.message;
  return undefined;
}

/** The settings of the daemon with the cache, from its next start on. */
function configure(values: object): void {
  writeFileSync(settings, JSON.stringify(values));
}

/** The default registry, on a line that counts what passes, and the daemon with the cache. */
async function openPeers() {
  const registry = loans.use(await RegistryService.open());
  const line = loans.use(await CuttingRelay.open(registry.address));
  configure({
    'registry-mirrors': [`http://${line.host}`],
    'pull-through-cache': cacheAddress,
    'pull-through-cache-upstreams': ['docker.io', double.host],
    'pull-through-cache-size': '48MB',
  });
  const cache = await Daemon.open({ args: ['--config-file', settings, '--debug'], expectedErrors: [/level=error/] });
  loans.use(cache);
  return { registry, line, cache };
}

const host = await sharedDaemon({
  args: ['--registry-mirror', cacheUrl, '--registry-mirror', `${double.host}=${cacheUrl}`],
  expectedErrors: [/level=error/],
});

const scenario: typeof host.scenario = (name, body, options) =>
  host.scenario(name, body, reason === undefined ? options : { ...options, skip: reason });

const stored = (kind: 'content/blobs/sha256' | 'mirror/parts'): string[] =>
  readdirSync(join(peers!.cache.dataRoot, kind)).sort();

function listening(): Promise<void> {
  const answers = (): Promise<boolean> =>
    fetch(`${cacheUrl}/v2/`).then(
      ({ ok }) => ok,
      () => false,
    );
  return until(answers, { what: 'the cache to listen' });
}

/** An image of the default registry, with a file `/data` of so many random bytes. @returns its id, and what a pull transfers */
async function makeImage(path: string, bytes: number): Promise<{ id: string; size: number }> {
  const { docker } = host;
  const name = `${peers!.registry.address}/${path}`;
  const file = join(folder, 'layer.tar');
  writeFileSync(file, await tar([entry('data', 'file', { body: randomBytes(bytes) })]));
  await docker.ok('import', '-c', 'CMD ["/data"]', file, name);
  await docker.ok('push', name);
  const id = await docker.inspect<string>(name, '.Id');
  await docker.ok('rmi', name);
  return { id, size: bytes };
}

const size = 3 << 20;
let app = { id: '', size: 0 };

scenario('a wherryd pulls through another: once over the line, then from the cache', async () => {
  const { docker } = host;
  const { line, cache } = peers!;
  app = await makeImage('library/app:1', size);
  const before = line.down;
  await docker.ok('pull', 'app:1');
  assert.equal(await docker.inspect('app:1', '.Id'), app.id);
  const first = line.down - before;
  assert.ok(first >= size && first < size + 100_000, `${first} bytes`);
  await docker.ok('rmi', 'app:1');
  await docker.ok('pull', 'app:1');
  assert.equal(await docker.inspect('app:1', '.Id'), app.id);
  assert.ok(line.down - before < first + 20_000, 'nothing but a question crosses the line');
  await docker.ok('rmi', 'app:1');
  const warnings = await cache.docker.ok('info', '--format', '{{range .Warnings}}{{println .}}{{end}}');
  const notice = `Note: the pull-through cache listens on ${cacheUrl} and serves docker.io, ${double.host}`;
  assert.ok(warnings.split('\n').includes(notice), warnings);
  assert.match(cache.log, /msg="the pull-through cache listens"/);
});

scenario('the daemon with the cache has what others pulled, and they have what it pulled', async () => {
  const { docker } = host;
  const { line, cache } = peers!;
  const own = await makeImage('library/own:1', size);
  let before = line.down;
  await cache.docker.ok('pull', 'app:1');
  assert.ok(line.down - before < 20_000, 'pulled by another before');
  assert.equal(await cache.docker.inspect('app:1', '.Id'), app.id);
  await cache.docker.ok('pull', 'own:1');
  before = line.down;
  await docker.ok('pull', 'own:1');
  assert.ok(line.down - before < 20_000, 'pulled by itself before');
  assert.equal(await docker.inspect('own:1', '.Id'), own.id);
  await docker.ok('rmi', 'own:1');
  await cache.docker.ok('rmi', 'own:1', 'app:1');
});

scenario('ten at once, over a bad line: one transfer', async () => {
  const { docker } = host;
  const { line } = peers!;
  const many = await makeImage('library/many:1', size);
  const before = line.down;
  const answer = await fetch(`${cacheUrl}/v2/library/many/manifests/1`);
  const { layers } = (await answer.json()) as { layers: { digest: string }[] };
  line.downAfter = 700_000;
  const bodies = await Promise.all(
    Array.from({ length: 10 }, async () => {
      const blob = await fetch(`${cacheUrl}/v2/library/many/blobs/${layers[0]!.digest}`);
      return digestOf(Buffer.from(await blob.arrayBuffer()));
    }),
  );
  assert.deepEqual([...new Set(bodies)], [layers[0]!.digest]);
  await docker.ok('pull', 'many:1');
  assert.equal(await docker.inspect('many:1', '.Id'), many.id);
  line.downAfter = Infinity;
  assert.ok(line.cuts >= 3);
  assert.ok(line.down - before < size + 200_000, `${line.down - before} bytes`);
  await docker.ok('rmi', 'many:1');
});

scenario('killed in mid-fetch: the next daemon goes on where that one was', async () => {
  const { docker } = host;
  const { cache } = peers!;
  const bytes = randomBytes(8 << 20);
  const image = double.store.addImage('team/app', '1', [await tar([entry('data', 'file', { body: bytes })])]);
  const layer = image.layers[0]!;
  const blob = new RegExp(`^GET .*/blobs/${layer.digest}`);
  double.rule({ match: blob, stallAfter: 4 << 20, times: 1 });
  const path = `/v2/team/app/blobs/${layer.digest}?ns=${double.host}`;
  await (await fetch(`${cacheUrl}/v2/team/app/manifests/1?ns=${double.host}`)).arrayBuffer();
  const reader = (await fetch(`${cacheUrl}${path}`)).body!.getReader();
  for (let came = 0; came < (4 << 20) - 1; ) came += (await reader.read()).value!.length;
  await cache.kill();
  await assert.rejects(async () => {
    while (!(await reader.read()).done);
  });
  assert.equal(stored('mirror/parts').length, 1);
  await cache.start();
  await listening();
  await docker.ok('pull', `${double.host}/team/app:1`);
  assert.equal(await docker.inspect(`${double.host}/team/app:1`, '.Id'), image.config.digest);
  await docker.ok('rmi', `${double.host}/team/app:1`);
  assert.deepEqual(
    double.requests(blob).map(({ headers }) => headers['range']),
    [undefined, `bytes=${4 << 20}-`],
    'and nobody asked the registry itself',
  );
  assert.deepEqual(stored('mirror/parts'), []);
});

scenario(
  'a current dockerd, and containerd, with no settings but the address',
  async () => {
    const { line } = peers!;
    await using reference = await ReferenceEngine.open({ 'registry-mirrors': [cacheUrl] });
    const before = line.down;
    await reference.docker.ok('pull', 'app:1');
    assert.equal(await reference.docker.inspect('app:1', '.Id'), app.id);
    assert.ok(line.down - before < 20_000, 'from the cache');
    const hosts = join(folder, 'hosts');
    for (const name of ['docker.io', double.host.replace(/:(\d+)$/, '_$1_')]) {
      mkdirSync(join(hosts, name), { recursive: true });
      writeFileSync(
        join(hosts, name, 'hosts.toml'),
        `server = "http://127.0.0.1:1"\n[host."${cacheUrl}"]\n  capabilities = ["pull", "resolve"]\n`,
      );
    }
    const names = [`${double.host}/team/app:1`, 'docker.io/library/app:1'];
    const ctr = join(await packages('newer'), 'usr/bin/ctr');
    const to = ['-a', join(reference.root, 'containerd.sock'), '-n', 'cache-test'];
    for (const name of names) await must(ctr, [...to, 'content', 'fetch', '--hosts-dir', hosts, name]);
    assert.deepEqual((await must(ctr, [...to, 'images', 'ls', '-q'])).split('\n').sort(), names);
  },
  { timeoutMs: 90_000 },
);

/** skopeo, which like podman is made of containers-image, with these mirrors alone. */
async function skopeo(name: string): Promise<string> {
  const program = join(await packages('skopeo'), 'usr/bin/skopeo');
  const library = join(
    await packages('skopeo'),
    `usr/lib/${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu`,
  );
  const [conf, policy] = [join(folder, 'registries.conf'), join(folder, 'policy.json')];
  const registry = (prefix: string, mirror: string): string =>
    `[[registry]]\nprefix = "${prefix}"\nlocation = "127.0.0.1:1"\n[[registry.mirror]]\nlocation = "${mirror}"\ninsecure = true\n`;
  // A path has no colon.
  const prefixed = `${cacheAddress}/${double.host.replace(':', '__')}`;
  writeFileSync(conf, registry('docker.io', cacheAddress) + registry(double.host, prefixed));
  writeFileSync(policy, '{"default":[{"type":"insecureAcceptAnything"}]}');
  const target = mkdtempSync(join(folder, 'skopeo-'));
  const args = ['--registries-conf', conf, '--policy', policy, 'copy', `docker://${name}`, `dir:${target}`];
  const { code, stderr } = await execute(program, args, { env: { LD_LIBRARY_PATH: library } });
  assert.equal(code, 0, stderr);
  const manifest = JSON.parse(readFileSync(join(target, 'manifest.json'), 'utf8')) as { config: { digest: string } };
  return manifest.config.digest;
}

scenario('containers-image, as podman uses it: a mirror, and a mirror with a prefix', async () => {
  const before = peers!.line.down;
  assert.equal(await skopeo('docker.io/library/app:1'), app.id);
  const [manifest] = double.store.repository('team/app').manifests.values();
  const { config } = JSON.parse(manifest!.bytes.toString()) as { config: { digest: string } };
  assert.equal(await skopeo(`${double.host}/team/app:1`), config.digest);
  assert.ok(peers!.line.down - before < 20_000);
});

scenario('what came first makes room for what came last', async () => {
  const { docker } = host;
  const { cache, line } = peers!;
  for (const number of [1, 2, 3]) {
    const image = await makeImage(`library/large:${number}`, 14 << 20);
    await docker.ok('pull', `large:${number}`);
    assert.equal(await docker.inspect(`large:${number}`, '.Id'), image.id);
    await docker.ok('rmi', `large:${number}`);
  }
  await until(() => /msg="the pull-through cache let go/.test(cache.log), { what: 'eviction' });
  const kept = (): number =>
    stored('content/blobs/sha256').reduce(
      (sum, name) => sum + readFileSync(join(cache.dataRoot, 'content/blobs/sha256', name)).length,
      0,
    );
  await until(() => kept() <= 48 << 20, { what: () => `${kept()} bytes to be no more than the bound` });
  const before = line.down;
  await docker.ok('pull', 'large:3');
  assert.ok(line.down - before < 20_000, 'the last is here');
  await docker.ok('rmi', 'large:3');
});

scenario(
  'all upstream gone, and the daemon started anew: what was fetched is pulled all the same',
  async () => {
    const { docker } = host;
    const { registry, cache } = peers!;
    await docker.ok('pull', 'app:1');
    await docker.ok('pull', `${double.host}/team/app:1`);
    const ids = [await docker.inspect('app:1', '.Id'), await docker.inspect(`${double.host}/team/app:1`, '.Id')];
    await docker.ok('rmi', 'app:1', `${double.host}/team/app:1`);
    await registry[Symbol.asyncDispose]();
    await double[Symbol.asyncDispose]();
    await cache.restart('SIGTERM');
    await listening();
    await docker.ok('pull', 'app:1');
    await docker.ok('pull', `${double.host}/team/app:1`);
    assert.deepEqual(
      [await docker.inspect('app:1', '.Id'), await docker.inspect(`${double.host}/team/app:1`, '.Id')],
      ids,
    );
    assert.equal(await skopeo('docker.io/library/app:1'), app.id);
    const old = await fetch(`${cacheUrl}/v2/library/app/manifests/1`);
    assert.match(old.headers.get('warning') ?? '', /^111 wherry ".*this is what 1 meant before"$/);
    assert.match(
      cache.log,
      /level=warning msg="upstream cannot say what a tag means: the cache serves what it meant before"/,
    );
    const other = await fetch(`${cacheUrl}/v2/library/other/manifests/1`);
    assert.deepEqual([other.status, other.headers.get('retry-after')], [503, '30']);
    await docker.ok('rmi', 'app:1', `${double.host}/team/app:1`);
  },
  { timeoutMs: 90_000 },
);

scenario('without the setting it is gone, and so is what it kept', async () => {
  const { cache } = peers!;
  assert.ok(stored('content/blobs/sha256').length > 0);
  configure({});
  await cache.restart('SIGTERM');
  assert.deepEqual(stored('content/blobs/sha256'), []);
  await assert.rejects(fetch(`${cacheUrl}/v2/`));
  assert.doesNotMatch(await cache.docker.ok('info'), /pull-through/);
});
