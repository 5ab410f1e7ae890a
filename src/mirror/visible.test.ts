/** What may be seen: what came from a served repository, under its name. Nothing else of this machine. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RegistryDouble } from '../../test/support/registry-double.ts';
import { digestOf } from '../../test/support/registry-store.ts';
import { openFixture } from './fixture.ts';

async function start() {
  const double = await RegistryDouble.open();
  const cache = await openFixture({ upstreams: [double.host] });
  return {
    double,
    cache,
    at: (name: string, rest: string): string => `/v2/${name}/${rest}?ns=${double.host}`,
    [Symbol.asyncDispose]: async () => {
      await cache[Symbol.asyncDispose]();
      await double[Symbol.asyncDispose]();
    },
  };
}

test('what was built or pulled here and is not upstream is not seen', async () => {
  await using all = await start();
  const { cache, at } = all;
  const blob = Buffer.from('a secret');
  const manifest = Buffer.from(JSON.stringify({ schemaVersion: 2, config: {}, layers: [] }));
  const hold = cache.content.hold();
  for (const bytes of [blob, manifest]) await cache.content.put(bytes, hold);
  for (const path of [`blobs/${digestOf(blob)}`, `manifests/${digestOf(manifest)}`, `blobs/${digestOf(manifest)}`])
    for (const method of ['GET', 'HEAD']) {
      const answer = await cache.get(at('team/app', path), {}, method);
      assert.equal(answer.status, 404, `${method} ${path}`);
    }
});

test("one repository's blobs are not another's, unless its registry says so", async () => {
  await using all = await start();
  const { double, cache, at } = all;
  const image = double.store.addImage('private', '1', [Buffer.alloc(1000, 'x')]);
  const layer = image.layers[0]!.digest;
  await cache.get(at('private', 'manifests/1'));
  assert.equal((await cache.get(at('private', `blobs/${layer}`))).status, 200);
  assert.equal((await cache.get(at('other', `blobs/${layer}`))).status, 404);
  assert.equal((await cache.get(at('other', `manifests/${image.manifest.digest}`))).status, 404);
  double.store.addBlob('other', double.store.blob(layer)!);
  const gets = double.requests(/^GET .*\/blobs\//).length;
  const found = await cache.get(at('other', `blobs/${layer}`));
  assert.equal(digestOf(found.body), layer);
  assert.equal(double.requests(/^GET .*\/blobs\//).length, gets, 'asked whether it has it, not for its bytes');
  assert.equal(double.requests(/^HEAD \/v2\/other\/blobs\//).length, 2);
  await double[Symbol.asyncDispose]();
  await cache.reopen();
  assert.equal((await cache.get(at('other', `blobs/${layer}`))).status, 200, 'and remembered');
});

test('what a pull of this machine brought is not fetched again, once upstream says that it has it', async () => {
  await using all = await start();
  const { double, cache, at } = all;
  const image = double.store.addImage('team/app', '1', [Buffer.alloc(5000, 'y')]);
  const hold = cache.content.hold();
  const manifest = double.store.repository('team/app').manifests.get(image.manifest.digest)!.bytes;
  for (const bytes of [manifest, ...[image.config, ...image.layers].map(({ digest }) => double.store.blob(digest)!)])
    await cache.content.put(bytes, hold);
  const found = await cache.get(at('team/app', 'manifests/1'));
  assert.equal(digestOf(found.body), image.manifest.digest);
  for (const { digest } of [image.config, ...image.layers])
    assert.equal(digestOf((await cache.get(at('team/app', `blobs/${digest}`))).body), digest);
  assert.deepEqual(
    double.requests(/manifests|blobs/).map(({ method, path }) => `${method} ${path}`),
    ['HEAD /v2/team/app/manifests/1'],
  );
  // The image is removed; what clients asked for stays theirs.
  hold[Symbol.dispose]();
  await cache.content.collect();
  assert.ok(cache.content.has(image.layers[0]!.digest as never));
});

test('a layer that a manifest says lies elsewhere opens no door to what lies here', async () => {
  await using all = await start();
  const { double, cache, at } = all;
  const secret = Buffer.from('a secret');
  await cache.content.put(secret, cache.content.hold());
  const config = double.store.addBlob('evil', Buffer.from('{}'));
  const layer = { mediaType: 'application/octet-stream', digest: digestOf(secret), size: secret.length };
  double.store.addManifest('evil', '1', {
    schemaVersion: 2,
    config,
    layers: [{ ...layer, urls: ['https://x.test/'] }],
  });
  assert.equal((await cache.get(at('evil', 'manifests/1'))).status, 200);
  assert.equal((await cache.get(at('evil', `blobs/${layer.digest}`))).status, 404);
});

test('a manifest that names too much, or is too large, is refused', async () => {
  await using all = await start();
  const { double, cache, at } = all;
  const config = double.store.addBlob('huge', Buffer.from('{}'));
  double.store.addManifest('huge', 'layers', { schemaVersion: 2, config, layers: Array(10_001).fill(config) });
  double.store.addManifest('huge', 'bytes', { schemaVersion: 2, config, layers: [], pad: 'x'.repeat(4 << 20) });
  for (const tag of ['layers', 'bytes']) {
    const answer = await cache.get(at('huge', `manifests/${tag}`));
    assert.equal(answer.status, 502, tag);
  }
  assert.deepEqual(cache.content.list(), []);
});
