import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Gathered } from './gathered.ts';

test('what is dropped and what is left is what was appended', () => {
  const steps = fc.array(fc.oneof(fc.uint8Array({ maxLength: 20 }), fc.nat(15)));
  fc.assert(
    fc.property(steps, (all) => {
      const gathered = new Gathered();
      let expected = Buffer.alloc(0);
      for (const step of all) {
        if (typeof step === 'number') {
          const count = Math.min(step, expected.length);
          gathered.drop(count);
          expected = expected.subarray(count);
        } else {
          const piece = Buffer.from(step);
          gathered.append(piece);
          expected = Buffer.concat([expected, step]);
          assert.ok(piece.equals(step), 'a piece is not written to');
        }
        assert.ok(gathered.bytes.equals(expected));
      }
    }),
  );
});

test('a megabyte of single bytes is gathered soon', () => {
  const gathered = new Gathered();
  const started = performance.now();
  const byte = Buffer.from('x');
  for (let count = 0; count < 1 << 20; count++) gathered.append(byte);
  assert.equal(gathered.bytes.length, 1 << 20);
  assert.ok(performance.now() - started < 3000);
});
