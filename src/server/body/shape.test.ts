/** Values that mean harm: refused in few words. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { integer, list, map, object, record, text, textMap } from './shape.ts';

test('texts and keys end where they say, and not at a NUL', () => {
  assert.throws(() => text('a\0b', 'Name'), {
    kind: 'invalid',
    message: String.raw`invalid JSON: Name: want a string without NUL bytes, got "a\u0000b"`,
  });
  assert.throws(() => textMap({ 'a\0': 'b' }, 'Labels'), { message: /Labels: want keys without NUL bytes/ });
  assert.equal(text('a\nb', 'x'), 'a\nb');
});

test('integers have 64 bits', () => {
  for (const value of [0, -1, 2 ** 53 + 2, -(2 ** 62)]) assert.equal(integer(value, 'x'), value);
  for (const end of [2 ** 63, -(2 ** 63)]) {
    const printed = BigInt(JSON.stringify(integer(end, 'x')));
    assert.ok(printed < 2n ** 63n && printed >= -(2n ** 63n), String(printed));
  }
  for (const value of [1e20, -1e20, Infinity, 0.5, '1']) assert.throws(() => integer(value, 'x'), { kind: 'invalid' });
});

test('what does not fit is named, and shown no further than it is short', () => {
  const deep: unknown = JSON.parse(`${'['.repeat(100_000)}${']'.repeat(100_000)}`);
  const cases: [() => unknown, string][] = [
    [() => record([1, 2], 'x'), 'x: want an object, got [1,2]'],
    [() => record(deep, ''), 'the body: want an object, got an array of 1'],
    [() => text({ a: deep }, 'x'), 'x: want a string, got an object'],
    [() => list(text)('y'.repeat(10_000_000), 'x'), `x: want an array, got "${'y'.repeat(59)}…`],
    [() => object<{ a: string }>({ a: text })({ A: 5 }, ''), 'a: want a string, got 5'],
    [() => map(text)(null, 'm'), 'm: want an object, got null'],
  ];
  for (const [work, message] of cases) assert.throws(work, { kind: 'invalid', message: `invalid JSON: ${message}` });
});
