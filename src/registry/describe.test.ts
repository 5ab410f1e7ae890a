/** What a cache asks of registries: by HEAD, page by page, and without patience. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Digest, parseReference, sha256 } from '../oci/index.ts';
import { RegistryDouble } from '../../test/support/registry-double.ts';
import { digestOf, types } from '../../test/support/registry-store.ts';
import { open, signal } from './fixture.ts';

test('a tag is described without its manifest being fetched', async () => {
  await using double = await RegistryDouble.open();
  await using client = open();
  const stored = double.store.addManifest('a', '1', { schemaVersion: 2, mediaType: types.index, manifests: [] });
  const describe = (name: string) =>
    client.registry.describe(parseReference(`${double.host}/${name}`), undefined, signal);
  assert.deepEqual(await describe('a:1'), { mediaType: types.index, digest: stored.digest, size: stored.size });
  assert.deepEqual(await describe(`a@${stored.digest}`), await describe('a:1'));
  assert.deepEqual(double.requests(/^GET .*manifests/), []);
  await assert.rejects(describe('a:2'), { kind: 'not-found' });
  double.rule({ match: /manifests/, headers: { 'docker-content-digest': undefined }, times: 1 });
  assert.equal(await describe('a:1'), undefined, 'it did not say');
  double.rule({ match: /manifests/, answer: { status: 405 }, times: 1 });
  assert.equal(await describe('a:1'), undefined, 'it knows no HEAD');
});

test('the size of a blob, of those the repository has', async () => {
  await using double = await RegistryDouble.open();
  await using client = open();
  const blob = double.store.addBlob('a', Buffer.from('hello'));
  const size = (digest: Digest) =>
    client.registry.blobSize(parseReference(`${double.host}/a`), digest, undefined, signal);
  assert.equal(await size(digestOf(Buffer.from('hello')) as Digest), blob.size);
  await assert.rejects(size(sha256('other')), { kind: 'not-found' });
  double.rule({ match: /^HEAD .*blobs/, chunked: true });
  await assert.rejects(size(blob.digest as Digest), { kind: 'invalid', message: /hides its size/ });
});

test('tags come page by page, each with the query of the next', async () => {
  await using double = await RegistryDouble.open({ pageSize: 2 });
  await using client = open();
  for (const tag of ['a', 'b', 'c']) double.store.addManifest('r', tag, { schemaVersion: 2 });
  const page = (query: string) => client.registry.tagPage(parseReference(`${double.host}/r`), query, undefined, signal);
  const first = await page('');
  assert.deepEqual(first, { tags: ['a', 'b'], next: 'last=b&n=2' });
  assert.deepEqual(await page(first.next ?? ''), { tags: ['c'], next: undefined });
});

test('only mirrors get what is for mirrors', async () => {
  await using registry = await RegistryDouble.open();
  await using mirror = await RegistryDouble.open();
  registry.store.addManifest('a', '1', { schemaVersion: 2 });
  const mirrors = [`${registry.host}=${mirror.url}`];
  await using client = open({ mirrors, mirrorHeaders: { via: '1.1 us' } });
  await client.registry.describe(parseReference(`${registry.host}/a:1`), undefined, signal);
  assert.ok(mirror.seen.length > 0 && registry.seen.length > 0);
  assert.ok(mirror.seen.every(({ headers }) => headers['via'] === '1.1 us'));
  assert.ok(registry.seen.every(({ headers }) => headers['via'] === undefined));
});

test('who has no patience is told at once that nobody is there, and still waits out a cut', async () => {
  const gone = await RegistryDouble.open();
  const { host } = gone;
  const bytes = Buffer.alloc(100_000, 'x');
  const blob = { digest: gone.store.addBlob('a', bytes).digest as Digest, size: bytes.length };
  await using client = open();
  const read = async (): Promise<number> => {
    let size = 0;
    const options = { patient: false };
    for await (const chunk of client.registry.blob(parseReference(`${host}/a`), blob, options, signal))
      size += chunk.length;
    return size;
  };
  gone.rule({ match: /blobs/, cutAfter: 50_000, times: 1 });
  assert.equal(await read(), bytes.length);
  await gone[Symbol.asyncDispose]();
  client.clock.slept.length = 0;
  await assert.rejects(read(), /connection refused/);
  assert.deepEqual(client.clock.slept, []);
});
