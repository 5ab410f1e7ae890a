/** Who keeps a layer: owners, holds, layers above, containers; and that deletion loses no race. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { chainId, type Digest, sha256 } from '../oci/index.ts';
import { applyAll, bytesOf, layer, listing, openFixture, skipUnlessRoot } from './fixture.ts';
import { removeTree } from './remove-tree.ts';

const skip = skipUnlessRoot;
const one = await layer(['one', 'file', {}, '1']);
const two = await layer(['two', 'file', {}, '2']);
const bottom = sha256(one);
const top = chainId([sha256(one), sha256(two)])!;

test('a collection takes what nobody needs, children first, and tells', { skip }, async () => {
  await using fixture = await openFixture();
  const { snapshots } = fixture;
  await applyAll(snapshots, one, two);
  const live = new Set<string>([top]);
  snapshots.addOwner(() => live);
  assert.deepEqual(await snapshots.collect(), []);
  live.clear();
  await snapshots.prepare('c', top);
  assert.deepEqual(await snapshots.collect(), [], 'a container stands on it');
  await snapshots.remove('c');
  assert.deepEqual(await snapshots.collect([bottom]), [], 'a layer stands on it');
  assert.deepEqual(await snapshots.collect(), [top, bottom]);
  assert.deepEqual(readdirSync(join(fixture.root, 'l')), []);
  assert.deepEqual(readdirSync(join(fixture.root, 't')), []);
});

test('a hold keeps layers from removal and collection, and its end takes what only it kept', { skip }, async () => {
  await using fixture = await openFixture();
  const { snapshots } = fixture;
  const live = new Set<string>();
  snapshots.addOwner(() => live);
  await snapshots.collect();
  const [first, second] = [snapshots.hold(), snapshots.hold()];
  for (const hold of [first, second]) for (const chain of [bottom, top]) hold.add(chain);
  await applyAll(snapshots, one, two);
  assert.deepEqual(await snapshots.collect(), []);
  await assert.rejects(snapshots.removeLayer(top), { kind: 'conflict' });
  first[Symbol.dispose]();
  first[Symbol.dispose]();
  assert.ok(snapshots.has(top), 'the other one holds it');
  live.add(bottom);
  second[Symbol.dispose]();
  assert.deepEqual([snapshots.has(bottom), snapshots.has(top)], [true, false]);
});

test('a layer on which another is being unpacked stays', { skip }, async () => {
  await using fixture = await openFixture();
  const { snapshots } = fixture;
  await applyAll(snapshots, one);
  const { promise: seen, resolve: go } = Promise.withResolvers<void>();
  const collected = Promise.withResolvers<void>();
  async function* slow(): AsyncGenerator<Uint8Array> {
    yield two.subarray(0, 512);
    go();
    await collected.promise;
    yield two.subarray(512);
  }
  const applied = snapshots.apply({ chainId: top, parent: bottom, diffId: sha256(two), tar: slow() });
  await seen;
  assert.deepEqual(await snapshots.collect(), []);
  await assert.rejects(snapshots.removeLayer(bottom), { kind: 'conflict' });
  collected.resolve();
  await applied;
  {
    using view = snapshots.view(top);
    assert.deepEqual(listing(view.path), ['one', 'two']);
  }
  assert.deepEqual(await snapshots.collect(), [top, bottom], 'the count of children is right again');
});

test('layers and snapshots deleted behind our back are forgotten', { skip }, async () => {
  await using fixture = await openFixture();
  const { snapshots } = fixture;
  await applyAll(snapshots, one);
  await snapshots.prepare('c', bottom);
  rmSync(join(fixture.root, 'w/c'), { recursive: true });
  rmSync(join(fixture.root, 'l'), { recursive: true });
  await snapshots.remove('c');
  assert.deepEqual(await snapshots.collect(), [bottom]);
  assert.deepEqual(snapshots.layers(), []);
});

test('more layers than Docker takes are refused', { skip }, async () => {
  await using fixture = await openFixture();
  const diffIds: Digest[] = [];
  const apply = (): Promise<void> => {
    const parent = chainId(diffIds);
    diffIds.push(sha256(one));
    return fixture.snapshots.apply({ chainId: chainId(diffIds)!, parent, diffId: sha256(one), tar: bytesOf(one) });
  };
  for (let count = 0; count < 126; count++) await apply();
  await assert.rejects(apply(), { kind: 'invalid', message: 'max depth exceeded' });
});

test('a tree too deep for any path is removed', async () => {
  const root = mkdtempSync(join(tmpdir(), 'wherry-deep-'));
  const name = 'd'.repeat(200);
  execFileSync('bash', ['-c', `for i in $(seq 60); do mkdir ${name}; touch f; cd ${name}; done`], { cwd: root });
  await removeTree(root);
  assert.ok(!existsSync(root));
});
