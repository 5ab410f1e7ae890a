/** Layers are unpacked while they come: a registry that holds the end of one back sees its beginning on disk. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { fakeRegistry } from '../../test/support/registry.ts';
import { sha256 } from '../oci/index.ts';
import { all, openFixture, signal, skipUnlessRoot, tarOf } from './fixture.ts';

const manifestType = 'application/vnd.oci.image.manifest.v1+json';

/** One layer of two files; the second half of its blob waits until `release`, then it is sent as `ending` says. */
async function held(ending: (rest: Buffer) => Buffer) {
  const layer = gzipSync(await tarOf({ first: randomBytes(2_000_000), second: randomBytes(2_000_000) }));
  const tar = await import('node:zlib').then(({ gunzipSync }) => gunzipSync(layer));
  const config = Buffer.from(
    JSON.stringify({ architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: [sha256(tar)] } }),
  );
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: manifestType,
      config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest: sha256(config), size: config.length },
      layers: [{ mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', digest: sha256(layer), size: layer.length }],
    }),
  );
  const gate = Promise.withResolvers<void>();
  let requests = 0;
  const registry = await fakeRegistry(async ({ url }, response) => {
    if (url?.includes('/manifests/') === true) {
      response.writeHead(200, { 'content-type': manifestType }).end(manifest);
      return true;
    }
    if (url?.endsWith(sha256(config)) === true) response.end(config);
    else if (url?.endsWith(sha256(layer)) === true) {
      const half = layer.length / 2;
      response.writeHead(200, { 'content-length': layer.length }).write(layer.subarray(0, half));
      if (requests++ === 0) await gate.promise;
      response.end(requests === 1 ? ending(layer.subarray(half)) : layer.subarray(half));
    } else return false;
    return true;
  });
  return { registry, release: gate.resolve, requests: () => requests, layer };
}

test('a layer is unpacked while it comes', { skip: skipUnlessRoot }, async () => {
  await using fixture = await openFixture();
  const { registry, release, requests } = await held((rest) => rest);
  await using _ = registry;
  const request = { image: `${registry.host}/app`, tag: '1', platform: 'linux/amd64', auth: undefined };
  const pulled = all(fixture.images.pull(request, signal));
  pulled.catch(() => {});
  const until = Date.now() + 10_000;
  while (!fixture.unpacking().includes('first')) {
    assert.ok(Date.now() < until, 'the first file is not on disk before the layer is whole');
    await sleep(10);
  }
  assert.equal(fixture.snapshots.layers().length, 0, 'no layer stands before its blob is verified');
  release();
  const statuses = (await pulled).flatMap(({ id, status }) => (id === undefined ? [] : [status!]));
  assert.equal(requests(), 1);
  assert.equal(fixture.snapshots.layers().length, 1);
  // One line tells one story: first the download's bar, then the unpacking.
  assert.ok(statuses.lastIndexOf('Downloading') < statuses.indexOf('Download complete'));
  assert.ok(!statuses.slice(0, statuses.indexOf('Download complete')).includes('Extracting'));
});

test('what was unpacked of a blob that turns out wrong is thrown away', { skip: skipUnlessRoot }, async () => {
  await using fixture = await openFixture();
  const { registry, release } = await held((rest) => Buffer.from(rest).fill(0, rest.length - 8));
  await using _ = registry;
  const request = { image: `${registry.host}/app`, tag: '1', platform: 'linux/amd64', auth: undefined };
  const pulled = all(fixture.images.pull(request, signal));
  release();
  await assert.rejects(pulled, { kind: 'invalid', message: /verification failed for digest/ });
  assert.deepEqual([fixture.snapshots.layers(), fixture.unpacking(), fixture.images.count()], [[], [], 0]);
  await all(fixture.images.pull(request, signal));
  assert.equal(fixture.snapshots.layers().length, 1);
});
