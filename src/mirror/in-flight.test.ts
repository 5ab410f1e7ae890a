/** Blobs on their way: shared, watched, left, cut, wrong. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'node:test';
import { RegistryDouble } from '../../test/support/registry-double.ts';
import { digestOf } from '../../test/support/registry-store.ts';
import { type Fixture, openFixture } from './fixture.ts';

const size = 12 << 20;

/** A cache that knows of a large blob, and has none of it. */
async function start(bytes = randomBytes(size)) {
  const double = await RegistryDouble.open();
  const cache = await openFixture({ upstreams: [double.host] });
  const blob = double.store.addBlob('team/app', bytes);
  const config = double.store.addBlob('team/app', Buffer.from('{}'));
  double.store.addManifest('team/app', '1', { schemaVersion: 2, config, layers: [blob] });
  await cache.get(`/v2/team/app/manifests/1?ns=${double.host}`);
  return {
    double,
    cache,
    bytes,
    blob,
    path: `/v2/team/app/blobs/${blob.digest}?ns=${double.host}`,
    gets: () => double.requests(new RegExp(`^GET .*/blobs/${blob.digest}`)),
    [Symbol.asyncDispose]: async () => {
      await cache[Symbol.asyncDispose]();
      await double[Symbol.asyncDispose]();
    },
  };
}

const parts = (cache: Fixture): string[] => readdirSync(join(cache.root, 'mirror/parts'));

async function until(condition: () => boolean): Promise<void> {
  for (let tries = 0; tries < 400 && !condition(); tries++) await sleep(10);
  assert.ok(condition());
}

test('a client has the first bytes while the rest is still to come; a second one joins, from its beginning', async () => {
  await using all = await start();
  const { double, cache, bytes, path } = all;
  const half = size / 2;
  double.rule({ match: /blobs/, stallAfter: half, times: 1 });
  const first = await cache.open(path);
  assert.deepEqual(await first.until(half), bytes.subarray(0, half));
  const second = await cache.open(path);
  assert.deepEqual(await second.until(half), bytes.subarray(0, half));
  const middle = await cache.get(path, { range: 'bytes=100-199' });
  assert.deepEqual([middle.status, middle.body], [206, bytes.subarray(100, 200)]);
  const rest = await cache.open(path, { range: `bytes=${half - 10}-` });
  assert.deepEqual(await rest.until(10), bytes.subarray(half - 10, half));
  assert.equal(all.gets().length, 1);
  // The connection that stalls breaks; upstream goes on by range.
  double.closeConnections();
  for (const [client, expected] of [
    [first, bytes],
    [second, bytes],
    [rest, bytes.subarray(half - 10)],
  ] as const) {
    const { cut, body } = await client.end();
    assert.ok(!cut && body.equals(expected));
  }
  assert.deepEqual(
    all.gets().map(({ headers }) => headers['range']),
    [undefined, `bytes=${half}-`],
  );
  assert.deepEqual(parts(cache), []);
  assert.deepEqual((await cache.get(path)).body, bytes, 'and from the store');
  assert.equal(all.gets().length, 2);
});

test('fifty clients at once make one transfer', async () => {
  await using all = await start(randomBytes(1 << 20));
  const replies = await Promise.all(Array.from({ length: 50 }, () => all.cache.get(all.path)));
  assert.ok(replies.every(({ body, cut }) => !cut && body.equals(all.bytes)));
  assert.equal(all.gets().length, 1);
});

test('who leaves takes nothing from who stays; when all have left it ends, and is taken up where it was', async () => {
  await using all = await start();
  const { double, cache, bytes, path } = all;
  const some = 1 << 20;
  double.rule({ match: /blobs/, stallAfter: some, times: 1 });
  const [first, second] = [await cache.open(path), await cache.open(path)];
  await Promise.all([first.until(some), second.until(some)]);
  first.leave();
  await sleep(30);
  assert.equal(cache.mirror.usage().parts.length, 1);
  double.closeConnections();
  await second.until(some + 1);
  second.leave();
  await sleep(0);
  const whole = await cache.get(path);
  assert.ok(whole.body.equals(bytes));
  const starts = all.gets().map(({ headers }) => Number(/\d+/.exec(headers['range'] ?? '0')![0]));
  assert.deepEqual(
    starts,
    starts.toSorted((a, b) => a - b),
    'nothing is fetched twice',
  );
});

test('everybody left: what came stays for a day, also for another daemon', async () => {
  await using all = await start();
  const { double, cache, bytes, path } = all;
  const some = 1 << 20;
  double.rule({ match: /blobs/, stallAfter: some, times: 1 });
  const client = await cache.open(path);
  await client.until(some);
  client.leave();
  await cache.reopen();
  assert.equal(parts(cache).length, 1);
  assert.ok((await cache.get(path)).body.equals(bytes));
  assert.equal(all.gets().at(-1)?.headers['range'], `bytes=${some}-`);
  assert.deepEqual(parts(cache), []);
});

