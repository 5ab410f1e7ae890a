/** Mirrors: asked first, never trusted with credentials, left alone when they fail. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { parseReference, sha256 } from '../oci/index.ts';
import { collectBytes } from '../std/index.ts';
import { RegistryDouble } from '../../test/support/registry-double.ts';
import { open, signal } from './fixture.ts';

const manifest = { schemaVersion: 2 };

/** A registry, and two mirrors of it, by name. */
async function start() {
  const [registry, first, second] = await Promise.all([1, 2, 3].map(() => RegistryDouble.open()));
  const all = { registry: registry!, first: first!, second: second! };
  const mirrors = [all.first, all.second].map(({ url }) => `${all.registry.host}=${url}`);
  const client = open({ mirrors });
  return {
    ...all,
    client,
    resolve: (tag: string) =>
      client.registry.resolve(parseReference(`${all.registry.host}/a:${tag}`), undefined, signal),
    [Symbol.asyncDispose]: async () => {
      await client[Symbol.asyncDispose]();
      for (const double of Object.values(all)) await double[Symbol.asyncDispose]();
    },
  };
}

const manifests = /manifests/;

test('any registry may have mirrors: the first that has it gives it, told whom it stands for', async () => {
  await using all = await start();
  all.second.store.addManifest('a', 'here', manifest);
  all.registry.store.addManifest('a', 'only', manifest);
  await all.resolve('here');
  assert.equal(all.registry.seen.length, 0);
  assert.deepEqual(
    all.second.requests(manifests).map(({ path }) => path),
    [`/v2/a/manifests/here?ns=${encodeURIComponent(all.registry.host)}`],
  );
  await all.resolve('only');
  assert.equal(all.registry.requests(manifests)[0]!.path, '/v2/a/manifests/only');
  assert.ok(
    all.client.log.every((line) => line.startsWith('debug ')),
    'lacking an image is not failing',
  );
  await assert.rejects(all.resolve('none'), { kind: 'not-found', message: 'manifest unknown: manifest unknown' });
});

test('one mirror may stand for several registries', async () => {
  await using one = await RegistryDouble.open();
  await using other = await RegistryDouble.open();
  await using mirror = await RegistryDouble.open();
  mirror.store.addManifest('a', '1', manifest);
  await using client = open({ mirrors: [one, other].map(({ host }) => `${host}=${mirror.url}`) });
  for (const { host } of [one, other]) await client.registry.resolve(parseReference(`${host}/a:1`), undefined, signal);
  assert.deepEqual(
    mirror.requests(manifests).map(({ path }) => path),
    [one, other].map(({ host }) => `/v2/a/manifests/1?ns=${encodeURIComponent(host)}`),
  );
  assert.equal(mirror.requests(/\/v2\/$/).length, 1, 'and is asked who it is once');
});

test('a cache that only passes on what was refused to it is asked again', async () => {
  await using all = await start();
  all.registry.store.addManifest('a', '1', manifest);
  const body = Buffer.from('{"errors":[{"code":"UNAVAILABLE","message":"nobody there"}]}');
  const headers = { 'retry-after': '600', via: '1.1 wherry-0123456789abcdef' };
  all.first.rule({ match: manifests, answer: { status: 503, headers, body }, times: 1 });
  all.first.rule({ match: manifests, answer: { status: 429, headers, body }, times: 1 });
  for (const status of [429, 503]) all.first.rule({ match: manifests, answer: { status, headers }, times: 1 });
  for (let round = 0; round < 4; round++) await all.resolve('1');
  all.first.store.addManifest('a', '1', manifest);
  await all.resolve('1');
  assert.equal(all.first.requests(manifests).length, 5);
  assert.equal(all.registry.requests(manifests).length, 4);
});

test('a mirror that fails falls through, is logged, and is left alone for a while', async () => {
  await using all = await start();
  all.first.rule({ match: /./, answer: { status: 500 } });
  all.second.rule({ match: manifests, hangUp: true });
  all.registry.store.addManifest('a', '1', manifest);
  await all.resolve('1');
  await all.resolve('1');
  assert.equal(all.first.seen.length, 1);
  assert.equal(all.second.requests(manifests).length, 1);
  assert.equal(all.registry.requests(manifests).length, 2);
  assert.equal(all.client.log.filter((line) => line.startsWith('warn Mirror failed')).length, 2);
  assert.deepEqual(all.client.clock.slept, [], 'nobody waits for a mirror');
  all.first.clear();
  all.first.store.addManifest('a', '1', manifest);
  all.client.clock.pass(31_000);
  await all.resolve('1');
  assert.equal(all.first.requests(manifests).length, 1, 'asked again later');
});

