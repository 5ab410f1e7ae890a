/**
 * Registries that go wrong, with the stock docker CLI and wherry on a real daemon: a double that cuts, lies, limits and forgets, and
 * Debian's docker-registry behind a bad line, behind TLS of a private authority, and with tokens.
 */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { TestAuthority } from '../support/certificates.ts';
import { CuttingRelay } from '../support/cutting-relay.ts';
import { cannotRun, repository, sharedDaemon } from '../support/daemon.ts';
import { type Docker, until } from '../support/docker.ts';
import { entry, tar } from '../support/images.ts';
import { RegistryService } from '../support/peers.ts';
import { proxyDouble } from '../support/proxy-double.ts';
import { RegistryDouble } from '../support/registry-double.ts';
import { types } from '../support/registry-store.ts';
import { TokenService } from '../support/token-service.ts';

let reason = cannotRun();
const folder = mkdtempSync(join(tmpdir(), 'wherry-faults-'));
const loans = new AsyncDisposableStack();
loans.defer(() => rmSync(folder, { recursive: true, force: true }));
after(() => loans.disposeAsync());

const authority = loans.use(new TestAuthority());
const certificate = authority.issue('DNS:registry.test,IP:127.0.0.1');
const double = loans.use(await RegistryDouble.open());
const mirror = loans.use(await RegistryDouble.open());
const peers = reason === undefined ? await openPeers().catch(giveUp) : undefined;

function giveUp(error: Error): undefined {
  reason = error.message;
  return undefined;
}

/** docker-registry plain, with TLS of the private authority, and with a token service. */
async function openPeers() {
  const plain = loans.use(await RegistryService.open());
  const tls = { certificate: 'server.crt', key: 'server.key' };
  const files = { 'server.crt': certificate.certificate, 'server.key': certificate.key };
  const secure = loans.use(await RegistryService.open({ files, tls }));
  const tokens = loans.use(await TokenService.open({ captain: 'ahoy' }, authority.issue('DNS:tokens.test')));
  const locked = loans.use(
    await RegistryService.open({
      files: { 'trusted.crt': authority.own },
      auth: (root) =>
        `  token:\n    realm: ${tokens.realm}\n    service: ${tokens.service}\n    issuer: ${tokens.issuer}\n    rootcertbundle: ${root}/trusted.crt`,
    }),
  );
  // The bcrypt hash of "ahoy", cost 5.
  const htpasswd = 'captain:$2y$05$oH0cxmQtZLgkYBmn0wNA0e5mNS3i30971i6/JvgplmKoM9gmOFGpe\n';
  const guarded = loans.use(
    await RegistryService.open({
      files: { htpasswd },
      auth: (root) => `  htpasswd:\n    realm: test\n    path: ${root}/htpasswd`,
    }),
  );
  const proxy = loans.use(await proxyDouble({ 'registry.test:443': secure.address }, 'boat:man'));
  const line = loans.use(await CuttingRelay.open(plain.address));
  return { plain, secure, tokens, locked, guarded, proxy, line };
}

mkdirSync(join(folder, 'certs.d/registry.test'), { recursive: true });
const host = await sharedDaemon({
  args: [
    '--registry-certs',
    join(folder, 'certs.d'),
    '--registry-mirror',
    `${double.host}=${mirror.url}`,
    ...(peers === undefined ? [] : ['--https-proxy', `http://boat:man@${peers.proxy.host}`]),
    '--no-proxy',
    'docker.io',
  ],
  expectedErrors: [/level=error/],
});

const scenario: typeof host.scenario = (name, body, options) =>
  host.scenario(
    name,
    async (context) => {
      double.clear();
      mirror.clear();
      // Nothing of the double's is on its mirror, unless a test puts it there.
      await body(context);
    },
    reason === undefined ? options : { ...options, skip: reason },
  );

let own: Docker | undefined;
function wherry(): Docker {
  own ??= host.daemon.cli(join(repository, 'bin/wherry'));
  return own;
}

/** An image at the double of a file `/data` with these bytes. */
async function addImage(
  name: string,
  data: Buffer,
): Promise<{ layer: string; config: string; blob: RegExp; name: string }> {
  const image = double.store.addImage(name, '1', [await tar([entry('data', 'file', { body: data })])]);
  const layer = image.layers[0]!.digest;
  const config = image.config.digest;
  return { layer, config, blob: new RegExp(`^GET .*/blobs/${layer}`), name: `${double.host}/${name}:1` };
}

