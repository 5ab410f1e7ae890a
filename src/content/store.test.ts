import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readlinkSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { type Digest, sha256 } from '../oci/index.ts';
import { collectBytes } from '../std/index.ts';
import type { Content } from './door.ts';
import type { Hold } from './ingest.ts';
import { openContent } from './store.ts';

async function store(t: TestContext): Promise<{ root: string; content: Content }> {
  const root = mkdtempSync(join(tmpdir(), 'wherry-content-'));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  return { root, content: await openContent({ root }) };
}

async function* chunks(...texts: string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield Buffer.from(text);
}

test('a blob is stored once, read whole or from the middle, listed and deleted', async (t) => {
  const { content } = await store(t);
  const { digest, size } = await content.ingest(chunks('hel', 'lo'), { digest: sha256('hello'), size: 5 });
  assert.equal(digest, sha256('hello'));
  assert.equal(size, 5);
  await content.ingest(chunks('hello'));
  assert.deepEqual(content.list(), [{ digest, size: 5 }]);
  assert.equal((await content.read(digest)).toString(), 'hello');
  assert.equal((await collectBytes(content.open(digest, { start: 3 }), 10)).toString(), 'lo');
  assert.equal(content.size(digest), 5);
  await content.delete(digest);
  assert.ok(!content.has(digest));
  assert.throws(() => content.open(digest), { kind: 'not-found' });
  await assert.rejects(content.read(digest), { kind: 'not-found' });
});

test('bytes that are not the blob leave nothing behind', async (t) => {
  const { root, content } = await store(t);
  await assert.rejects(content.ingest(chunks('other'), { digest: sha256('hello') }), { kind: 'invalid' });
  await assert.rejects(content.ingest(chunks('hell'), { size: 5 }), /expected 5 bytes, got 4/);
  await assert.rejects(content.ingest(chunks('hello', '!'), { size: 5 }), /more than the 5 bytes/);
  async function* failing(): AsyncGenerator<Uint8Array> {
    yield Buffer.from('a');
    throw new Error('source broke');
  }
  await assert.rejects(content.ingest(failing()), /source broke/);
  await assert.rejects(content.ingest(chunks('a'), {}, AbortSignal.abort(new Error('enough'))), /enough/);
  assert.deepEqual(content.list(), []);
  assert.deepEqual(readdirSync(join(root, 'ingest')), []);
});

test('an interrupted ingest is taken up where it broke, also by another daemon', async (t) => {
  const { root, content } = await store(t);
  const wanted = { digest: sha256('hello world'), size: 11 };
  {
    await using ingest = await content.openIngest(wanted);
    assert.equal(ingest.offset, 0);
    await ingest.write(Buffer.from('hello '));
    await assert.rejects(content.openIngest(wanted), { kind: 'conflict' });
  }
  const reopened = await openContent({ root });
  await using ingest = await reopened.openIngest(wanted);
  assert.equal(ingest.offset, 6);
  await ingest.write(Buffer.from('world'));
  assert.deepEqual(await ingest.commit(), wanted);
  assert.equal((await reopened.read(wanted.digest)).toString(), 'hello world');
});

test('a part with wrong bytes is dropped at its end, so that the next try begins anew', async (t) => {
  const { content } = await store(t);
  const wanted = { digest: sha256('hello'), size: 5 };
  await using first = await content.openIngest(wanted);
  await first.write(Buffer.from('jello'));
  await assert.rejects(first.commit(), { kind: 'invalid' });
  await using second = await content.openIngest(wanted);
  assert.equal(second.offset, 0);
});

test('collect deletes what no owner names and nobody holds', async (t) => {
  const { content } = await store(t);
  const [live, held, loose] = (await Promise.all(
    ['live', 'held', 'loose'].map((text) => content.put(Buffer.from(text))),
  )) as [Digest, Digest, Digest];
  const hold = content.hold();
  hold.add(held);
  content.addOwner(() => [live]);
  assert.equal(await content.collect(), 5);
  assert.deepEqual([content.has(live), content.has(held), content.has(loose)], [true, true, false]);
  hold[Symbol.dispose]();
  await content.collect();
  assert.deepEqual([content.has(live), content.has(held)], [true, false]);
});