test('one that rests is asked all the same when nobody else is left', async () => {
  await using all = await start();
  all.first.rule({ match: manifests, times: 1, answer: { status: 503 } });
  for (const double of [all.first, all.registry]) double.store.addManifest('a', '1', manifest);
  await all.resolve('1');
  await all.registry[Symbol.asyncDispose]();
  await all.resolve('1');
  assert.equal(all.first.requests(manifests).length, 2);
});

test('what opens the registry is not shown to its mirrors; pushes go to the registry alone', async () => {
  const access = { kind: 'basic', users: { me: 'pw' } } as const;
  await using registry = await RegistryDouble.open({ access });
  await using mirror = await RegistryDouble.open();
  await using client = open({ mirrors: [`${registry.host}=${mirror.url}`] });
  registry.store.addManifest('a', '1', manifest);
  const reference = parseReference(`${registry.host}/a:1`);
  const credentials = { username: 'me', password: 'pw' };
  await client.registry.resolve(reference, credentials, signal);
  assert.ok(mirror.seen.length > 0);
  assert.ok(mirror.seen.every(({ headers }) => headers['authorization'] === undefined));
  const before = mirror.seen.length;
  await client.registry.putManifest(reference, Buffer.from('{}'), 'application/json', credentials, signal);
  assert.equal(mirror.seen.length, before);
  assert.ok(client.registry.hasMirrors(reference));
  assert.ok(!client.registry.hasMirrors(parseReference('elsewhere.example/a')));
});

test('a mirror that breaks off or lies in mid-blob: the registry gives the rest', async () => {
  const bytes = randomBytes(200_000);
  const blob = { digest: sha256(bytes), size: bytes.length };
  for (const rule of [{ cutAfter: 80_000 }, { body: (body: Buffer) => body.subarray(5) }, { stallAfter: 10 }]) {
    await using all = await start();
    for (const double of [all.first, all.registry]) double.store.addBlob('a', bytes);
    all.first.rule({ match: /blobs/, ...rule });
    await using client = open({ mirrors: [`${all.registry.host}=${all.first.url}`], silenceTimeoutMs: 300 });
    const stream = client.registry.blob(parseReference(`${all.registry.host}/a`), blob, {}, signal);
    assert.ok((await collectBytes(stream, 1 << 20)).equals(bytes));
    assert.equal(all.first.requests(/blobs/).length, 1);
    assert.equal(all.registry.requests(/blobs/).length, 1);
    const straight = client.registry.blob(parseReference(`${all.registry.host}/a`), blob, { mirrors: false }, signal);
    await collectBytes(straight, 1 << 20);
    assert.equal(all.first.requests(/blobs/).length, 1, 'mirrors can be left out');
  }
});

test('a manifest that a mirror garbled comes from the next', async () => {
  await using all = await start();
  for (const double of [all.first, all.registry]) double.store.addManifest('a', '1', manifest);
  all.first.rule({ match: manifests, body: (body) => Buffer.concat([body, Buffer.from(' ')]) });
  await all.resolve('1');
  assert.equal(all.registry.requests(manifests).length, 1);
});

test("a mirror under a path, and Docker's own mirrors", async () => {
  await using mirror = await RegistryDouble.open();
  mirror.store.addManifest('library/x', '1', manifest);
  mirror.rule({ match: /^GET \/cache\/v2\/$/, answer: {} });
  const bytes = Buffer.from(JSON.stringify(manifest));
  mirror.rule({ match: /^GET \/cache\/v2\/library\/x\/manifests\/1$/, answer: { body: bytes } });
  await using client = open({ mirrors: [`${mirror.url}/cache/`] });
  const { descriptor } = await client.registry.resolve(parseReference('x:1'), undefined, signal);
  assert.equal(descriptor.digest, sha256(bytes));
});
