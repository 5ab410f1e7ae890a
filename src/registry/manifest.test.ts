/** Manifests and tag lists as registries send them, honest, clumsy and hostile. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { manifestLimit, parseManifest, parseReference } from '../oci/index.ts';
import { RegistryDouble } from '../../test/support/registry-double.ts';
import { digestOf, types } from '../../test/support/registry-store.ts';
import { open, type Opened, signal } from './fixture.ts';

async function start(pageSize?: number): Promise<{ double: RegistryDouble; client: Opened } & AsyncDisposable> {
  const double = await RegistryDouble.open(pageSize === undefined ? {} : { pageSize });
  const client = open();
  return {
    double,
    client,
    [Symbol.asyncDispose]: async () => {
      await client[Symbol.asyncDispose]();
      await double[Symbol.asyncDispose]();
    },
  };
}

test('by tag and by digest, of either algorithm; what is not what it should be is refused', async () => {
  await using both = await start();
  const { double, client } = both;
  const get = (suffix: string) =>
    client.registry.resolve(parseReference(`${double.host}/a${suffix}`), undefined, signal);
  const stored = double.store.addManifest('a', '1', { schemaVersion: 2 });
  assert.equal((await get(':1')).descriptor.digest, stored.digest);
  assert.equal((await get(`@${stored.digest}`)).descriptor.digest, stored.digest);
  const long = double.store.addManifest('a', '2', { schemaVersion: 2, long: true }, 'sha512');
  assert.equal((await get(`@${long.digest}`)).descriptor.digest, long.digest);
  const { descriptor, bytes } = await get(':2');
  assert.equal(descriptor.digest, digestOf(bytes), 'a tag is known by sha256 here');
  double.rule({ match: /manifests/, body: (body) => Buffer.concat([body, Buffer.from(' ')]) });
  for (const suffix of [':1', ':2', `@${stored.digest}`, `@${long.digest}`]) {
    await assert.rejects(get(suffix), {
      kind: 'invalid',
      message: /^manifest verification failed for digest sha(256|512):/,
    });
  }
});

test('a bad moment is waited out, a refusal is not', async () => {
  await using both = await start();
  both.double.store.addManifest('a', '1', { schemaVersion: 2 });
  both.double.rule({ match: /manifests/, times: 1, answer: { status: 502 } });
  both.double.rule({ match: /manifests/, times: 1, answer: { status: 429, headers: { 'retry-after': '2' } } });
  const get = () => both.client.registry.resolve(parseReference(`${both.double.host}/a:1`), undefined, signal);
  await get();
  assert.ok(both.client.clock.total >= 2000);
  both.double.rule({
    match: /manifests/,
    answer: { status: 429, headers: { 'ratelimit-limit': '100;w=21600', 'ratelimit-remaining': '0;w=21600' } },
  });
  const before = both.double.seen.length;
  await assert.rejects(get(), {
    kind: 'unavailable',
    message:
      /^toomanyrequests: too many requests; 100 requests are allowed in 6 hours: retry at the latest at .*\d\d:\d\d$/,
  });
  assert.equal(both.double.seen.length, before + 1);
});

test('an index as large as can be is read and parsed; beyond, it is refused', async () => {
  await using both = await start();
  const entry = (n: number) => ({
    mediaType: types.manifest,
    digest: `sha256:${n.toString(16).padStart(64, '0')}`,
    size: 1,
    platform: { os: 'linux', architecture: n === 0 ? 'amd64' : `arch${n}` },
  });
  const index = (count: number) => ({
    schemaVersion: 2,
    mediaType: types.index,
    manifests: Array.from({ length: count }, (_, n) => entry(n)),
  });
  both.double.store.addManifest('a', 'fits', index(15_000));
  both.double.store.addManifest('a', 'huge', index(100_000));
  const get = (tag: string) =>
    both.client.registry.resolve(parseReference(`${both.double.host}/a:${tag}`), undefined, signal);
  const { bytes, descriptor } = await get('fits');
  assert.ok(bytes.length <= manifestLimit);
  const parsed = parseManifest(bytes, descriptor.mediaType);
  assert.equal(parsed.kind === 'index' && parsed.index.manifests.length, 15_000);
  const before = process.memoryUsage().arrayBuffers;
  await assert.rejects(get('huge'), { kind: 'invalid', message: /^Cannot pull: the manifest has more than/ });
  assert.ok(process.memoryUsage().arrayBuffers - before < 3 * manifestLimit + (32 << 20));
  both.double.rule({ match: /manifests\/deep/, answer: { body: Buffer.alloc(4_000_000, '[') } });
  const deep = await get('deep');
  assert.throws(() => parseManifest(deep.bytes, ''), { kind: 'invalid', message: /not JSON/ });
});

test('100,000 tags over pages', async () => {
  await using both = await start(20_000);
  const { digest } = both.double.store.addManifest('a', undefined, {});
  const tags = Array.from({ length: 100_000 }, (_, n) => `v${String(n).padStart(6, '0')}`);
  for (const tag of tags) both.double.store.repository('a').tags.set(tag, digest);
  const listed = await both.client.registry.tags(parseReference(`${both.double.host}/a`), undefined, signal);
  assert.equal(listed.length, 100_000);
  assert.deepEqual([listed[0], listed.at(-1)], [tags[0], tags.at(-1)]);
  assert.equal(both.double.requests(/tags/).length, 5);
});

test('pages that lead elsewhere, back, or to nonsense', async () => {
  const list = (tags: unknown): { body: Buffer } => ({ body: Buffer.from(JSON.stringify({ tags })) });
  const cases: [link: string | undefined, tags: unknown, listed: string[]][] = [
    ['<http://127.0.0.2:1/v2/a/tags/list?last=a>; rel="next"', ['a'], ['a']],
    ['</v2/a/tags/list>; rel="next"', ['a'], ['a']],
    ['<http://[>; rel=next', ['a', 'b'], ['a', 'b']],
    ['</x>; rel="prev"', ['a'], ['a']],
    [undefined, null, []],
    [undefined, ['ok', 7, 'no/tag', 'x'.repeat(200), '..'], ['ok']],
  ];
  for (const [link, tags, listed] of cases) {
    await using both = await start();
    both.double.rule({ match: /tags/, answer: list(tags), headers: { link } });
    const reference = parseReference(`${both.double.host}/a`);
    assert.deepEqual(await both.client.registry.tags(reference, undefined, signal), listed, link);
  }
  await using both = await start();
  both.double.rule({ match: /tags/, answer: list('many') });
  await assert.rejects(both.client.registry.tags(parseReference(`${both.double.host}/a`), undefined, signal), {
    kind: 'invalid',
    message: 'Cannot read tag list: "tags" is not a list',
  });
});
