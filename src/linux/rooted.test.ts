import assert from 'node:assert/strict';
import { closeSync, openSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { openFlags, openInRoot, resolveInRoot } from './rooted.ts';

test('a path with a NUL is of nothing, and not of what comes before it', () => {
  const root = openSync(tmpdir(), openFlags.directory);
  try {
    for (const path of ['\0', '/\0/etc', Buffer.from('a\0b'), '.\0']) {
      assert.throws(() => openInRoot(root, path, openFlags.path), { code: 'ENOENT' });
    }
    assert.equal(resolveInRoot(root, '/a\0/../b'), '/b');
    closeSync(openInRoot(root, '.', openFlags.path));
  } finally {
    closeSync(root);
  }
});