test('a blob put under a hold survives a collection that runs meanwhile', async (t) => {
  const { content } = await store(t);
  using hold = content.hold();
  const digest = await content.put(Buffer.from('x'), hold);
  await content.collect();
  assert.ok(content.has(digest));
});

test('opening clears what a crash left, but keeps young parts', async (t) => {
  const { root } = await store(t);
  const ingest = join(root, 'ingest');
  mkdirSync(ingest, { recursive: true });
  const part = (text: string): string => `${sha256(text).replace(':', '-')}.part`;
  for (const name of ['1-0.tmp', 'junk.part', part('young'), part('old')]) writeFileSync(join(ingest, name), 'x');
  utimesSync(join(ingest, part('old')), 1, 1);
  await openContent({ root });
  assert.deepEqual(readdirSync(ingest), [part('young')]);
});

/** Downloads `text` as a pull does. */
async function download(content: Content, text: string, hold?: Hold): Promise<Digest> {
  const digest = sha256(text);
  await using ingest = await content.openIngest({ digest, size: text.length, hold });
  await ingest.write(Buffer.from(text));
  await ingest.commit();
  return digest;
}

const day = 24 * 3600 * 1000;

test('the end of a hold deletes what only it kept, but not what a download brought', async (t) => {
  const root = mkdtempSync(join(tmpdir(), 'wherry-content-'));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  let now = Date.now();
  const content = await openContent({ root, now: () => now });
  const live = new Set<string>();
  content.addOwner(() => live);
  await content.collect();
  const hold = content.hold();
  const named = await content.put(Buffer.from('named'), hold);
  const loose = await content.put(Buffer.from('loose'), hold);
  const fetched = await download(content, 'fetched', hold);
  live.add(named);
  hold[Symbol.dispose]();
  assert.deepEqual([content.has(named), content.has(loose), content.has(fetched)], [true, false, true]);
  assert.deepEqual(
    content.unfinished().map(({ digest, size, whole }) => ({ digest, size, whole })),
    [{ digest: fetched, size: 7, whole: true }],
  );
  const reopened = await openContent({ root, now: () => now });
  reopened.addOwner(() => live);
  await reopened.collect();
  assert.ok(reopened.has(fetched), 'a restart keeps it');
  now += day + 1000;
  assert.equal(await reopened.collect(), 7);
  assert.deepEqual(reopened.list(), [{ digest: named, size: 5 }]);
  assert.deepEqual(readdirSync(join(root, 'ingest')), []);
});

test('a download that got an owner is deleted as any blob once the owner lets go', async (t) => {
  const { root, content } = await store(t);
  const live = new Set<string>();
  content.addOwner(() => live);
  const fetched = await download(content, 'fetched');
  live.add(fetched);
  await content.collect();
  live.clear();
  assert.equal(await content.collect([fetched]), 7);
  assert.deepEqual(readdirSync(join(root, 'ingest')), []);
});

test('a full disk gets back what the downloads of now have brought', async (t) => {
  const { root, content } = await store(t);
  await content.collect();
  const hold = content.hold();
  const fetched = await download(content, 'fetched', hold);
  content.outOfSpace();
  hold[Symbol.dispose]();
  assert.ok(!content.has(fetched));
  assert.deepEqual(content.unfinished(), []);
  assert.ok(!readdirSync(join(root, 'ingest')).some((name) => name.endsWith('.whole')));
});

