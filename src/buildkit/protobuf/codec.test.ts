import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Fault } from '../../std/index.ts';
import { packet } from '../message/session.ts';
import { statusResponse, worker } from '../message/control.ts';
import { decode, encode } from './codec.ts';
import { int, long, message, text } from './field.ts';

test('the encodings of the specification', () => {
  // protobuf.dev/programming-guides/encoding: 150 in field 1, "testing" in field 2, a message with 150 in field 3.
  assert.equal(encode({ a: int(1) }, { a: 150 }).toString('hex'), '089601');
  assert.equal(encode({ b: text(2) }, { b: 'testing' }).toString('hex'), '120774657374696e67');
  assert.equal(encode({ c: message(3, { a: int(1) }) }, { c: { a: 150 } }).toString('hex'), '1a03089601');
  assert.equal(encode({ a: int(1) }, { a: -2 }).toString('hex'), '08feffffffffffffffff01');
  assert.equal(decode({ a: int(1) }, Buffer.from('08feffffffffffffffff01', 'hex')).a, -2);
});

test('zero values take no bytes, unknown fields are skipped', () => {
  assert.equal(encode(packet, { type: 0, id: 0, data: Buffer.alloc(0) }).length, 0);
  const all = { a: int(1), b: text(2), c: message(15, { d: text(1) }) };
  const bytes = encode(all, { a: 1, b: 'x', c: { d: 'y' } });
  assert.deepEqual(decode({ c: all.c }, bytes), { c: { d: 'y' } });
});

test('an empty message is not an absent one', () => {
  assert.deepEqual(decode(packet, encode(packet, { stat: {} })).stat?.path, '');
  assert.equal(decode(packet, encode(packet, {})).stat, undefined);
});

test('what is encoded decodes to the same', () => {
  const stat = fc.record(
    {
      path: fc.string(),
      mode: fc.nat(2 ** 32 - 1),
      uid: fc.nat(),
      gid: fc.nat(),
      size: fc.maxSafeInteger(),
      modified: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
      linkName: fc.string(),
      deviceMajor: fc.integer(),
      deviceMinor: fc.integer(),
      xattrs: fc
        .dictionary(fc.string(), fc.uint8Array())
        .map((found) => new Map(Object.entries(found).map(([key, value]) => [key, Buffer.from(value)]))),
    },
    { noNullPrototype: true },
  );
  const packets = fc.record(
    {
      type: fc.nat(5),
      stat,
      id: fc.nat(),
      data: fc.uint8Array().map((data) => Buffer.from(data)),
    },
    { noNullPrototype: true },
  );
  fc.assert(fc.property(packets, (value) => assert.deepEqual(decode(packet, encode(packet, value)), value)));
});

test('hostile bytes are a fault or a message, never anything else', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.constantFrom(packet, statusResponse, worker), (bytes, table) => {
      try {
        decode(table, bytes);
      } catch (error) {
        assert.ok(error instanceof Fault && error.kind === 'invalid', String(error));
      }
    }),
    { numRuns: 2000 },
  );
});

test('lengths beyond the message, endless numbers, groups and wrong types are refused', () => {
  for (const hex of [
    '12ff',
    '12ffffffff0f41',
    '08ffffffffffffffffffffff01',
    '0b',
    '0c',
    '09',
    '0a0141',
    '10',
    '08ffffffffffffffff7f',
  ]) {
    assert.throws(
      () => decode({ a: int(1), b: text(2) }, Buffer.from(hex, 'hex')),
      { name: 'Fault', kind: 'invalid' },
      hex,
    );
  }
  assert.equal(decode({ a: long(1) }, Buffer.from('08ffffffffffffffff7f', 'hex')).a, 2n ** 63n - 1n);
});
