import assert from 'node:assert/strict';
import { test } from 'node:test';
import { errno } from './filesystem.ts';
import { isMapped, isWholeMap, mustOwn, privileges, readIdMap } from './privileges.ts';

test('id maps: the machine’s own, one id, subordinate ones', () => {
  const whole = readIdMap('         0          0 4294967295\n');
  assert.equal(isWholeMap(whole), true);
  assert.equal(isMapped(whole, 4_000_000_000), true);
  const one = readIdMap('         0       1000          1\n');
  assert.equal(isWholeMap(one), false);
  assert.deepEqual(
    [0, 1].map((id) => isMapped(one, id)),
    [true, false],
  );
  const more = readIdMap('         0       1000          1\n         1     100000      65536\n');
  assert.deepEqual(more, [
    { container: 0, host: 1000, size: 1 },
    { container: 1, host: 100_000, size: 65_536 },
  ]);
  assert.deepEqual(
    [1, 65_536, 65_537].map((id) => isMapped(more, id)),
    [true, true, false],
  );
  assert.equal(isWholeMap(readIdMap('0 0 65536\n')), false);
  assert.deepEqual(readIdMap(''), []);
});

test('root of the machine may all, and every refusal is told', () => {
  const here = privileges();
  if (here.inUserNamespace) return;
  assert.equal(here.overlayXattrs, 'trusted.overlay.');
  assert.equal(here.mayMakeDevices, true);
  assert.throws(() => mustOwn('fchown', -errno.EINVAL, 'file'), { code: 'EINVAL' });
});
