import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isKnown, wantedSpan } from './span.ts';

const etag = '"sha256:abc"';
const read = (range: string | undefined, condition?: string, size = 10): string => {
  const wanted = wantedSpan(range, condition, etag, size);
  return wanted.kind === 'span' ? `${wanted.span.start}-${wanted.span.end}` : wanted.kind;
};

test('a range from a place, to a place, and of the end', () => {
  assert.equal(read(undefined), 'whole');
  assert.equal(read('bytes=0-'), '0-10');
  assert.equal(read('bytes=4-'), '4-10');
  assert.equal(read('bytes=4-6'), '4-7');
  assert.equal(read('bytes=4-99'), '4-10');
  assert.equal(read('bytes=9-9'), '9-10');
  assert.equal(read('bytes=-3'), '7-10');
  assert.equal(read('bytes=-99'), '0-10');
});

test('what lies outside, and what is no range that is served', () => {
  for (const range of ['bytes=10-', 'bytes=99-100', 'bytes=-0']) assert.equal(read(range), 'none', range);
  assert.equal(read('bytes=0-', undefined, 0), 'none');
  for (const range of ['bytes=1-2,4-5', 'bytes=5-4', 'bytes=-', 'bytes=a-b', 'lines=1-2', `bytes=${'9'.repeat(30)}-`])
    assert.equal(read(range), 'whole', range);
});

test('If-Range binds a range to what it was begun with', () => {
  assert.equal(read('bytes=4-', etag), '4-10');
  assert.equal(read('bytes=4-', '"sha256:other"'), 'whole');
  assert.equal(read('bytes=4-', `W/${etag}`), 'whole', 'weak names do not speak of bytes');
});

test('If-None-Match', () => {
  for (const header of [etag, '*', `"x", ${etag}`, `W/${etag}`]) assert.ok(isKnown(header, etag), header);
  for (const header of [undefined, '', '"x"', 'sha256:abc']) assert.ok(!isKnown(header, etag), header);
});
