/** What tags mean: made sure of by HEAD, believed for a while, and what they meant before where nobody can be asked. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'node:test';
import { RegistryDouble } from '../../test/support/registry-double.ts';
import { digestOf } from '../../test/support/registry-store.ts';
import { type Fixture, openFixture, type Reply } from './fixture.ts';

const layer = (text: string): Buffer => Buffer.alloc(2000, text);

async function start(hurryMs?: number) {
  const double = await RegistryDouble.open();
  const cache = await openFixture({ upstreams: [double.host] }, {}, hurryMs);
  double.store.addImage('team/app', '1', [layer('one')]);
  const at = (rest: string): string => `/v2/team/app/${rest}?ns=${double.host}`;
  return {
    double,
    cache,
    at,
    /** As Docker and containerd do: what does the tag mean, and then that. */
    pull: (tag: string): Promise<Reply[]> => pull(cache, at, tag),
    asked: (): string[] =>
      double.requests(/\/manifests\//).map(({ method, path }) => `${method} ${path.split('/').at(-1)}`),
    [Symbol.asyncDispose]: async () => {
      await cache[Symbol.asyncDispose]();
      await double[Symbol.asyncDispose]();
    },
  };
}

async function pull(cache: Fixture, at: (rest: string) => string, tag: string): Promise<Reply[]> {
  const head = await cache.get(at(`manifests/${tag}`), {}, 'HEAD');
  if (head.status !== 200) return [head];
  const manifest = await cache.get(at(`manifests/${head.headers['docker-content-digest'] as string}`));
  if (manifest.status !== 200) return [head, manifest];
  const { config, layers } = JSON.parse(manifest.body.toString()) as Record<'config', { digest: string }> &
    Record<'layers', { digest: string }[]>;
  const blobs = [];
  for (const { digest } of [config, ...layers]) blobs.push(await cache.get(at(`blobs/${digest}`)));
  return [head, manifest, ...blobs];
}

const statuses = (replies: Reply[]): number[] => replies.map(({ status }) => status);

test('believed for half a minute, then asked again by HEAD alone', async () => {
  await using all = await start();
  const { cache } = all;
  for (let round = 0; round < 3; round++) assert.deepEqual(statuses(await all.pull('1')), [200, 200, 200, 200]);
  const [head, get] = all.asked();
  assert.deepEqual(all.asked(), [head, get]);
  assert.equal(head, 'HEAD 1');
  assert.match(get!, /^GET sha256:/);
  cache.pass(31_000);
  await all.pull('1');
  assert.deepEqual(all.asked(), [head, get, 'HEAD 1']);
});

test('a tag that moved is followed, one that is gone is gone', async () => {
  await using all = await start();
  const { double, cache, at } = all;
  const [, first] = await all.pull('1');
  const moved = double.store.addImage('team/app', '1', [layer('two')]);
  const [, soon] = await all.pull('1');
  assert.deepEqual(soon!.body, first!.body, 'not yet');
  cache.pass(31_000);
  const [, late] = await all.pull('1');
  assert.equal(digestOf(late!.body), moved.manifest.digest);
  double.store.repository('team/app').tags.delete('1');
  cache.pass(31_000);
  assert.deepEqual(statuses(await all.pull('1')), [404]);
  double.rule({ match: /manifests/, hangUp: true });
  assert.notDeepEqual(statuses(await all.pull('1')), [200, 200, 200, 200], 'and not remembered');
  const kept = await cache.get(at(`manifests/${moved.manifest.digest}`));
  assert.equal(kept.status, 200, 'by digest it is here');
});

