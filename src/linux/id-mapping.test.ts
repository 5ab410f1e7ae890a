import assert from 'node:assert/strict';
import { readFileSync, readlinkSync } from 'node:fs';
import { test } from 'node:test';
import { hostId, insideId, makeUserNamespace, mapText, withMounter } from './id-mapping.ts';

const ranges = [
  { container: 0, host: 100_000, size: 1000 },
  { container: 5000, host: 300_000, size: 10 },
];

test('ids go out and come in again; what has no counterpart is nobody', () => {
  assert.equal(hostId(ranges, 0), 100_000);
  assert.equal(hostId(ranges, 5009), 300_009);
  assert.equal(hostId(ranges, 5010), undefined);
  assert.equal(insideId(ranges, 100_999), 999);
  assert.equal(insideId(ranges, 0), 65_534);
  for (const id of [0, 999, 5003]) assert.equal(insideId(ranges, hostId(ranges, id)!), id);
  assert.equal(mapText(ranges), '0 100000 1000\n5000 300000 10\n');
  assert.equal(hostId(withMounter({ uids: ranges, gids: ranges }).uids, 4_294_967_294), 0);
});

const needsRoot = process.getuid?.() === 0 ? false : 'needs root';

test('a namespace with its mapping, and a network that belongs to it; gone afterwards', {
  skip: needsRoot,
}, async () => {
  const namespace = await makeUserNamespace({ uids: ranges, gids: ranges }, { network: true });
  const { pid } = namespace;
  try {
    assert.match(readFileSync(`/proc/${pid}/uid_map`, 'utf8'), /^\s+0\s+100000\s+1000\n\s+5000\s+300000\s+10\n$/);
    assert.notEqual(readlinkSync(`/proc/${pid}/ns/net`), readlinkSync('/proc/self/ns/net'));
  } finally {
    namespace[Symbol.dispose]();
  }
  assert.throws(() => readlinkSync(`/proc/${pid}/ns/net`));
  await assert.rejects(makeUserNamespace({ uids: [{ container: 0, host: 0, size: 0 }], gids: [] }), /EINVAL|EPERM/);
});
