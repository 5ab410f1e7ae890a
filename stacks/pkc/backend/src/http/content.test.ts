import assert from 'node:assert/strict';
import { test } from 'node:test';
import { disposition, rangeOf } from './content.ts';

test('ranges', () => {
  assert.deepEqual(rangeOf('bytes=0-9', 100), { start: 0, end: 9 });
  assert.deepEqual(rangeOf('bytes=90-', 100), { start: 90, end: 99 });
  assert.deepEqual(rangeOf('bytes=-5', 100), { start: 95, end: 99 });
  assert.deepEqual(rangeOf('bytes=-500', 100), { start: 0, end: 99 });
  assert.equal(rangeOf('bytes=100-', 100), 'unsatisfiable');
  assert.equal(rangeOf('bytes=-5', 0), 'unsatisfiable');
  for (const all of [undefined, 'bytes=-', 'bytes=9-2', 'bytes=0-1,3-4', 'lines=1-2', 'bytes=a-b'])
    assert.equal(rangeOf(all, 100), undefined, all);
});

test('names in a header are names', () => {
  assert.equal(disposition('inline', null), 'inline');
  assert.equal(
    disposition('attachment', 'ü "x".pdf'),
    `attachment; filename="_ _x_.pdf"; filename*=UTF-8''%C3%BC%20%22x%22.pdf`,
  );
});