/** The bytes of `/data` in an image that is here. */
async function dataOf(name: string): Promise<string> {
  const { docker, daemon } = host;
  const id = await docker.ok('create', name, '/data');
  const copy = join(daemon.root, 'copy');
  await docker.ok('cp', `${id}:/data`, copy);
  await docker.ok('rm', id);
  return createHash('sha256').update(readFileSync(copy)).digest('hex');
}

const hash = (data: Buffer): string => createHash('sha256').update(data).digest('hex');
const stored = (kind: 'blobs/sha256' | 'ingest'): string[] =>
  readdirSync(join(host.daemon.dataRoot, 'content', kind)).sort();

scenario('cut every megabyte of thirty, a pull arrives, and asks for nothing twice', async () => {
  const { docker } = host;
  const data = randomBytes(30 << 20);
  const { blob, name } = await addImage('cuts', data);
  double.rule({ match: blob, cutAfter: 1 << 20 });
  const pulled = await docker.run(['pull', name], { timeoutMs: 40_000 });
  assert.equal(pulled.code, 0, pulled.stderr);
  assert.match(pulled.stdout, /Status: Downloaded newer image for /);
  const starts = double.requests(blob).map(({ headers }) => Number(/\d+/.exec(headers['range'] ?? '0')![0]));
  assert.ok(starts.length >= 30);
  assert.ok(
    starts.every((start, cut) => cut === 0 || start > starts[cut - 1]!),
    'each goes on where the last ended',
  );
  assert.equal(await dataOf(name), hash(data));
  await docker.ok('rmi', name);
});

scenario('429 that passes is waited for and told; 429 that stays says when', async () => {
  const { docker } = host;
  const { blob, name } = await addImage('limited', randomBytes(1000));
  const body = Buffer.from(
    '{"errors":[{"code":"TOOMANYREQUESTS","message":"You have reached your pull rate limit."}]}',
  );
  double.rule({ match: blob, times: 1, answer: { status: 429, headers: { 'retry-after': '2' }, body } });
  const pulled = await docker.ok('pull', name);
  assert.match(pulled, /: Retrying in 3 seconds\n.*: Retrying in 2 seconds\n.*: Retrying in 1 second\n/s);
  await docker.ok('rmi', name);
  double.rule({ match: /manifests/, answer: { status: 429, headers: { 'retry-after': '115' }, body } });
  const expected =
    /^1: Error response from daemon: toomanyrequests: You have reached your pull rate limit\.; retry after 2 minutes \(at (\S+ )?\d\d:\d\d\)$/;
  assert.match(await docker.fails('pull', name), expected);
  assert.match(await wherry().fails('pull', name), expected);
});

scenario('lies about digest and size are refused, and leave nothing', async () => {
  const { docker } = host;
  const { blob, config, name } = await addImage('lies', randomBytes(2 << 20));
  const kept = config.slice('sha256:'.length);
  const [blobs, parts] = [stored('blobs/sha256'), stored('ingest')];
  const lies = [
    [
      { body: (body: Buffer) => Buffer.alloc(body.length, 'x') },
      /^1: filesystem layer verification failed for digest sha256:/,
    ],
    [
      { body: (body: Buffer) => body.subarray(9) },
      /^1: Cannot fetch blob sha256:.*: the registry offers \d+ bytes where/,
    ],
    [{ chunked: true, body: (body: Buffer) => Buffer.concat([body, body]) }, /the registry offers more bytes where/],
  ] as const;
  for (const [lie, message] of lies) {
    using _ = double.rule({ match: blob, ...lie });
    assert.match(await docker.fails('pull', name), message);
  }
  double.rule({ match: /manifests/, body: (body) => Buffer.concat([body, Buffer.from(' ')]) });
  assert.match(await docker.fails('pull', name), /manifest verification failed for digest sha256:/);
  // The config came whole, and is marked as kept for another try; of the layer nothing is left.
  const added = (folder: 'blobs/sha256' | 'ingest', before: readonly string[]): string[] =>
    stored(folder).filter((each) => !before.includes(each));
  await until(() => added('blobs/sha256', blobs).every((each) => each === kept), {
    what: () => `no new blobs: ${added('blobs/sha256', blobs).join(' ')}`,
  });
  assert.deepEqual(
    added('ingest', parts),
    added('blobs/sha256', blobs).map((each) => `sha256-${each}.whole`),
  );
  assert.equal(await docker.ok('images', '-q', `${double.host}/lies`), '');
});

