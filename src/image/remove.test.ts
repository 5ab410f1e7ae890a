/** `docker rmi` and prune: every refusal and every order of entries Docker's ImageDelete has. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sha256 } from '../oci/index.ts';
import { commitOn, type Fixture, importImage, openFixture, skipUnlessRoot } from './fixture.ts';

const skip = skipUnlessRoot;
const gentle = { force: false, noPrune: false };
const forced = { force: true, noPrune: false };

/** Bytes on disk of what images have: layers and blobs. */
async function taken({ snapshots, content }: Fixture): Promise<number> {
  let sum = 0;
  for (const chainId of snapshots.layers()) sum += await snapshots.layerUsage(chainId);
  for (const { usage } of await content.files()) sum += usage;
  return sum;
}

test('a tag goes, and with the last one image, layers and blobs', { skip }, async () => {
  await using fixture = await openFixture();
  const { images } = fixture;
  const id = await importImage(fixture, 'base');
  const { chainId } = await images.resolve('base');
  await images.tag('base', { repo: 'base', tag: '2' });
  assert.deepEqual(await images.remove('base:latest', gentle), [{ Untagged: 'base:latest' }]);
  assert.deepEqual(await images.remove('docker.io/library/base:2', gentle), [
    { Untagged: 'base:2' },
    { Deleted: id },
    { Deleted: chainId },
  ]);
  assert.deepEqual(fixture.content.list(), []);
  assert.deepEqual(fixture.snapshots.layers(), []);
  assert.deepEqual(
    fixture.events.slice(-3).map(({ action, id: subject }) => [action, subject]),
    [
      ['untag', id],
      ['untag', id],
      ['delete', id],
    ],
  );
  await assert.rejects(images.remove('base', gentle), { kind: 'not-found', message: 'No such image: base:latest' });
});

test('by id: one name goes along, several must be forced', { skip }, async () => {
  await using fixture = await openFixture();
  const { images } = fixture;
  const id = await importImage(fixture, 'base');
  const short = id.slice(7, 19);
  await images.tag('base', { repo: 'other', tag: '1' });
  await assert.rejects(images.remove(short, gentle), {
    kind: 'conflict',
    message: `conflict: unable to delete ${short} (must be forced) - image is referenced in multiple repositories`,
  });
  const entries = await images.remove(short, forced);
  assert.deepEqual(entries.slice(0, 3), [{ Untagged: 'base:latest' }, { Untagged: 'other:1' }, { Deleted: id }]);
  const again = await importImage(fixture, 'base');
  assert.deepEqual((await images.remove(again, gentle)).slice(0, 2), [{ Untagged: 'base:latest' }, { Deleted: again }]);
});

test('containers keep their image', { skip }, async () => {
  await using fixture = await openFixture();
  const { images } = fixture;
  const id = await importImage(fixture, 'base');
  const short = id.slice(7, 19);
  const containerId = 'ab'.repeat(32);
  const container = containerId.slice(0, 12);
  fixture.uses.set(id, [{ containerId, running: true }]);
  await assert.rejects(images.remove('base', gentle), {
    kind: 'conflict',
    message: `conflict: unable to remove repository reference "base" (must force) - container ${container} is using its referenced image ${short}`,
  });
  for (const options of [gentle, forced]) {
    await assert.rejects(images.remove(id, options), {
      kind: 'conflict',
      message: `conflict: unable to delete ${short} (cannot be forced) - image is being used by running container ${container}`,
    });
  }
  await images.tag('base', { repo: 'other', tag: '1' });
  assert.deepEqual(await images.remove('other:1', gentle), [{ Untagged: 'other:1' }]);
  assert.deepEqual(await images.remove('base', forced), [{ Untagged: 'base:latest' }]);
  assert.ok((await images.get(id)) !== undefined);
  fixture.uses.set(id, [{ containerId, running: false }]);
  await assert.rejects(images.remove(short, gentle), {
    kind: 'conflict',
    message: `conflict: unable to delete ${short} (must be forced) - image is being used by stopped container ${container}`,
  });
  await fixture.snapshots.prepare('c1', (await images.get(id))!.chainId);
  assert.deepEqual(await images.remove(short, forced), [{ Deleted: id }]);
  assert.equal(fixture.snapshots.layers().length, 1);
  await fixture.snapshots.remove('c1');
  await fixture.reopen();
  assert.deepEqual(fixture.snapshots.layers(), []);
});

