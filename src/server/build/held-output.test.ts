import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HeldOutput } from './held-output.ts';

test('what was held comes once, in order, its streams apart', () => {
  const held = new HeldOutput();
  held.add('a', { stream: 'stdout', text: 'one ' });
  held.add('b', { stream: 'stdout', text: 'other' });
  held.add('a', { stream: 'stdout', text: 'two' });
  held.add('a', { stream: 'stderr', text: 'three' });
  assert.deepEqual(held.take('a'), [
    { stream: 'stdout', text: 'one two' },
    { stream: 'stderr', text: 'three' },
  ]);
  assert.deepEqual(held.take('a'), []);
  assert.deepEqual(held.take('b'), [{ stream: 'stdout', text: 'other' }]);
});

test('too much of one step: the newest whole lines stay, and that there was more is said', () => {
  const held = new HeldOutput({ step: 1000, all: 10_000 });
  for (let number = 0; number < 1000; number++) held.add('a', { stream: 'stdout', text: `line ${number}\n` });
  const [note, { text } = { text: '' }] = held.take('a');
  assert.match(note!.text, /not shown/);
  assert.ok(text.length <= 1000, `${text.length} characters`);
  assert.match(text, /^line \d+\n/);
  assert.ok(text.endsWith('line 999\n'));
});

test('a line without an end, and pieces of both streams', () => {
  const held = new HeldOutput({ step: 500, all: 10_000 });
  for (let at = 0; at < 500; at++) held.add('a', { stream: at % 2 === 0 ? 'stdout' : 'stderr', text: 'xxxxxxx' });
  held.add('b', { stream: 'stdout', text: 'y'.repeat(5000) });
  assert.ok(held.take('a').length <= 1 + 500 / 64);
  const [, rest] = held.take('b');
  assert.ok(rest !== undefined && rest.text.length > 0 && rest.text.length <= 500);
});

test('too much of all steps together: whoever comes then gives way', () => {
  const held = new HeldOutput({ step: 1000, all: 2000 });
  for (const step of ['a', 'b', 'c', 'd']) held.add(step, { stream: 'stdout', text: `${step.repeat(600)}\n` });
  assert.equal(held.take('a')[0]?.text.length, 601);
  assert.equal(held.take('b')[0]?.text.length, 601);
  const characters = ['c', 'd'].map((step) => held.take(step).reduce((sum, { text }) => sum + text.length, 0));
  assert.ok(characters[0]! + characters[1]! < 900, String(characters));
  // What was taken makes room again.
  held.add('e', { stream: 'stdout', text: 'e'.repeat(900) });
  assert.equal(held.take('e')[0]?.text.length, 900);
});
