import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ago, size, withoutTitle } from './format.ts';
import { jsonLines } from './client.ts';
import { routeOf } from './router.ts';

test('sizes and times', () => {
  assert.deepEqual([0, 999, 1500, 123_456, 5e9].map(size), ['0 B', '999 B', '1.5 kB', '123 kB', '5.0 GB']);
  const now = Date.parse('2026-01-10T12:00:00Z');
  assert.equal(ago('2026-01-10T11:59:50Z', now), 'just now');
  assert.equal(ago('2026-01-10T11:00:00Z', now), '1 hour ago');
  assert.equal(ago('2026-01-09T12:00:00Z', now), 'yesterday');
  assert.equal(ago('2025-01-09T12:00:00Z', now), 'Jan 9, 2025');
});

test('a title is not told twice', () => {
  assert.equal(withoutTitle('# Garden *plan*\n\ntext', 'Garden plan'), '\ntext');
  assert.equal(withoutTitle('# Other\ntext', 'Garden'), '# Other\ntext');
  assert.equal(withoutTitle('text', 'text'), 'text');
});

test('lines of JSON, however they are cut', async () => {
  const bytes = new TextEncoder().encode('{"a":"ü"}\n\n{"b":2}\n{"c":3}');
  const stream = new ReadableStream<Uint8Array>({
    start(controller) {
      for (let at = 0; at < bytes.length; at += 3) controller.enqueue(bytes.slice(at, at + 3));
      controller.close();
    },
  });
  const found: unknown[] = [];
  for await (const line of jsonLines(stream)) found.push(line);
  assert.deepEqual(found, [{ a: 'ü' }, { b: 2 }, { c: 3 }]);
});

test('addresses', () => {
  assert.deepEqual(routeOf('/'), { view: 'home' });
  assert.deepEqual(routeOf('/d/abc', '?panel=history'), { view: 'document', id: 'abc', panel: 'history' });
  assert.deepEqual(routeOf('/n/a%2Fb'), { view: 'named', title: 'a/b' });
  assert.deepEqual(routeOf('/n/%zz'), { view: 'named', title: '%zz' });
  assert.deepEqual(routeOf('/d/'), { view: 'unknown' });
});
