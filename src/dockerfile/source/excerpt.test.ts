import assert from 'node:assert/strict';
import { test } from 'node:test';
import { renderExcerpt, renderMarkedExcerpt } from './excerpt.ts';
import { SourceText } from './source-text.ts';

test('the excerpt has two lines around, and carets under the place', () => {
  const source = new SourceText('Dockerfile', 'one\ntwo\n\tthree four\nfive\nsix\nseven\n');
  const at = source.text.indexOf('four');
  assert.equal(
    renderExcerpt(source, source.range(at, at + 4)),
    '1 | one\n2 | two\n3 | \tthree four\n  | \t      ^^^^\n4 | five\n5 | six\n',
  );
});

test('a place over lines is underlined on its first, numbers are aligned', () => {
  const source = new SourceText('Dockerfile', Array.from({ length: 12 }, (_, index) => `line ${index + 1}`).join('\n'));
  const range = source.range(source.lines[8]!.start + 5, source.lines[9]!.end);
  assert.equal(
    renderExcerpt(source, range),
    ' 7 | line 7\n 8 | line 8\n 9 | line 9\n   |      ^\n10 | line 10\n11 | line 11\n12 | line 12\n',
  );
});

test('a hostile line cannot reach the terminal, nor fill it', () => {
  const source = new SourceText('Dockerfile', `\u001b[2J${'x'.repeat(1000)}`);
  const text = renderExcerpt(source, source.range(0, 1), { color: false });
  assert.ok(!text.includes('\u001b'));
  assert.ok(text.split('\n')[0]!.length < 200);
});

test('on a terminal the carets are red and the lines around are dim', () => {
  const source = new SourceText('Dockerfile', 'a\nb\n');
  const text = renderExcerpt(source, source.range(0, 1), { color: true });
  assert.match(text, /\u001b\[31m\^\u001b\[39m/);
  assert.match(text, /\u001b\[2mb\u001b\[22m/);
});

/** Recorded from `docker build` of buildx 0.29.1. */
test('the marked excerpt is the one BuildKit’s clients print', () => {
  const source = new SourceText('D1', 'FROM scratch\nBOGUS a\nRUM x\n');
  assert.equal(
    renderMarkedExcerpt(source, { start: 2, end: 2 }),
    `D1:2\n--------------------\n   1 |     FROM scratch\n   2 | >>> BOGUS a\n   3 |     RUM x\n   4 |     \n--------------------\n`,
  );
});
