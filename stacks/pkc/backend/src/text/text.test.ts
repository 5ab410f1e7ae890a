import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chunksOf } from './chunks.ts';
import { searchText, titleOf } from './extract.ts';
import { mediaType } from './media-type.ts';
import { coverage, excerptOf, plainText, wordsOf } from './words.ts';

const bytes = (text: string): Buffer => Buffer.from(text);

test('what a file is goes by its bytes first', () => {
  assert.equal(mediaType(bytes('%PDF-1.7'), 'x.txt', true), 'application/pdf');
  assert.equal(mediaType(bytes('# a'), 'x.md', true), 'text/markdown');
  assert.equal(mediaType(bytes('<svg onload="x">'), 'x.png', true), 'image/svg+xml');
  assert.equal(mediaType(bytes('<!DOCTYPE html>x'), undefined, true), 'text/html');
  assert.equal(mediaType(Buffer.from([1, 0, 2]), 'x.md', true), 'application/octet-stream');
  assert.equal(mediaType(Buffer.from([0xff, 0xfe, 0x41]), 'x.txt', true), 'application/octet-stream');
  assert.equal(mediaType(Buffer.from('ü').subarray(0, 1), 'x.txt', false), 'text/plain');
  assert.equal(mediaType(bytes(''), 'constructor.toString', true), 'text/plain');
});

test('words and titles', () => {
  assert.equal(searchText('text/html', bytes('<p>a &amp; b<script>evil()</script>')).trim(), 'a & b');
  assert.equal(searchText('application/pdf', bytes('%PDF')), '');
  assert.equal(searchText('image/svg+xml', bytes('<svg> <g/> </svg>')), '');
  assert.equal(searchText('text/plain', bytes('a\u0000b')), 'a b');
  assert.equal(titleOf('---\na: b\n---\n\n## The *title* ##\ntext'), 'The title');
  assert.equal(titleOf('\n- first [[line]]\n'), 'first line');
  assert.equal(titleOf(' \n'), undefined);
});

test('passages keep their headings, and no word is lost', () => {
  const text = `intro\n\n# Garden\n\nroses ${'are red. '.repeat(400)}\n\n## Tools\nspade\n\n# House\n\nroof`;
  const chunks = chunksOf(text);
  assert.deepEqual([...new Set(chunks.map(({ section }) => section))], ['', 'Garden', 'Garden › Tools', 'House']);
  assert.ok(chunks.every(({ content }) => content.length <= 1600));
  assert.equal(chunks.flatMap(({ content }) => content.match(/red/g) ?? []).length, 400);
  assert.deepEqual(chunksOf(' \n'), []);
  assert.deepEqual(chunksOf('# Only a title'), [{ section: '', content: '# Only a title' }]);
  assert.equal(
    chunksOf('x'.repeat(5000))
      .map(({ content }) => content)
      .join(''),
    'x'.repeat(5000),
  );
});

test('Markdown as it is read', { timeout: 60_000 }, () => {
  const text =
    '# Title\n\n- [x] a **bold** [[Note|word]] and ![pic](card:1)\n> quote\n\n```js\ncode\n```\n| a | b |\n| --- | --- |\n| c | d |';
  assert.equal(plainText(text).replace(/\s+/g, ' ').trim(), 'Title a bold word and pic quote code a b c d');
  assert.equal(plainText('snake_case - 5 > 3'), 'snake_case - 5 > 3');
  for (const hostile of [
    '-'.repeat(20_000),
    '| '.repeat(10_000),
    '['.repeat(20_000),
    '[['.repeat(10_000),
    '`'.repeat(20_000),
  ])
    assert.ok(plainText(`a${hostile}x`).endsWith('x'));
});

test('questions and excerpts', () => {
  assert.deepEqual(wordsOf('What is the capital of France?'), ['capital', 'france']);
  assert.deepEqual(wordsOf('to be or not'), ['to', 'be', 'or', 'not']);
  assert.deepEqual(excerptOf('The Roses are red', ['rose']), [
    { text: 'The ', found: false },
    { text: 'Roses', found: true },
    { text: ' are red', found: false },
  ]);
  const far = excerptOf(`${'word '.repeat(200)}needle end`, ['needle']);
  assert.equal(far[0]?.text, '… ');
  assert.ok(far.some(({ text, found }) => found && text === 'needle'));
  assert.deepEqual(
    excerptOf('a.c', ['a.']).map(({ text }) => text),
    ['a.c'],
  );
  const weights = new Map([
    ['rose', 2],
    ['water', 1],
  ]);
  assert.equal(coverage('a rose', weights), 2 / 3);
  assert.equal(coverage('nothing', weights), 0);
});