scenario('an index of 100,000 images is refused quickly, by a daemon that stays small', async () => {
  const { docker, daemon } = host;
  const manifests = Array.from({ length: 100_000 }, (_, n) => ({
    mediaType: types.manifest,
    digest: `sha256:${n.toString(16).padStart(64, '0')}`,
    size: 1,
    platform: { os: 'linux', architecture: `arch${n}` },
  }));
  double.store.addManifest('huge', '1', { schemaVersion: 2, mediaType: types.index, manifests });
  double.rule({ match: /manifests/, chunked: true });
  const resident = (): number =>
    Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${daemon.pid}/status`, 'utf8'))![1]) * 1024;
  await docker.fails('pull', `${double.host}/huge:none`);
  const before = resident();
  assert.match(
    await docker.fails('pull', `${double.host}/huge:1`),
    /^1: Error response from daemon: Cannot pull: the manifest has more than 4194304 bytes$/,
  );
  assert.ok(resident() - before < 60 << 20, `${(resident() - before) >> 20} MiB more`);
});

scenario('blobs elsewhere: credentials stay with the registry; a token that ends in mid-pull is renewed', async () => {
  const { docker } = host;
  await using store = await RegistryDouble.open();
  await using guarded = await RegistryDouble.open({
    access: { kind: 'token', users: { captain: 'ahoy' }, private: /./ },
  });
  const data = randomBytes(3 << 20);
  const layers = await Promise.all(
    [data, randomBytes(1000)].map((body, n) => tar([entry(n === 0 ? 'data' : 'more', 'file', { body })])),
  );
  const image = guarded.store.addImage('app', '1', layers);
  store.store.addImage('app', '1', layers);
  const [large, small] = image.layers.map(({ digest }) => new RegExp(`^GET .*/blobs/${digest}`));
  guarded.rule({ match: large!, redirect: (path) => `${store.url}${path}?signature=1` });
  store.rule({
    match: /signature/,
    times: 2,
    cutAfter: 1 << 20,
    body: (body) => {
      guarded.access!.expireTokens();
      return body;
    },
  });
  const name = `${guarded.host}/app:1`;
  assert.match(
    await docker.fails('pull', name),
    /pull access denied for .*, repository does not exist or may require 'docker login'/,
  );
  guarded.seen.length = 0;
  const login = await docker.run(['login', '-u', 'captain', '--password-stdin', guarded.host], { input: 'ahoy' });
  assert.equal(login.code, 0, login.stderr);
  const config = readFileSync(join(host.daemon.root, 'docker-config/config.json'), 'utf8');
  assert.match(config, /identitytoken/, 'the password itself is not kept');
  assert.ok(!config.includes(Buffer.from('captain:ahoy').toString('base64')));
  await docker.ok('pull', name);
  assert.equal(await dataOf(name), hash(data));
  assert.equal(store.requests(/signature/).length, 3);
  assert.ok(store.seen.every(({ headers }) => headers['authorization'] === undefined));
  assert.ok(
    guarded.requests(large!).some(({ status }) => status === 401),
    'the token ended under way',
  );
  assert.ok(guarded.requests(small!).length > 0);
  assert.ok(guarded.requests(/^POST \/token/).length >= 2, 'by the identity token');
  await docker.ok('logout', guarded.host);
  await docker.ok('rmi', name);
});

scenario('a killed daemon goes on where it was', async () => {
  const { docker, daemon } = host;
  const data = randomBytes(4 << 20);
  const { blob, name } = await addImage('killed', data);
  {
    using _ = double.rule({ match: blob, stallAfter: 3 << 20 });
    await using pull = docker.start('pull', name);
    await until(() => stored('ingest').some((file) => partSize(file) >= 3 << 20), { what: 'most of the layer' });
    await daemon.restart('SIGKILL');
    assert.equal(await pull.ended(), 1);
  }
  double.seen.length = 0;
  await docker.ok('pull', name);
  const starts = double.requests(blob).map(({ headers }) => headers['range']);
  assert.deepEqual(starts, [`bytes=${3 << 20}-`]);
  assert.equal(await dataOf(name), hash(data));
  await docker.ok('rmi', name);
});

function partSize(file: string): number {
  const path = join(host.daemon.dataRoot, 'content/ingest', file);
  return existsSync(path) ? readFileSync(path).length : 0;
}

scenario('a mirror is asked first, and what it lacks or breaks off comes from the registry', async () => {
  const { docker, daemon } = host;
  const data = randomBytes(2 << 20);
  const layer = await tar([entry('data', 'file', { body: data })]);
  const image = double.store.addImage('mirrored', '1', [layer]);
  mirror.store.addImage('mirrored', '1', [layer]);
  const blob = new RegExp(`^GET .*/blobs/${image.layers[0]!.digest}`);
  const name = `${double.host}/mirrored:1`;
  await docker.ok('pull', name);
  assert.equal(double.requests(/mirrored/).length, 0, 'the registry is not needed');
  await docker.ok('rmi', name);
  mirror.rule({ match: blob, cutAfter: 1 << 20 });
  await docker.ok('pull', name);
  assert.match(double.requests(blob)[0]?.headers['range'] ?? '', /^bytes=\d+-$/);
  assert.equal(await dataOf(name), hash(data));
  assert.match(daemon.log, /level=warning msg="Mirror failed and is left alone for a while"/);
  const { body } = await daemon.api('GET', '/v1.51/info');
  const { RegistryConfig, HttpsProxy } = body as {
    RegistryConfig: { IndexConfigs: Record<string, { Mirrors: string[] }> };
    HttpsProxy: string;
  };
  assert.deepEqual(RegistryConfig.IndexConfigs[double.host]?.Mirrors, [`${mirror.url}/`]);
  assert.equal(HttpsProxy, `http://xxxxx:xxxxx@${peers!.proxy.host}`);
  await docker.ok('rmi', name);
});

