import assert from 'node:assert/strict';
import { test } from 'node:test';
import { freeStart, idMappingFor } from './subordinate-ids.ts';

const files = {
  subuid: 'ann:100000:65536\n1001:300000:10\n1001:400000:20\ndockremap:165536:65536\n# x:1:1\n',
  subgid: 'staff:500000:100\nann:100000:65536\ndockremap:165536:65536\n',
  passwd: 'root:x:0:0::/:/bin/sh\nbob:x:1001:50::/:/bin/sh\nann:x:1000:1000::/:/bin/sh\n',
  group: 'root:x:0:\nstaff:x:50:\n',
};

test('ranges by name and by number, several of one owner one after the other', () => {
  assert.deepEqual(idMappingFor('ann', files).uids, [{ container: 0, host: 100_000, size: 65_536 }]);
  assert.deepEqual(idMappingFor('1000', files).uids, [{ container: 0, host: 100_000, size: 65_536 }]);
  const mapping = idMappingFor('bob:50', files);
  assert.deepEqual(mapping.uids, [
    { container: 0, host: 300_000, size: 10 },
    { container: 10, host: 400_000, size: 20 },
  ]);
  assert.deepEqual(mapping.gids, [{ container: 0, host: 500_000, size: 100 }]);
  assert.equal(idMappingFor('default', files).uids[0]!.host, 165_536);
});

test('who has no ids is told what to write where', () => {
  assert.throws(
    () => idMappingFor('carl', files),
    /\/etc\/subuid has no ids for carl.*echo carl:400020:65536 >>\/etc\/subuid/,
  );
  assert.equal(freeStart(''), 100_000);
});
