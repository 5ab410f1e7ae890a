import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mapArguments, rangesOf } from './id-maps.ts';

test('ranges by name and by number, nonsense left out', () => {
  const text = 'other:1:2\nann:100000:65536\n# ann:5:5\n1000:300000:10\nann:x:1\nann:1\nann:7:0\n';
  assert.deepEqual(rangesOf(text, 'ann', 1000), [
    { start: 100_000, count: 65_536 },
    { start: 300_000, count: 10 },
  ]);
  assert.deepEqual(rangesOf('', 'ann', 1000), []);
});

test('the user is root, the ranges follow one another', () => {
  assert.deepEqual(
    mapArguments(1000, [
      { start: 100_000, count: 65_536 },
      { start: 300_000, count: 10 },
    ]).join(' '),
    '0 1000 1 1 100000 65536 65537 300000 10',
  );
});