test('unfinished downloads can be thrown away, but not those that go on', async (t) => {
  const { content } = await store(t);
  await content.collect();
  await download(content, 'whole');
  {
    await using ended = await content.openIngest({ digest: sha256('ended'), size: 5 });
    await ended.write(Buffer.from('end'));
  }
  await using going = await content.openIngest({ digest: sha256('going'), size: 5 });
  await going.write(Buffer.from('go'));
  assert.equal(content.unfinished().length, 2);
  assert.ok((await content.discardUnfinished()) > 0);
  assert.deepEqual(content.unfinished(), []);
  await going.write(Buffer.from('ing'));
  await going.commit();
  assert.ok(content.has(sha256('going')));
});

test('a blob that comes again while its deletion goes on stays', async (t) => {
  const { root, content } = await store(t);
  const digest = await content.put(Buffer.from('again'));
  const collected = content.collect();
  using hold = content.hold();
  await content.put(Buffer.from('again'), hold);
  await collected;
  assert.equal((await content.read(digest)).toString(), 'again');
  assert.deepEqual(readdirSync(join(root, 'ingest')), []);
});

test('a blob whose file was deleted behind our back is not there', async (t) => {
  const { root, content } = await store(t);
  const [read, streamed] = [await content.put(Buffer.from('read')), await content.put(Buffer.from('streamed'))];
  rmSync(join(root, 'blobs'), { recursive: true });
  await assert.rejects(content.read(read), { kind: 'not-found' });
  await assert.rejects(collectBytes(content.open(streamed), 10), { kind: 'not-found' });
  assert.ok(!content.has(read) && !content.has(streamed));
});

test('check names what is damaged, unneeded and foreign', async (t) => {
  const { root, content } = await store(t);
  const [good, bad, loose] = (await Promise.all(
    ['good', 'bad', 'loose'].map((text) => content.put(Buffer.from(text))),
  )) as [Digest, Digest, Digest];
  content.addOwner(() => [good, bad]);
  const path = (digest: Digest): string => join(root, 'blobs/sha256', digest.slice(7));
  writeFileSync(path(bad), 'BAD');
  writeFileSync(join(root, 'blobs/sha256/readme'), 'hi');
  writeFileSync(join(root, 'blobs/stray'), 'hi');
  writeFileSync(join(root, 'ingest/stray'), 'hi');
  const found = async (quick: boolean): Promise<string[]> => {
    const problems: string[] = [];
    for await (const { kind, path: where } of content.check({ quick }, new AbortController().signal))
      problems.push(`${kind} ${where.slice(root.length + 1)}`);
    return problems.sort();
  };
  const strays = ['foreign blobs/sha256/readme', 'foreign blobs/stray', 'foreign ingest/stray'];
  const unneeded = `unneeded ${path(loose).slice(root.length + 1)}`;
  assert.deepEqual(await found(true), [...strays, unneeded]);
  assert.deepEqual(await found(false), [`damaged ${path(bad).slice(root.length + 1)}`, ...strays, unneeded]);
});

test('a file that its writer verified becomes the blob, and stays while it is held', async (t) => {
  const { root, content } = await store(t);
  await content.collect();
  const digest = sha256('adopted');
  writeFileSync(join(root, 'made elsewhere'), 'adopted');
  {
    using hold = content.hold();
    await content.adopt(join(root, 'made elsewhere'), { digest, size: 7 }, hold);
    assert.equal(await content.collect(), 0);
    assert.equal((await content.read(digest)).toString(), 'adopted');
    assert.equal(content.size(digest), 7);
  }
  assert.ok(!content.has(digest), 'no owner names it');
  assert.deepEqual(readdirSync(root).sort(), ['blobs', 'ingest']);
});

test('who has left before the first byte leaves no descriptor open', async (t) => {
  const { root, content } = await store(t);
  const { digest } = await content.ingest(chunks('hello'));
  await assert.rejects(
    collectBytes(content.open(digest, { signal: AbortSignal.abort(new Error('gone')) }), 10),
    /gone/,
  );
  await new Promise((done) => setTimeout(done, 20));
  const open = readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith(root);
    } catch {
      return false;
    }
  });
  assert.deepEqual(open, []);
});