scenario('what was fetched stays usable when the registry is gone', async () => {
  const { docker } = host;
  const gone = await RegistryDouble.open();
  const name = `${gone.host}/app:1`;
  await docker.ok('tag', 'busybox', name);
  await gone[Symbol.asyncDispose]();
  const refused = `dial tcp ${gone.host}: connect: connection refused`;
  assert.equal(
    await docker.fails('pull', name),
    `1: Error response from daemon: Get "http://${gone.host}/v2/": ${refused}`,
  );
  const told = await wherry().fails('pull', name);
  assert.ok(told.startsWith(`1: Error response from daemon: Get "http://${gone.host}/v2/": ${refused}\n`), told);
  assert.match(told, new RegExp(`\nThe image ${name},? .*is still here: use it with 'wherry run ${name}'\\.$`));
  assert.equal(await docker.ok('run', '--rm', '--pull', 'missing', name, 'echo', 'here'), 'here');
  assert.equal(await wherry().ok('run', '--rm', name, 'echo', 'here'), 'here');
  assert.match(
    await wherry().fails('run', '--rm', '--pull', 'always', name, 'true'),
    /^125: .*leave out '--pull always'/s,
  );
  await docker.ok('rmi', name);
});

scenario('docker-registry on a bad line: pushes and pulls arrive', async () => {
  const { docker } = host;
  const { line } = peers!;
  const data = randomBytes(12 << 20);
  const file = join(host.daemon.root, 'layer.tar');
  writeFileSync(file, await tar([entry('data', 'file', { body: data })]));
  const name = `${line.host}/bad/line:1`;
  await docker.ok('import', '-c', 'CMD ["/data"]', file, name);
  [line.upAfter, line.most] = [5 << 20, 2];
  const pushed = await docker.run(['push', name], { timeoutMs: 40_000 });
  assert.equal(pushed.code, 0, pushed.stderr);
  assert.match(pushed.stdout, /: Pushed\n/);
  assert.equal(line.cuts, 2, 'this registry forgets an upload that broke: it begins anew');
  [line.upAfter, line.most] = [Infinity, Infinity];
  await docker.ok('tag', name, `${line.host}/bad/line:2`);
  await docker.ok('tag', name, `${line.host}/other:1`);
  const all = await docker.ok('push', '-a', `${line.host}/bad/line`);
  assert.equal([...all.matchAll(/: Layer already exists$/gm)].length, 2);
  assert.match(await docker.ok('push', `${line.host}/other:1`), /: Mounted from bad\/line\n/);
  await docker.ok('rmi', name, `${line.host}/bad/line:2`, `${line.host}/other:1`);
  [line.cuts, line.downAfter] = [0, 1 << 20];
  const pulled = await docker.run(['pull', name], { timeoutMs: 40_000 });
  assert.equal(pulled.code, 0, pulled.stderr);
  assert.ok(line.cuts >= 11);
  line.downAfter = Infinity;
  assert.equal(await dataOf(name), hash(data));
  await docker.ok('rmi', name);
});

