import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Fault, faultKind, messageOf } from './fault.ts';

test('a loan that cannot be given back does not hide what went wrong first', () => {
  const first = new Fault('not-found', 'No such thing');
  const thrown = new SuppressedError(
    new Error('cannot unmount'),
    new SuppressedError(new Error('cannot close'), first),
  );
  assert.equal(messageOf(thrown), 'No such thing');
  assert.equal(faultKind(thrown), 'not-found');
  assert.equal(messageOf('text'), 'text');
});
