/** What the cache keeps, for how long, and that it never takes what images need. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'node:test';
import type { Digest } from '../oci/index.ts';
import { RegistryDouble } from '../../test/support/registry-double.ts';
import { type Fixture, openFixture } from './fixture.ts';
import { forgetMirror } from './open.ts';

const needsRoot = process.getuid?.() === 0 ? false : 'needs root (a small disk)';

async function start(words: { size?: string; age?: string } = {}, folder?: string) {
  const double = await RegistryDouble.open();
  const cache = await openFixture({ upstreams: [double.host], ...words }, {}, undefined, folder);
  const at = (rest: string): string => `/v2/team/app/${rest}?ns=${double.host}`;
  return {
    double,
    cache,
    at,
    /** An image of one layer of so many bytes, pulled. @returns the layer */
    pulled: async (tag: string, bytes: number): Promise<Digest> => {
      const config = double.store.addBlob('team/app', Buffer.from(`{"${tag}":0}`));
      const layer = double.store.addBlob('team/app', randomBytes(bytes));
      double.store.addManifest('team/app', tag, { schemaVersion: 2, config, layers: [layer] });
      await cache.get(at(`manifests/${tag}`));
      for (const { digest } of [config, layer]) assert.equal((await cache.get(at(`blobs/${digest}`))).status, 200);
      return layer.digest as Digest;
    },
    [Symbol.asyncDispose]: async () => {
      await cache[Symbol.asyncDispose]();
      await double[Symbol.asyncDispose]();
    },
  };
}

async function until(condition: () => boolean): Promise<void> {
  for (let tries = 0; tries < 400 && !condition(); tries++) await sleep(10);
  assert.ok(condition());
}

const bytesOf = (cache: Fixture): number => cache.mirror.usage().blobs.reduce((sum, { size }) => sum + size, 0);
const has = (cache: Fixture, digests: Digest[]): boolean[] => digests.map((digest) => cache.content.has(digest));

