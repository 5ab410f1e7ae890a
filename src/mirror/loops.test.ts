/** Caches among each other's mirrors, and their own: nobody waits for himself. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { freePort } from '../../test/support/peers.ts';
import { RegistryDouble } from '../../test/support/registry-double.ts';
import { digestOf } from '../../test/support/registry-store.ts';
import { type Fixture, openFixture } from './fixture.ts';

const open = (double: RegistryDouble, port: number, mirror: number): Promise<Fixture> =>
  openFixture(
    { upstreams: [double.host], address: `127.0.0.1:${port}` },
    { mirrors: [`${double.host}=http://127.0.0.1:${mirror}`], silenceTimeoutMs: 600_000 },
  );

async function pull(cache: Fixture, double: RegistryDouble): Promise<string[]> {
  const manifest = await cache.get(`/v2/team/app/manifests/1?ns=${double.host}`);
  assert.equal(manifest.status, 200, manifest.body.toString());
  const { layers } = JSON.parse(manifest.body.toString()) as { layers: { digest: string }[] };
  const bodies = await Promise.all(
    layers.map(({ digest }) => cache.get(`/v2/team/app/blobs/${digest}?ns=${double.host}`)),
  );
  for (const [index, { cut, body }] of bodies.entries())
    assert.deepEqual([cut, digestOf(body)], [false, layers[index]!.digest]);
  return layers.map(({ digest }) => digest);
}

const image = (double: RegistryDouble): void =>
  void double.store.addImage('team/app', '1', [randomBytes(1 << 20), randomBytes(2 << 20)]);

test('a cache that is among the mirrors of its own daemon asks the registry in the end', async () => {
  await using double = await RegistryDouble.open();
  image(double);
  const port = await freePort();
  await using cache = await open(double, port, port);
  await pull(cache, double);
  assert.equal(double.requests(/^GET .*\/blobs\//).length, 2);
});

test('two caches that ask each other, both asked at once', { timeout: 20_000 }, async () => {
  await using double = await RegistryDouble.open();
  image(double);
  const [a, b] = [await freePort(), await freePort()];
  await using first = await open(double, a, b);
  await using second = await open(double, b, a);
  double.rule({ match: /manifests|blobs/, delayMs: 50 });
  await Promise.all([first, second].flatMap((cache) => Array.from({ length: 5 }, () => pull(cache, double))));
  assert.ok(double.requests(/^GET .*\/blobs\//).length <= 4, 'each of them fetches a blob once at most');
});

test('a cache that asks has what is here, and forgets nothing for being asked', async () => {
  await using double = await RegistryDouble.open();
  image(double);
  await using mirror = await RegistryDouble.open();
  await using cache = await openFixture({ upstreams: [double.host] }, { mirrors: [`${double.host}=${mirror.url}`] });
  const path = `/v2/team/app/manifests/1?ns=${double.host}`;
  const first = await cache.get(path);
  cache.pass(31_000);
  mirror.rule({ match: /^HEAD .*manifests/, delayMs: 300 });
  const asking = cache.get(path);
  const via = { via: '1.1 wherry-0123456789abcdef' };
  const asked = await cache.get(path, via);
  assert.deepEqual([asked.status, asked.body], [200, first.body]);
  assert.match(asked.headers['warning'] as string, /this cache is asking for it itself; this is what 1 meant before/);
  assert.equal((await asking).headers['warning'], undefined);
  await double[Symbol.asyncDispose]();
  await mirror[Symbol.asyncDispose]();
  cache.pass(31_000);
  assert.equal((await cache.get(path)).status, 200, 'the tag is still known');
});

test('a cache behind a cache: one transfer, and both keep it', async () => {
  await using double = await RegistryDouble.open();
  image(double);
  const port = await freePort();
  await using near = await openFixture({ upstreams: [double.host], address: `127.0.0.1:${port}` });
  await using far = await open(double, await freePort(), port);
  const layers = await pull(far, double);
  assert.equal(double.requests(/^GET .*\/blobs\//).length, 2);
  for (const digest of layers) assert.ok(near.content.has(digest as never) && far.content.has(digest as never));
});
