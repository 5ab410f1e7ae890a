import assert from 'node:assert/strict';
import { test } from 'node:test';
import { knownUser } from './known-user.ts';

test('ids that a user namespace has not are refused, and groups of them left out', () => {
  const one = [{ container: 0, host: 1000, size: 1 }];
  const all = [...one, { container: 1, host: 100_000, size: 65_536 }];
  const user = { uid: 33, gid: 0, additionalGids: [0, 33, 70_000], home: '/' };
  assert.deepEqual(knownUser(user, { uids: all, gids: all }).additionalGids, [0, 33]);
  assert.deepEqual(knownUser({ ...user, uid: 0 }, { uids: one, gids: one }).additionalGids, [0]);
  assert.throws(() => knownUser(user, { uids: one, gids: one }), {
    kind: 'invalid',
    message: /Cannot run as 33:0: .*apt-get install uidmap/,
  });
  assert.throws(() => knownUser({ ...user, gid: 70_000 }, { uids: all, gids: all }), /Cannot run as 33:70000/);
});
