/** The cache and what this machine pulls itself. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { type Digest, parseReference } from '../oci/index.ts';
import { type Credentials, openRegistry } from '../registry/index.ts';
import { collectBytes } from '../std/index.ts';
import { RegistryDouble } from '../../test/support/registry-double.ts';
import { digestOf } from '../../test/support/registry-store.ts';
import { openFixture } from './fixture.ts';

const signal = new AbortController().signal;
const clock = { now: Date.now, sleep: async () => {}, random: () => 0.5 };

async function start() {
  const double = await RegistryDouble.open();
  const cache = await openFixture({ upstreams: [double.host] });
  const registry = openRegistry({ clock });
  return {
    double,
    cache,
    own: cache.mirror.throughCache(registry),
    [Symbol.asyncDispose]: async () => {
      await registry.close();
      await cache[Symbol.asyncDispose]();
      await double[Symbol.asyncDispose]();
    },
  };
}

test('a pull of this machine takes part in a transfer that goes on, and goes on alone when that breaks', async () => {
  await using all = await start();
  const { double, cache, own } = all;
  const bytes = randomBytes(12 << 20);
  const layer = double.store.addBlob('team/app', bytes);
  const config = double.store.addBlob('team/app', Buffer.from('{}'));
  double.store.addManifest('team/app', '1', { schemaVersion: 2, config, layers: [layer] });
  await cache.get(`/v2/team/app/manifests/1?ns=${double.host}`);
  double.rule({ match: /blobs/, stallAfter: 1 << 20, times: 1 });
  const client = await cache.open(`/v2/team/app/blobs/${layer.digest}?ns=${double.host}`);
  await client.until(1 << 20);
  const blob = { digest: layer.digest as Digest, size: layer.size };
  const reference = parseReference(`${double.host}/team/app`);
  const pulled = collectBytes(own.blob(reference, blob, { mirrors: false }, signal), 20 << 20);
  double.closeConnections();
  assert.ok((await pulled).equals(bytes));
  assert.ok((await client.end()).body.equals(bytes));
  assert.equal(double.requests(/^GET .*\/blobs\//).length, 2, 'the transfer, and its resumption');

  await cache.reopen({ upstreams: [double.host] });
  await cache.content.delete(blob.digest);
  double.clear();
  double.rule({ match: /blobs/, stallAfter: 1 << 20, times: 1 });
  const other = await cache.open(`/v2/team/app/blobs/${layer.digest}?ns=${double.host}`);
  await other.until(1 << 20);
  const alone = cache.mirror.throughCache(all.own).blob(reference, blob, { start: 1000 }, signal);
  const pieces = alone[Symbol.asyncIterator]();
  const first = await pieces.next();
  const closed = cache.mirror[Symbol.asyncDispose]();
  const chunks: Uint8Array[] = [first.value as Uint8Array];
  for (let next = await pieces.next(); next.done !== true; next = await pieces.next()) chunks.push(next.value);
  assert.ok(Buffer.concat(chunks).equals(bytes.subarray(1000)));
  await closed;
});

test('a transfer that turns out wrong is told as such', async () => {
  await using all = await start();
  const { double, cache, own } = all;
  const layer = double.store.addBlob('team/app', randomBytes(1 << 20));
  const config = double.store.addBlob('team/app', Buffer.from('{}'));
  double.store.addManifest('team/app', '1', { schemaVersion: 2, config, layers: [layer] });
  await cache.get(`/v2/team/app/manifests/1?ns=${double.host}`);
  double.rule({ match: /blobs/, stallAfter: 1000, times: 1 });
  double.rule({ match: /blobs/, body: (body) => Buffer.alloc(body.length), times: 1 });
  const client = await cache.open(`/v2/team/app/blobs/${layer.digest}?ns=${double.host}`);
  await client.until(1000);
  const blob = { digest: layer.digest as Digest, size: layer.size };
  const pulled = collectBytes(own.blob(parseReference(`${double.host}/team/app`), blob, {}, signal), 2 << 20);
  double.closeConnections();
  await assert.rejects(pulled, { name: 'BlobChanged' });
  assert.ok((await client.end()).cut);
});

test('what this machine found without credentials is known to clients, also when upstream is gone', async () => {
  await using all = await start();
  const { double, cache, own } = all;
  const image = double.store.addImage('team/app', '1', [Buffer.alloc(1000, 'a')]);
  const hidden = double.store.addImage('team/app', '2', [Buffer.alloc(1000, 'b')]);
  const elsewhere = await RegistryDouble.open();
  elsewhere.store.addImage('team/app', '3', [Buffer.alloc(1000, 'c')]);
  const resolve = (name: string, credentials: Credentials | undefined): Promise<unknown> =>
    own.resolve(parseReference(name), credentials, signal);
  await resolve(`${double.host}/team/app:1`, { username: '', password: '' });
  await resolve(`${double.host}/team/app:2`, { username: 'captain', password: 'ahoy' });
  await resolve(`${elsewhere.host}/team/app:3`, undefined);
  await elsewhere[Symbol.asyncDispose]();
  using hold = cache.content.hold();
  for (const { digest } of [image.config, ...image.layers]) await cache.content.put(double.store.blob(digest)!, hold);
  await double[Symbol.asyncDispose]();
  const get = (rest: string) => cache.get(`/v2/team/app/${rest}?ns=${double.host}`);
  assert.equal(digestOf((await get('manifests/1')).body), image.manifest.digest);
  for (const { digest } of [image.config, ...image.layers])
    assert.equal(digestOf((await get(`blobs/${digest}`)).body), digest);
  assert.equal((await get('manifests/2')).status, 503);
  assert.equal((await get(`manifests/${hidden.manifest.digest}`)).status, 503);
  assert.deepEqual(
    [...cache.content.list()].map(({ digest }) => digest).sort(),
    [image.manifest, image.config, ...image.layers].map(({ digest }) => digest).sort(),
  );
});
