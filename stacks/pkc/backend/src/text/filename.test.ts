import assert from 'node:assert/strict';
import { test } from 'node:test';
import { displayName, exportName, relativePath } from './filename.ts';

test('a name is what people may see, and no path', () => {
  assert.equal(displayName('../../etc/passwd'), 'passwd');
  assert.equal(displayName('a\nb\u0000c.md'), 'abc.md');
  assert.equal(displayName('C:\\temp\\x.txt'), 'x.txt');
  assert.equal(displayName('gpj.\u202eexe'), 'gpj.exe');
  for (const nothing of ['', '..', '.', '/', '\n', undefined])
    assert.equal(displayName(nothing), undefined, String(nothing));
  assert.equal(displayName(`${'ü'.repeat(10_000)}.md`)?.length, 200);
  assert.match(displayName(`${'😀'.repeat(300)}.md`)!, /😀\.md$/);
  assert.equal(displayName('日本語 ノート.md'), '日本語 ノート.md');
});

test('paths of an import stay inside it', () => {
  assert.equal(relativePath('notes/a b/c.md'), 'notes/a b/c.md');
  assert.equal(relativePath('./notes//c.md'), 'notes/c.md');
  for (const bad of ['../x.md', 'a/../../x', 'x.md', '', undefined, 'a/\n'])
    assert.equal(relativePath(bad), undefined, String(bad));
});

test('names of an export are files everywhere', () => {
  assert.equal(exportName('What? A "note": 1/2'), '2');
  assert.equal(exportName('a<b>|c*.'), 'a_b__c_');
  assert.equal(exportName('...'), 'untitled');
});