test('upstream gone: what was fetched is served, and said to be old; after a restart, too', async () => {
  await using all = await start();
  const { double, cache, at } = all;
  await all.pull('1');
  await double[Symbol.asyncDispose]();
  for (const round of ['the same daemon', 'another one']) {
    cache.pass(31_000);
    const replies = await all.pull('1');
    assert.deepEqual(statuses(replies), [200, 200, 200, 200], round);
    assert.match(
      replies[0]!.headers['warning'] as string,
      /^111 wherry ".*connection refused; this is what 1 meant before"$/,
    );
    assert.equal(replies[1]!.headers['warning'], undefined, 'a digest means what it means');
    const tags = await cache.get(at('tags/list'));
    assert.deepEqual(JSON.parse(tags.body.toString()), { name: 'team/app', tags: ['1'] });
    assert.match(tags.headers['warning'] as string, /these tags are in the cache/);
    await cache.reopen();
  }
  assert.match(
    cache.log.join('\n'),
    /warn upstream cannot say what a tag means: the cache serves what it meant before/,
  );
  const other = await cache.get(at('manifests/2'), {}, 'GET');
  assert.deepEqual([other.status, other.headers['retry-after']], [503, '30']);
  assert.match(
    other.body.toString(),
    /"code":"UNAVAILABLE","message":".*connection refused; this cache does not have it yet"/,
  );
});

test('who uses the GET of a tag alone finds it again, too', async () => {
  await using all = await start();
  const first = await all.cache.get(all.at('manifests/1'));
  await all.double[Symbol.asyncDispose]();
  await all.cache.reopen();
  const again = await all.cache.get(all.at('manifests/1'));
  assert.deepEqual([again.status, again.body], [200, first.body]);
});

test('a registry that does not answer is waited for a little, and left alone for a while', async () => {
  await using all = await start();
  const { double, cache } = all;
  await all.pull('1');
  cache.pass(31_000);
  double.rule({ match: /^HEAD/, hangUp: true });
  assert.deepEqual(statuses(await all.pull('1')), [200, 200, 200, 200]);
  const asked = all.asked().length;
  await all.pull('1');
  assert.equal(all.asked().length, asked, 'left alone');
  cache.pass(31_000);
  double.clear();
  const [head] = await all.pull('1');
  assert.equal(head!.headers['warning'], undefined);
});

test('a slow registry: the client is not kept waiting, and the answer is there for the next one', async () => {
  await using all = await start(50);
  const { double, cache } = all;
  await all.pull('1');
  const moved = double.store.addImage('team/app', '1', [layer('two')]);
  cache.pass(31_000);
  const lines = [/^HEAD .*manifests/, /^GET .*manifests/];
  const held = lines.map((match) => double.rule({ match, delayMs: 400 }));
  const [head] = await all.pull('1');
  assert.match(head!.headers['warning'] as string, /no answer within 0\.05 seconds; this is what 1 meant before/);
  for (let tries = 0; tries < 200; tries++) {
    const [now] = await all.pull('1');
    if (now!.headers['docker-content-digest'] === moved.manifest.digest) break;
    await sleep(20);
  }
  for (const rule of held) rule[Symbol.dispose]();
  const [, after] = await all.pull('1');
  assert.equal(digestOf(after!.body), moved.manifest.digest);
  assert.equal(all.asked().filter((line) => line === 'HEAD 1').length, 2, 'asked once before, and once since');
});

