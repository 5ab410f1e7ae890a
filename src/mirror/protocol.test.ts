/** What clients of registries see: the distribution protocol, read-only, filled from upstream. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RegistryDouble } from '../../test/support/registry-double.ts';
import { digestOf, types } from '../../test/support/registry-store.ts';
import { openFixture } from './fixture.ts';

const layer = Buffer.alloc(300_000, 'layer');

async function start() {
  const double = await RegistryDouble.open();
  const cache = await openFixture({ upstreams: [double.host] });
  const image = double.store.addImage('team/app', '1', [layer]);
  return {
    double,
    cache,
    image,
    at: (rest: string) => `/v2/team/app/${rest}${rest.includes('?') ? '&' : '?'}ns=${double.host}`,
    [Symbol.asyncDispose]: async () => {
      await cache[Symbol.asyncDispose]();
      await double[Symbol.asyncDispose]();
    },
  };
}

const errorOf = (body: Buffer): { code: string; message: string } => {
  const { errors } = JSON.parse(body.toString()) as { errors: { code: string; message: string }[] };
  return errors[0]!;
};

test('an image by tag: manifest, config and layer, each fetched once', async () => {
  await using all = await start();
  const { double, cache, image, at } = all;
  for (let round = 0; round < 2; round++) {
    const head = await cache.get(at('manifests/1'), {}, 'HEAD');
    assert.equal(head.status, 200);
    assert.equal(head.headers['docker-content-digest'], image.manifest.digest);
    assert.equal(head.headers['content-type'], types.manifest);
    assert.equal(head.headers['content-length'], String(image.manifest.size));
    assert.equal(head.headers['docker-distribution-api-version'], 'registry/2.0');
    assert.equal(head.body.length, 0);
    const manifest = await cache.get(at('manifests/1'));
    assert.equal(digestOf(manifest.body), image.manifest.digest);
    assert.equal(manifest.headers['content-type'], types.manifest);
    const same = await cache.get(at(`manifests/${image.manifest.digest}`));
    assert.deepEqual(same.body, manifest.body);
    for (const { digest, size } of [image.config, ...image.layers]) {
      const blob = await cache.get(at(`blobs/${digest}`));
      assert.equal(blob.status, 200);
      assert.equal(digestOf(blob.body), digest);
      assert.equal(blob.headers['content-length'], String(size));
      assert.equal(blob.headers['docker-content-digest'], digest);
      assert.equal(blob.headers['content-type'], 'application/octet-stream');
      const about = await cache.get(at(`blobs/${digest}`), {}, 'HEAD');
      assert.deepEqual([about.status, about.headers['content-length'], about.body.length], [200, String(size), 0]);
    }
  }
  assert.equal(double.requests(/^GET .*\/manifests\//).length, 1);
  assert.equal(double.requests(/^GET .*\/blobs\//).length, 2);
  assert.equal(double.requests(/^HEAD .*\/blobs\//).length, 0, 'the manifest tells the sizes');
});

test('the beginning of the path names a registry, too', async () => {
  await using all = await start();
  const { cache, double, image } = all;
  const found = await cache.get(`/v2/${double.host}/team/app/manifests/1`);
  assert.equal(digestOf(found.body), image.manifest.digest);
  const blob = await cache.get(`/v2/${double.host}/team/app/blobs/${image.config.digest}`);
  assert.equal(digestOf(blob.body), image.config.digest);
});

test('paths without a registry mean the default one, here behind a mirror of it', async () => {
  await using double = await RegistryDouble.open();
  await using cache = await openFixture({ upstreams: [] }, { mirrors: [double.url] });
  const image = double.store.addImage('library/busybox', 'latest', [layer]);
  for (const name of ['library/busybox', 'busybox', 'docker.io/library/busybox']) {
    const found = await cache.get(`/v2/${name}/manifests/latest`);
    assert.equal(digestOf(found.body), image.manifest.digest, name);
  }
  assert.match(double.seen[0]!.headers['via'] ?? '', /^1\.1 wherry-[0-9a-f]{16}$/, 'it says who it is to mirrors');
});

test('what a client has is not sent again', async () => {
  await using all = await start();
  const { cache, image, at } = all;
  const etag = `"${image.manifest.digest}"`;
  const first = await cache.get(at('manifests/1'));
  assert.equal(first.headers.etag, etag);
  const again = await cache.get(at('manifests/1'), { 'if-none-match': etag });
  assert.deepEqual([again.status, again.body.length, again.headers.etag], [304, 0, etag]);
  assert.equal((await cache.get(at('manifests/1'), { 'if-none-match': '"other"' })).status, 200);
  const blob = image.layers[0]!.digest;
  const known = await cache.get(at(`blobs/${blob}`), { 'if-none-match': `"${blob}"` });
  assert.equal(known.status, 304);
  assert.deepEqual(all.double.requests(/^GET .*\/blobs\//), [], 'nor fetched for that');
});

test('ranges of a blob', async () => {
  await using all = await start();
  const { cache, image, at, double } = all;
  await cache.get(at('manifests/1'));
  const { digest, size } = image.layers[0]!;
  const bytes = double.store.blob(digest)!;
  for (const round of ['on its way', 'from the store']) {
    const part = await cache.get(at(`blobs/${digest}`), { range: 'bytes=1000-1999' });
    assert.equal(part.status, 206, round);
    assert.equal(part.headers['content-range'], `bytes 1000-1999/${size}`);
    assert.equal(part.headers['content-length'], '1000');
    assert.deepEqual(part.body, bytes.subarray(1000, 2000));
    const rest = await cache.get(at(`blobs/${digest}`), { range: `bytes=${size - 5}-`, 'if-range': `"${digest}"` });
    assert.deepEqual([rest.status, rest.body], [206, bytes.subarray(size - 5)]);
    const other = await cache.get(at(`blobs/${digest}`), { range: 'bytes=5-', 'if-range': '"other"' });
    assert.deepEqual([other.status, other.body.length], [200, size]);
    const none = await cache.get(at(`blobs/${digest}`), { range: `bytes=${size}-` });
    assert.deepEqual([none.status, none.headers['content-range']], [416, `bytes */${size}`]);
  }
});

test('an empty blob is a blob', async () => {
  await using all = await start();
  const { double, cache, at } = all;
  const empty = double.store.addBlob('team/app', Buffer.alloc(0));
  const found = await cache.get(at(`blobs/${empty.digest}`));
  assert.deepEqual([found.status, found.body.length, found.cut], [200, 0, false]);
});

test('indexes and sha512 go through as they are', async () => {
  await using all = await start();
  const { double, cache, image, at } = all;
  const manifests = [{ ...image.manifest, platform: { os: 'linux', architecture: 'amd64' } }];
  const index = double.store.addManifest('team/app', 'all', { schemaVersion: 2, mediaType: types.index, manifests });
  const found = await cache.get(at('manifests/all'));
  assert.equal(found.headers['content-type'], types.index);
  assert.equal(digestOf(found.body), index.digest);
  const long = double.store.addImage('team/app', 'long', [layer], { algorithm: 'sha512' });
  const manifest = await cache.get(at(`manifests/${long.manifest.digest}`));
  assert.equal(manifest.headers['docker-content-digest'], long.manifest.digest);
  const blob = await cache.get(at(`blobs/${long.layers[0]!.digest}`));
  assert.equal(digestOf(blob.body, 'sha512'), long.layers[0]!.digest);
});

test('tags, page by page, with the way to the next', async () => {
  await using double = await RegistryDouble.open({ pageSize: 2 });
  await using cache = await openFixture({ upstreams: [double.host] });
  for (const tag of ['a', 'b', 'c']) double.store.addManifest('team/app', tag, { schemaVersion: 2 });
  const first = await cache.get(`/v2/team/app/tags/list?ns=${double.host}&n=2`);
  assert.deepEqual(JSON.parse(first.body.toString()), { name: 'team/app', tags: ['a', 'b'] });
  const next = /^<([^>]+)>; rel="next"$/.exec(first.headers.link as string)![1]!;
  assert.match(next, /^\/v2\/team\/app\/tags\/list\?/);
  const second = await cache.get(next);
  assert.deepEqual(JSON.parse(second.body.toString()), { name: 'team/app', tags: ['c'] });
  assert.equal(second.headers.link, undefined);
});

test('refusals in the words of the protocol', async () => {
  await using all = await start();
  const { cache, double, at } = all;
  const absent = `sha256:${'0'.repeat(64)}`;
  const cases: [path: string, status: number, code: string][] = [
    [at('manifests/2'), 404, 'MANIFEST_UNKNOWN'],
    [at(`manifests/${absent}`), 404, 'MANIFEST_UNKNOWN'],
    [at(`blobs/${absent}`), 404, 'BLOB_UNKNOWN'],
    [`/v2/other/tags/list?ns=${double.host}`, 404, 'NAME_UNKNOWN'],
    ['/v2/team/app/manifests/1?ns=quay.io', 403, 'DENIED'],
    ['/v2/library/busybox/manifests/1', 403, 'DENIED'],
    ['/v2/_catalog', 404, 'UNSUPPORTED'],
    [at('blobs/latest'), 400, 'DIGEST_INVALID'],
  ];
  for (const [path, status, code] of cases) {
    const answer = await cache.get(path);
    assert.deepEqual([answer.status, errorOf(answer.body).code], [status, code], path);
    assert.match(answer.headers['content-type'] ?? '', /^application\/json/);
  }
  for (const method of ['PUT', 'POST', 'PATCH', 'DELETE', 'OPTIONS']) {
    const answer = await cache.get(at('manifests/1'), {}, method);
    assert.deepEqual([answer.status, answer.headers.allow], [405, 'GET, HEAD'], method);
  }
  const ping = await cache.get('/v2/');
  assert.deepEqual([ping.status, ping.body.toString()], [200, '{}\n']);
});
