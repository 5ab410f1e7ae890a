import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { definition, op } from '../message/llb.ts';
import { decode, encode } from '../protobuf/codec.ts';
import { buildOf, definitionOf } from './held-definition.ts';

test('a held build goes to the client and back as a definition', () => {
  const bytes = encode(definition, definitionOf('abc'));
  assert.equal(buildOf('base', bytes), 'abc');
  const [source, last] = decode(definition, bytes).def;
  const digest = `sha256:${createHash('sha256').update(source!).digest('hex')}`;
  assert.deepEqual(decode(op, last!).inputs, [{ digest, index: 0 }]);
});

test('LLB of the client is refused with its name', () => {
  const source = encode(op, { source: { identifier: 'docker-image://busybox' } });
  assert.throws(() => buildOf('base', encode(definition, { def: [source] })), {
    kind: 'not-implemented',
    message: /Cannot use the input "base"/,
  });
  assert.throws(() => buildOf('base', Buffer.from([0xff])), { kind: 'invalid' });
});
