import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { type Digest, sha256 } from '../oci/index.ts';
import { collectBytes } from '../std/index.ts';
import { type Content, openContent } from './store.ts';

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
  for (const name of ['1-0.tmp', 'sha256-young.part', 'sha256-old.part']) writeFileSync(join(ingest, name), 'x');
  utimesSync(join(ingest, 'sha256-old.part'), 1, 1);
  await openContent({ root });
  assert.deepEqual(readdirSync(ingest), ['sha256-young.part']);
});
