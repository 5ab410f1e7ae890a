import assert from 'node:assert/strict';
import { test } from 'node:test';
import { linksOf } from './links.ts';

const hash = 'ab'.repeat(32);
const targets = (text: string, path?: string): string[] =>
  linksOf(text, path).map(({ kind, target }) => `${kind} ${target}`);

test('titles, cards and paths, each once, in order', () => {
  assert.deepEqual(targets(`See [[Other  Note]], [[other note|that]], [x](card:${hash}) and [y](/c/${hash}).`), [
    'title other note',
    `card ${hash}`,
  ]);
  assert.deepEqual(targets('[a](b.md) [c](../d/e%20f.md#part) [g](<h.md>) ![i](img/j.png "k")', 'x/a.md'), [
    'path x/b.md',
    'path d/e f.md',
    'path x/h.md',
    'path x/img/j.png',
  ]);
  assert.deepEqual(targets('[a](../../out.md) [b](https://a.example/b.md) [c](#d) [e](/f) [g](%zz)', 'x/a.md'), []);
  assert.deepEqual(targets('[a](b.md)'), []);
  assert.deepEqual(targets('[[ ]] [[]] [[a\nb]]'), []);
});

test('code is no link', () => {
  assert.deepEqual(targets('`[[a]]` ``[[b]] ` `` [[c]]\n\n```md\n[[d]]\n```\n[[e]]\n~~~\n[[f]]'), [
    'title c',
    'title e',
  ]);
});

test('hostile text comes to an end', { timeout: 60_000 }, () => {
  for (const text of ['[['.repeat(200_000), '`'.repeat(300_000), '](('.repeat(200_000), '```\n'.repeat(100_000)])
    linksOf(text);
  assert.equal(linksOf(Array.from({ length: 2000 }, (_, index) => `[[n${index}]]`).join('')).length, 500);
});
