import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { sha256 } from '../oci/index.ts';
import { ImageUsage } from './usage.ts';

const [one, two, three] = [sha256('one'), sha256('two'), sha256('three')];

function file(t: TestContext): string {
  const root = mkdtempSync(join(tmpdir(), 'wherry-usage-'));
  t.after(() => rmSync(root, { recursive: true }));
  return join(root, 'usage.json');
}

test('the last good deployment of a name is what a container ran from before the name moved', async (t) => {
  const path = file(t);
  {
    await using usage = await ImageUsage.open(path);
    usage.moved('app:1', one, two);
    assert.deepEqual(usage.lastGoodOf(one), [], 'nothing ran from it');
    usage.markRan(two);
    usage.moved('app:1', two, three);
    assert.deepEqual(usage.lastGoodOf(two), ['app:1']);
    usage.moved('app:1', three, one);
    assert.deepEqual(usage.lastGoodOf(two), ['app:1'], 'what never ran is no way back');
  }
  await using usage = await ImageUsage.open(path);
  assert.deepEqual(usage.lastGoodOf(two), ['app:1'], 'it outlives the daemon');
  usage.moved('app:1', one, two);
  assert.deepEqual(usage.lastGoodOf(two), [], 'it is what the name means again');
  usage.markRan(one);
  usage.moved('app:1', one, three);
  usage.unnamed('app:1');
  assert.deepEqual(usage.lastGoodOf(one), []);
});

test('times are remembered, images forgotten, and a broken memory begins anew', async (t) => {
  const path = file(t);
  let now = 1000;
  {
    await using usage = await ImageUsage.open(path, () => now);
    assert.equal(usage.used(one), 0);
    usage.markUsed(one);
    now = 2000;
    usage.markTagged(two, '2024-01-01T00:00:00Z');
    usage.markUsed(three);
    usage.forget(three);
  }
  {
    await using usage = await ImageUsage.open(path, () => now);
    assert.deepEqual([usage.used(one), usage.used(two), usage.used(three)], [1000, 2000, 0]);
    assert.equal(usage.tagged(two), '2024-01-01T00:00:00Z');
  }
  writeFileSync(path, readFileSync(path).subarray(0, 10));
  await using usage = await ImageUsage.open(path);
  assert.equal(usage.used(one), 0);
});
