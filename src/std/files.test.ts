import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { sweepHalfWritten, writeFileAtomic } from './files.ts';

test('what a cut write left goes, and nothing else', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'wherry-files-'));
  try {
    const path = join(folder, 'record.json');
    await writeFileAtomic(path, 'whole');
    const others = ['other.json.0123456789ab.tmp', 'record.json.tmp', 'record.json.old'];
    for (const name of [...others, 'record.json.0123456789ab.tmp']) writeFileSync(join(folder, name), '');
    await sweepHalfWritten(path);
    assert.deepEqual(readdirSync(folder).sort(), [...others, 'record.json'].sort());
    assert.equal(readFileSync(path, 'utf8'), 'whole');
  } finally {
    rmSync(folder, { recursive: true });
  }
});
