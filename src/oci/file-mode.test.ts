import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { goFileMode, statFileMode } from './file-mode.ts';

test('modes measured on dockerd', () => {
  assert.equal(goFileMode(0o040755), 2147484141);
  assert.equal(goFileMode(0o100644), 0o644);
  assert.equal(goFileMode(0o120777), 0o777 + 2 ** 27);
  assert.equal(goFileMode(0o041777), 2 ** 31 + 2 ** 20 + 0o777);
  assert.equal(goFileMode(0o020666), 2 ** 26 + 2 ** 21 + 0o666);
});

test('both ways give the same mode', () => {
  const types = [0o040000, 0o120000, 0o060000, 0o020000, 0o010000, 0o140000, 0o100000];
  fc.assert(
    fc.property(fc.constantFrom(...types), fc.integer({ min: 0, max: 0o7777 }), (type, bits) => {
      assert.equal(statFileMode(goFileMode(type | bits)), type | bits);
    }),
  );
});
