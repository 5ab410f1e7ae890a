import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { xattrKey, xattrName } from './xattr-key.ts';

test('plain names stay as they are, for readers that know no escapes', () => {
  for (const name of ['user.a', 'security.capability', 'user.100%', 'user.%2F']) {
    assert.equal(xattrKey(name), `SCHILY.xattr.${name}`);
  }
});

test('what would be misread is escaped as GNU tar does it', () => {
  assert.equal(xattrKey('user.a=b%'), 'SCHILY.xattr.user.a%3Db%25');
  assert.equal(xattrKey('user.%3D'), 'SCHILY.xattr.user.%253D');
  assert.equal(xattrName('SCHILY.xattr.user.100%25'), 'user.100%');
  assert.equal(xattrName('SCHILY.acl.access'), undefined);
});

test('every name comes back', () => {
  const name = fc.string({ unit: fc.constantFrom('a', '%', '=', '3', 'D', '2', '5', '.') });
  fc.assert(fc.property(name, (text) => xattrName(xattrKey(text)) === text && !xattrKey(text).includes('=')));
});
