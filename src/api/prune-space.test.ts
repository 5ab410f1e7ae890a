import assert from 'node:assert/strict';
import { test } from 'node:test';
import { keptBytes } from './prune-space.ts';

const here = { used: 1000, free: 300 };

for (const [what, space, kept] of [
  ['nothing said', { reserved: 0, maxUsed: 0, minFree: 0 }, undefined],
  ['reserved alone', { reserved: 400, maxUsed: 0, minFree: 0 }, 400],
  ['at most', { reserved: 0, maxUsed: 700, minFree: 0 }, 700],
  ['enough is free', { reserved: 0, maxUsed: 0, minFree: 200 }, 0],
  ['more must be free', { reserved: 0, maxUsed: 0, minFree: 500 }, 800],
  ['more than the cache has', { reserved: 0, maxUsed: 0, minFree: 5000 }, 0],
  ['the narrower of two', { reserved: 0, maxUsed: 900, minFree: 500 }, 800],
  ['reserved comes first', { reserved: 850, maxUsed: 700, minFree: 500 }, 850],
] as const) {
  test(what, () => assert.equal(keptBytes(space, here), kept));
}