test('nearly finished, it is finished for whoever comes next', async () => {
  await using all = await start();
  const { double, cache, path } = all;
  const most = size - (2 << 20);
  double.rule({ match: /blobs/, stallAfter: most, times: 1 });
  const client = await cache.open(path);
  await client.until(most);
  client.leave();
  await sleep(30);
  double.closeConnections();
  await until(() => parts(cache).length === 0);
  assert.ok((await cache.get(path)).body.equals(all.bytes));
  assert.equal(all.gets().length, 2);
});

test('wrong bytes: nobody gets them whole, nothing is kept, and the next try begins anew', async () => {
  await using all = await start(randomBytes(3 << 20));
  const { double, cache, bytes, path } = all;
  double.rule({ match: /blobs/, body: (body) => Buffer.concat([body.subarray(0, -1), Buffer.from('!')]), times: 1 });
  const replies = await Promise.all([cache.get(path), cache.get(path)]);
  for (const { status, cut, body } of replies) {
    assert.deepEqual([status, cut], [200, true]);
    assert.ok(body.length < bytes.length);
  }
  assert.ok(!cache.content.has(all.blob.digest as never));
  await until(() => parts(cache).length === 0);
  const good = await cache.get(path);
  assert.ok(!good.cut && good.body.equals(bytes));
  assert.match(cache.log.join('\n'), /warn a transfer of the cache broke off .*its content is sha256:/);
});

test('more, fewer and other bytes than the manifest says are refused or cut', async () => {
  await using all = await start(randomBytes(1 << 20));
  const { double, cache, bytes, path } = all;
  double.rule({ match: /blobs/, body: (body) => Buffer.concat([body, body]), times: 1 });
  assert.equal((await cache.get(path)).status, 502, 'announced: refused before a byte is sent');
  double.clear();
  double.rule({ match: /blobs/, body: (body) => Buffer.concat([body, body]), chunked: true, times: 1 });
  assert.ok((await cache.get(path)).cut);
  double.clear();
  double.rule({ match: /blobs/, body: (body) => body.subarray(1000), chunked: true });
  assert.ok((await cache.get(path)).cut);
  double.clear();
  // What came looked like the beginning of the blob; at its end it turns out not to be.
  assert.ok((await cache.get(path)).cut);
  const good = await cache.get(path);
  assert.ok(!good.cut && good.body.equals(bytes));
});

test('a bad line: cut every 300 kB, the client notices nothing', async () => {
  await using all = await start(randomBytes(3 << 20));
  all.double.rule({ match: /blobs/, cutAfter: 300_000 });
  const { cut, body } = await all.cache.get(all.path);
  assert.ok(!cut && body.equals(all.bytes));
  assert.ok(all.gets().length > 10);
});

test('upstream dies under way: the client is cut, and goes on by range when it is back', async () => {
  await using all = await start();
  const { double, cache, bytes, path } = all;
  const some = 4 << 20;
  double.rule({ match: /blobs/, cutAfter: some, times: 1 });
  double.rule({ match: /blobs/, hangUp: true, times: 20 });
  const first = await cache.get(path);
  // A connection that is cut loses what the client had not yet read.
  assert.ok(first.cut && first.body.length > 0 && first.body.length < size, `${first.body.length}`);
  double.clear();
  const rest = await cache.get(path, { range: `bytes=${first.body.length}-` });
  assert.equal(rest.status, 206);
  assert.ok(Buffer.concat([first.body, rest.body]).equals(bytes));
  const from = Number(/^bytes=(\d+)-$/.exec(all.gets()[0]!.headers['range'] ?? '')?.[1]);
  assert.ok(from > 0 && from <= some, `${from}`);
});

test('the same blob under two names is fetched once, and under each by its own right', async () => {
  await using all = await start(randomBytes(1 << 20));
  const { double, cache, bytes, path, blob } = all;
  const config = double.store.addBlob('other', Buffer.from('{}'));
  double.store.addBlob('other', bytes);
  double.store.addManifest('other', '1', { schemaVersion: 2, config, layers: [blob] });
  await cache.get(`/v2/other/manifests/1?ns=${double.host}`);
  const other = path.replace('team/app', 'other');
  double.rule({ match: /^GET \/v2\/team\/app\/blobs/, delayMs: 100, answer: { status: 404 }, times: 1 });
  const [refused, found] = await Promise.all([cache.get(path), sleep(20).then(() => cache.get(other))]);
  assert.equal(refused.status, 404);
  assert.ok(found.body.equals(bytes), 'a refusal under one name is none under another');
  assert.ok((await cache.get(path)).body.equals(bytes));
  assert.equal(double.requests(/^GET \/v2\/other\/blobs/).length, 1);
  assert.equal(digestOf(found.body), blob.digest);
});

test('a daemon that closes lets nobody take a part for the whole', async () => {
  await using all = await start();
  all.double.rule({ match: /blobs/, stallAfter: 1 << 20 });
  const client = await all.cache.open(all.path);
  await client.until(1 << 20);
  const closing = all.cache.mirror[Symbol.asyncDispose]();
  const { cut } = await client.end();
  await closing;
  assert.ok(cut);
});