test('rate limits: what is here is served, what is not is refused until the time that was said', async () => {
  await using all = await start();
  const { double, cache } = all;
  await all.pull('1');
  cache.pass(31_000);
  double.store.addImage('team/app', '2', [layer('two')]);
  // As Docker Hub: a HEAD does not count.
  const limited = {
    status: 429,
    headers: { 'retry-after': '600', 'content-type': 'application/json' },
    body: Buffer.from(JSON.stringify({ errors: [{ code: 'TOOMANYREQUESTS', message: 'slow down' }] })),
  };
  double.rule({ match: /^GET .*manifests/, answer: limited });
  assert.deepEqual(statuses(await all.pull('1')), [200, 200, 200, 200]);
  const [head, refused] = await all.pull('2');
  assert.equal(head!.status, 200);
  assert.equal(refused!.status, 429);
  assert.equal(refused!.headers['retry-after'], '600');
  assert.match(
    refused!.body.toString(),
    /"code":"TOOMANYREQUESTS","message":"toomanyrequests: slow down; retry after 10 minutes .*does not have it yet"/,
  );
  const asked = all.asked().length;
  cache.pass(200_000);
  const [, still] = await all.pull('2');
  assert.deepEqual([still!.status, still!.headers['retry-after']], [429, '400']);
  assert.deepEqual(
    all
      .asked()
      .slice(asked)
      .filter((line) => line.startsWith('GET')),
    [],
    'and is not asked meanwhile',
  );
  double.clear();
  cache.pass(401_000);
  assert.deepEqual(statuses(await all.pull('2')), [200, 200, 200, 200]);
});

test('a tag that moved to what cannot be had still leads to what is here', async () => {
  await using all = await start();
  const { double, cache } = all;
  const [, before] = await all.pull('1');
  double.store.addImage('team/app', '1', [layer('two')]);
  cache.pass(31_000);
  const answer = { status: 429, headers: { 'retry-after': '600' } };
  double.rule({ match: /^GET .*manifests/, answer });
  for (let round = 0; round < 2; round++) {
    const [head, manifest] = await all.pull('1');
    assert.match(head!.headers['warning'] as string, /too many requests.* this is what 1 meant before/);
    assert.deepEqual(manifest!.body, before!.body);
  }
  double.clear();
  cache.pass(601_000);
  const [, after] = await all.pull('1');
  assert.notDeepEqual(after!.body, before!.body);
});

test('a registry that lies about a tag, or knows no HEAD', async () => {
  await using all = await start();
  const { double, cache, at } = all;
  double.rule({ match: /^HEAD/, answer: { status: 405 } });
  assert.deepEqual(statuses(await all.pull('1')), [200, 200, 200, 200]);
  assert.equal(all.asked().filter((line) => line.startsWith('GET')).length, 1, 'found by GET, and once');
  double.clear();
  double.store.addImage('team/app', '3', [layer('three')]);
  double.rule({ match: /^GET .*manifests/, body: (body) => Buffer.concat([body, Buffer.from(' ')]) });
  const lied = await cache.get(at('manifests/3'));
  assert.deepEqual([lied.status, /verification failed/.test(lied.body.toString())], [502, true]);
  double.clear();
  assert.deepEqual(statuses(await all.pull('3')), [200, 200, 200, 200]);
  double.store.addManifest('team/app', 'old', { schemaVersion: 1 });
  assert.equal((await cache.get(at('manifests/old'))).status, 502);
});

test('many who ask at once make one question', async () => {
  await using all = await start();
  all.double.rule({ match: /manifests/, delayMs: 30 });
  const replies = await Promise.all(Array.from({ length: 30 }, () => all.cache.get(all.at('manifests/1'))));
  assert.ok(replies.every(({ status }) => status === 200));
  assert.equal(all.asked().length, 2);
});

test('credentials that do not suffice', async () => {
  await using double = await RegistryDouble.open({
    access: { kind: 'token', users: { captain: 'ahoy' }, private: /^secret/ },
  });
  await using cache = await openFixture({ upstreams: [double.host] });
  double.store.addImage('open', '1', [layer('one')]);
  double.store.addImage('secret', '1', [layer('two')]);
  assert.equal((await cache.get(`/v2/open/manifests/1?ns=${double.host}`)).status, 200);
  const authorization = `Basic ${Buffer.from('captain:ahoy').toString('base64')}`;
  const refused = await cache.get(`/v2/secret/manifests/1?ns=${double.host}`, { authorization });
  assert.equal(refused.status, 403, "a client's are not passed on");
  assert.match(refused.body.toString(), /"DENIED","message":".*this cache asks without your credentials/);
});