test('an image with children stays; unnamed parents go with the last child, unless told not to', { skip }, async () => {
  await using fixture = await openFixture();
  const { images } = fixture;
  const base = await importImage(fixture, 'base');
  const middle = await commitOn(fixture, base, 'middle');
  const top = await commitOn(fixture, middle, 'top', { repo: 'top', tag: undefined });
  await assert.rejects(images.remove(base, forced), {
    message: `conflict: unable to delete ${base.slice(7, 19)} (cannot be forced) - image has dependent child images`,
  });
  assert.deepEqual(await images.remove('base', gentle), [{ Untagged: 'base:latest' }]);
  await images.tag(base, { repo: 'base', tag: undefined });
  const entries = await images.remove('top', gentle);
  assert.deepEqual(
    entries.filter(({ Deleted }) => [base, middle, top].includes(Deleted ?? '')).map(({ Deleted }) => Deleted),
    [top, middle],
  );
  assert.equal(images.count(), 1);
  const child = await commitOn(fixture, base, 'child', { repo: 'child', tag: undefined });
  await images.remove('base', gentle);
  assert.ok(!(await images.remove('child', { force: false, noPrune: true })).some(({ Deleted }) => Deleted === base));
  assert.equal(await images.get(child), undefined);
  assert.ok((await images.get(base)) !== undefined);
});

test('layers that another image shares stay', { skip }, async () => {
  await using fixture = await openFixture();
  const { images } = fixture;
  const base = await importImage(fixture, 'base');
  const child = await commitOn(fixture, base, 'child', { repo: 'child', tag: undefined });
  const { chainId } = await images.resolve('child');
  assert.deepEqual(await images.remove('child', gentle), [
    { Untagged: 'child:latest' },
    { Deleted: child },
    { Deleted: chainId },
  ]);
  assert.equal(fixture.snapshots.layers().length, 1);
});

test('prune takes the dangling, or all that is unused', { skip }, async () => {
  await using fixture = await openFixture();
  const { images } = fixture;
  const kept = await importImage(fixture, 'kept', { content: 'kept' });
  const used = await importImage(fixture, 'used', { content: 'used' });
  fixture.uses.set(used, [{ containerId: 'c'.repeat(64), running: false }]);
  const loose = await importImage(fixture, undefined, { content: 'loose', changes: ['LABEL keep=1'] });
  const none = await images.prune(new Map([['label!', new Set(['keep'])]]));
  assert.deepEqual(none, { deleted: [], reclaimed: 0 });
  assert.equal((await images.prune(new Map([['until', new Set(['1h'])]]))).deleted.length, 0);
  const before = await taken(fixture);
  const first = await images.prune(new Map());
  assert.deepEqual(first.deleted.slice(0, 1), [{ Deleted: loose }]);
  assert.equal(first.reclaimed, before - (await taken(fixture)), 'what the disk got back');
  const between = await taken(fixture);
  const rest = await images.prune(new Map([['dangling', new Set(['false'])]]));
  assert.deepEqual(rest.deleted.slice(0, 2), [{ Untagged: 'kept:latest' }, { Deleted: kept }]);
  assert.equal(rest.reclaimed, between - (await taken(fixture)));
  assert.deepEqual(fixture.events.at(-1), {
    action: 'prune',
    id: '',
    attributes: { reclaimed: String(rest.reclaimed) },
  });
  assert.deepEqual(
    (await images.list({ all: true, filters: new Map(), sharedSize: false, manifests: false })).map(({ Id }) => Id),
    [used],
  );
});

test('removing one image meanwhile takes nothing from another that is being loaded', { skip }, async () => {
  await using fixture = await openFixture();
  const { images } = fixture;
  const base = await importImage(fixture, 'base');
  const work = Promise.allSettled([
    commitOn(fixture, base, 'one', { repo: 'one', tag: undefined }),
    commitOn(fixture, base, 'two', { repo: 'two', tag: undefined }),
    images.remove('base', forced),
  ]);
  await work;
  for (const name of ['one', 'two']) {
    const image = await images.resolve(name);
    assert.ok(fixture.snapshots.has(image.chainId!));
  }
  for (const { digest } of fixture.content.list()) assert.equal(sha256(await fixture.content.read(digest)), digest);
});