scenario('docker-registry by TLS of a private authority, through a proxy', async () => {
  const { docker } = host;
  const name = 'registry.test/tls:1';
  await docker.ok('tag', 'busybox', name);
  assert.match(
    await docker.fails('push', name),
    /Get "https:\/\/registry\.test\/v2\/": tls: failed to verify certificate: x509: certificate signed by unknown authority$/,
  );
  writeFileSync(join(folder, 'certs.d/registry.test/ca.crt'), authority.own);
  assert.match(await docker.ok('push', name), /1: digest: sha256:/);
  await docker.ok('rmi', name);
  assert.match(await wherry().ok('pull', name), /Status: Downloaded newer image for registry\.test\/tls:1/);
  assert.ok(peers!.proxy.seen.every((line) => line === 'CONNECT registry.test:443'));
  await docker.ok('rmi', name);
});

scenario(
  'docker-registry with tokens and with passwords: docker and wherry log in, push, pull and log out',
  async () => {
    const { tokens, locked, guarded } = peers!;
    const helpers = join(folder, 'helpers');
    mkdirSync(helpers);
    const safe = join(folder, 'safe.json');
    writeFileSync(
      join(helpers, 'docker-credential-safe'),
      `#!/bin/sh\ncase $1 in\nstore) cat > ${safe} ;;\nget) if [ -s ${safe} ]; then cat ${safe}; else echo "credentials not found in native keychain"; exit 1; fi ;;\nerase) rm -f ${safe} ;;\nesac\n`,
    );
    chmodSync(join(helpers, 'docker-credential-safe'), 0o755);
    const env = { PATH: `${helpers}:${process.env['PATH']}` };
    const config = join(host.daemon.root, 'docker-config/config.json');
    for (const [server, cli, helped] of [
      [locked.address, host.docker, false],
      [locked.address, wherry(), true],
      [guarded.address, host.docker, true],
      [guarded.address, wherry(), false],
    ] as const) {
      writeFileSync(config, JSON.stringify(helped ? { credHelpers: { [server]: 'safe' } } : {}));
      const name = `${server}/fleet/app:1`;
      await host.docker.ok('tag', 'busybox', name);
      const run = (...args: string[]) => cli.run(args, { env });
      const login = (password: string) =>
        cli.run(['login', '-u', 'captain', '--password-stdin', server], { env, input: password });
      const nameless = await run('push', name);
      assert.equal(nameless.code, 1);
      assert.match(nameless.stderr, /no basic auth credentials|unauthorized|denied/);
      const wrong = await login('wrong');
      assert.equal(wrong.code, 1);
      assert.match(wrong.stderr, /unauthorized|401 Unauthorized/);
      const right = await login('ahoy');
      assert.equal(right.code, 0, right.stderr);
      assert.match(right.stdout, /Login Succeeded\n/);
      const kept = readFileSync(config, 'utf8');
      assert.equal(existsSync(safe), helped, 'the helper keeps it');
      assert.equal(kept.includes('"auth":'), !helped);
      const pushed = await run('push', name);
      assert.equal(pushed.code, 0, pushed.stderr);
      await host.docker.ok('rmi', name);
      const pulled = await run('pull', name);
      assert.equal(pulled.code, 0, pulled.stderr);
      const again = await run('login', server);
      // What a token service gave is no password to log in with.
      if (server === guarded.address)
        assert.match(again.stderr + again.stdout, /existing credentials.*Login Succeeded/s);
      const left = await run('logout', server);
      assert.match(left.stdout, /Removing login credentials for /);
      assert.ok(!existsSync(safe));
      assert.equal((await run('pull', name)).code, 1);
      await host.docker.ok('rmi', name);
    }
    const scopes = new Set(tokens.given.flatMap((each) => each.scopes));
    assert.ok(scopes.has('repository:fleet/app:pull,push'));
    assert.ok(scopes.has('repository:fleet/app:pull'));
    rmSync(config);
  },
);
