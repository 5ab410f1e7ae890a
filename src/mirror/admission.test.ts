import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Admission } from './admission.ts';

test('only who comes from the networks that are named', () => {
  const admission = new Admission(['192.168.1.0/24', 'fd00::/8', '10.0.0.7/32']);
  for (const address of ['192.168.1.9', '::ffff:192.168.1.9', 'fd12::1', '10.0.0.7'])
    assert.ok(admission.enter(address) !== undefined, address);
  for (const address of ['192.168.2.9', '10.0.0.8', '::1', '127.0.0.1', '2001:db8::1', undefined])
    assert.equal(admission.enter(address), undefined, address);
});

test('no more than so many of one, and of all; who leaves makes room', () => {
  const admission = new Admission(['0.0.0.0/0'], { connections: 3, connectionsPerClient: 2 });
  const leave = admission.enter('1.1.1.1');
  assert.ok(admission.enter('1.1.1.1') !== undefined);
  assert.equal(admission.enter('1.1.1.1'), undefined);
  assert.ok(admission.enter('2.2.2.2') !== undefined);
  assert.equal(admission.enter('3.3.3.3'), undefined);
  leave!();
  assert.ok(admission.enter('3.3.3.3') !== undefined);
  assert.equal(admission.enter('1.1.1.1'), undefined, 'all of them are too many now');
});