test('the least recently used makes room', async () => {
  await using all = await start({ size: '1MB' });
  const { cache, at } = all;
  const first = await all.pulled('1', 400_000);
  cache.pass(1000);
  const second = await all.pulled('2', 400_000);
  cache.pass(1000);
  // Asking for the manifest is enough: a client that has the layer asks for no more.
  await cache.get(at('manifests/1'), {}, 'HEAD');
  cache.pass(1000);
  const third = await all.pulled('3', 400_000);
  await until(() => !cache.content.has(second));
  assert.deepEqual(has(cache, [first, second, third]), [true, false, true]);
  assert.ok(bytesOf(cache) <= 1 << 20);
  assert.ok((await cache.get(at(`blobs/${second}`))).status === 200, 'and can be had again');
  assert.match(cache.log.join('\n'), /info the pull-through cache let go of what was of least use \{"entries":1,/);
});

test('what an image of this machine needs stays when the cache lets go of it', async () => {
  await using all = await start({ size: '1MB' });
  const { cache } = all;
  const first = await all.pulled('1', 600_000);
  cache.content.addOwner(() => [first]);
  cache.pass(1000);
  await all.pulled('2', 600_000);
  await until(() => bytesOf(cache) <= 1 << 20);
  assert.ok(cache.content.has(first));
  assert.ok(!cache.mirror.usage().blobs.some(({ digest }) => digest === first));
});

test('what nobody asked for in a long time goes', async () => {
  await using all = await start({ age: '1h' });
  const { cache, at } = all;
  const old = await all.pulled('1', 1000);
  cache.pass(50 * 60_000);
  const young = await all.pulled('2', 1000);
  cache.pass(20 * 60_000);
  await all.pulled('3', 1000);
  await until(() => !cache.content.has(old));
  assert.ok(cache.content.has(young));
  const gone = await cache.get(at('tags/list'));
  assert.equal(gone.status, 200);
  assert.equal(readdirSync(join(cache.root, 'mirror/tags')).length, 2);
  assert.equal(readdirSync(join(cache.root, 'mirror/manifests')).length, 2);
});

test('a blob that is larger than the whole cache is left to the registry', async () => {
  await using all = await start({ size: '1MB' });
  const { cache, double, at } = all;
  const config = double.store.addBlob('team/app', Buffer.from('{}'));
  const layer = double.store.addBlob('team/app', randomBytes(2 << 20));
  double.store.addManifest('team/app', '1', { schemaVersion: 2, config, layers: [layer] });
  await cache.get(at('manifests/1'));
  const refused = await cache.get(at(`blobs/${layer.digest}`));
  assert.equal(refused.status, 404);
  assert.match(refused.body.toString(), /2MiB are more than this cache keeps \(1MiB\): ask the registry itself/);
  assert.deepEqual(double.requests(/^GET .*\/blobs\//), []);
  // One that an image of this machine has is given, and is no reason to throw out the rest.
  using hold = cache.content.hold();
  await cache.content.put(double.store.blob(layer.digest)!, hold);
  assert.equal((await cache.get(at(`blobs/${layer.digest}`))).status, 200);
  assert.ok(!cache.mirror.usage().blobs.some(({ digest }) => digest === layer.digest));
});

test('what broken transfers left makes room as well', async () => {
  await using all = await start({ size: '4MB' });
  const { cache, double, at } = all;
  const layers = [1, 2, 3].map(() => double.store.addBlob('team/app', randomBytes(3 << 20)));
  const config = double.store.addBlob('team/app', Buffer.from('{}'));
  double.store.addManifest('team/app', '1', { schemaVersion: 2, config, layers });
  await cache.get(at('manifests/1'));
  double.rule({ match: /blobs/, cutAfter: 2 << 20, times: 1 });
  double.rule({ match: /blobs/, hangUp: true, times: 4 });
  assert.ok((await cache.get(at(`blobs/${layers[0]!.digest}`))).cut);
  assert.equal(cache.mirror.usage().parts.length, 1);
  double.clear();
  assert.equal((await cache.get(at(`blobs/${layers[1]!.digest}`))).status, 200);
  await until(() => cache.mirror.usage().parts.length === 0);
  assert.ok(cache.content.has(layers[1]!.digest as Digest));
});

test('records outlive the daemon, and their time of use does; what is broken or without bytes is dropped', async () => {
  await using all = await start();
  const { cache, at, double } = all;
  const [first, second] = [await all.pulled('1', 1000), await all.pulled('2', 1000)];
  const usedAt = (digest: Digest): number =>
    cache.mirror.usage().blobs.find((each) => each.digest === digest)?.usedAt ?? 0;
  const before = usedAt(first);
  cache.pass(60_000);
  await cache.get(at(`blobs/${first}`));
  await cache.reopen();
  assert.ok(usedAt(first) >= before + 60_000);
  assert.deepEqual(has(cache, [first, second]), [true, true]);
  rmSync(join(cache.root, 'content/blobs/sha256', second.slice(7)));
  const folder = join(cache.root, 'mirror/blobs');
  writeFileSync(join(folder, `${'0'.repeat(40)}.json`), '{"digest":');
  writeFileSync(join(cache.root, 'mirror/parts/stray'), 'x');
  await cache.reopen();
  assert.match(cache.log.join('\n'), /error a record of the pull-through cache cannot be read and was set aside/);
  assert.ok(!cache.mirror.usage().blobs.some(({ digest }) => digest === second));
  assert.deepEqual(readdirSync(join(cache.root, 'mirror/parts')), []);
  const gets = double.requests(/^GET .*\/blobs\//).length;
  assert.equal((await cache.get(at(`blobs/${second}`))).status, 200);
  assert.equal(double.requests(/^GET .*\/blobs\//).length, gets + 1, 'fetched again');
});

test('when the disk is full, what is of least use is let go, and the next try succeeds', {
  skip: needsRoot,
}, async () => {
  const disk = mkdtempSync(join(tmpdir(), 'wherry-full-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=32m', 'tmpfs', disk]);
  try {
    await using all = await start({}, disk);
    const { cache, double, at } = all;
    const old = await all.pulled('1', 20 << 20);
    cache.pass(1000);
    const config = double.store.addBlob('team/app', Buffer.from('{}'));
    const layer = double.store.addBlob('team/app', randomBytes(24 << 20));
    double.store.addManifest('team/app', '2', { schemaVersion: 2, config, layers: [layer] });
    await cache.get(at('manifests/2'));
    const first = await cache.get(at(`blobs/${layer.digest}`));
    assert.ok(first.cut || first.status === 503);
    await until(() => !cache.content.has(old) && cache.mirror.usage().parts.length === 0);
    const second = await cache.get(at(`blobs/${layer.digest}`));
    assert.deepEqual([second.status, second.cut, second.body.length], [200, false, 24 << 20]);
  } finally {
    execFileSync('umount', [disk]);
    rmSync(disk, { recursive: true, force: true });
  }
});

test('whoever needs the disk more can have of it', async () => {
  await using all = await start();
  const { cache } = all;
  const [first, second] = [await all.pulled('1', 100_000), await all.pulled('2', 100_000)];
  assert.ok((await cache.mirror.release(50_000)) >= 50_000);
  assert.deepEqual(has(cache, [first, second]), [false, true]);
});

test('a blob whose file is gone is fetched again', async () => {
  await using all = await start();
  const { cache, at, double } = all;
  const layer = await all.pulled('1', 1000);
  rmSync(join(cache.root, 'content/blobs/sha256', layer.slice(7)));
  const again = await cache.get(at(`blobs/${layer}`));
  assert.deepEqual([again.status, again.cut], [200, false]);
  assert.equal(double.requests(new RegExp(`^GET .*${layer}`)).length, 2);
});

test('without a cache, what one kept is given back', async () => {
  await using all = await start();
  const { cache } = all;
  const layer = await all.pulled('1', 1000);
  await cache.mirror[Symbol.asyncDispose]();
  await forgetMirror(join(cache.root, 'mirror'));
  await cache.reopen();
  assert.ok(!cache.content.has(layer));
  assert.deepEqual(cache.content.list(), []);
});
