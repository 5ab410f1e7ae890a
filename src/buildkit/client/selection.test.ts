/** What a builder's patterns take of a folder, as fsutil's filter would. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { folderOf, toldOf } from '../fixture.ts';
import { followLinks } from './follow-links.ts';
import { selectionOf, type Wanted } from './selection.ts';

class Tree implements Disposable {
  readonly root = mkdtempSync(join(tmpdir(), 'wherry-select-'));

  constructor(files: readonly string[], links: Readonly<Record<string, string>> = {}) {
    folderOf(this.root, Object.fromEntries(files.map((name) => [name, ''])));
    for (const [name, target] of Object.entries(links)) symlinkSync(target, join(this.root, name));
  }

  /** Files and links; folders show by them. */
  async taken(wanted: Partial<Wanted>): Promise<string[]> {
    const selection = selectionOf(this.root, { includes: [], excludes: [], followPaths: [], ...wanted });
    const told = await toldOf(this.root, { selection });
    return told.filter(({ mode }) => mode < 2 ** 31).map(({ path }) => path);
  }

  [Symbol.dispose](): void {
    rmSync(this.root, { recursive: true, force: true });
  }
}

const files = ['a/b/c', 'a/b/d.log', 'a/e', 'f.log', 'node_modules/x/y', 'g'];

test('nothing said is everything', async () => {
  using tree = new Tree(files);
  assert.deepEqual(await tree.taken({}), ['a/b/c', 'a/b/d.log', 'a/e', 'f.log', 'g', 'node_modules/x/y']);
});

test('excludes, and what they take back', async () => {
  using tree = new Tree(files);
  assert.deepEqual(await tree.taken({ excludes: ['node_modules', '**/*.log'] }), ['a/b/c', 'a/e', 'g']);
  assert.deepEqual(await tree.taken({ excludes: ['*', '!a/b', 'a/b/c'] }), ['a/b/d.log']);
  assert.deepEqual(await tree.taken({ excludes: ['a', '!a/b/c'] }), ['a/b/c', 'f.log', 'g', 'node_modules/x/y']);
});

test('includes, alone and below what is excluded', async () => {
  using tree = new Tree(files);
  assert.deepEqual(await tree.taken({ includes: ['a/b'] }), ['a/b/c', 'a/b/d.log']);
  assert.deepEqual(await tree.taken({ includes: ['./g', '*.log', 'a/*/c'] }), ['a/b/c', 'f.log', 'g']);
  assert.deepEqual(await tree.taken({ includes: ['a', 'g'], excludes: ['a/b'] }), ['a/e', 'g']);
  assert.deepEqual(await tree.taken({ includes: ['nowhere'] }), []);
});

test('paths with what links on their way lead to', async () => {
  using tree = new Tree(['real/deep/file', 'real/other', 'z'], { link: 'real', 'real/up': '../z', loop: 'loop' });
  assert.deepEqual(await tree.taken({ followPaths: ['link/deep'] }), ['link', 'real/deep/file']);
  assert.deepEqual(await tree.taken({ followPaths: ['real/up'] }), ['real/up', 'z']);
  assert.deepEqual(await tree.taken({ followPaths: ['lin*/other'] }), ['link', 'real/other']);
  assert.deepEqual(await tree.taken({ followPaths: ['loop', 'missing'] }), ['loop']);
  assert.deepEqual(await tree.taken({ followPaths: ['.'] }), await tree.taken({}));
});

test('links never lead out of the folder', () => {
  using tree = new Tree(['in/file'], { up: '../../../../in', absolute: '/in', 'in/far': '/etc/passwd' });
  assert.deepEqual(followLinks(tree.root, ['up/file']), ['in/file', 'up']);
  assert.deepEqual(followLinks(tree.root, ['absolute/file', '/in/far']), [
    'absolute',
    'etc/passwd',
    'in/far',
    'in/file',
  ]);
  assert.deepEqual(followLinks(tree.root, ['../in']), ['in']);
  assert.equal(followLinks(tree.root, ['/', 'in']), undefined);
});
