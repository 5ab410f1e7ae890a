import assert from 'node:assert/strict';
import {
  chmodSync,
  chownSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import { PatternMatcher } from '../../dockerfile/index.ts';
import { setXattr } from '../../linux/index.ts';
import { contentDigest } from './content-digest.ts';
import { LentTree } from './lent-tree.ts';
import { selectSources, type Selection, walkSource } from './select.ts';

const live = new AbortController().signal;
const root = process.getuid?.() === 0 ? false : 'needs root (owners, devices)';

class Fixture implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), 'wherry-files-'));

  constructor(files: Record<string, string> = {}) {
    for (const [name, content] of Object.entries(files)) this.write(name, content);
  }

  at(name: string): string {
    return join(this.path, name);
  }

  write(name: string, content: string): void {
    mkdirSync(dirname(this.at(name)), { recursive: true });
    writeFileSync(this.at(name), content);
  }

  selected(path: string, more: Partial<Selection> = {}): string[] {
    using tree = new LentTree(this.path);
    const selection = selectionOf(path, more);
    return selectSources(tree, selection).map(({ path: real, name }) => `${name.toString()} ${real.toString()}`);
  }

  walked(path: string, more: Partial<Selection> = {}): string[] {
    using tree = new LentTree(this.path);
    const selection = selectionOf(path, more);
    return selectSources(tree, selection).flatMap((source) =>
      [...walkSource(tree, source, selection)].map((entry) => entry.path.toString()),
    );
  }

  async digest(path: string, more: Partial<Selection> = {}): Promise<string> {
    using tree = new LentTree(this.path);
    return await contentDigest(tree, selectionOf(path, more), live);
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true });
  }
}

function selectionOf(path: string, more: Partial<Selection>): Selection {
  return { path, isPattern: /[*?[]/.test(path), withParents: false, exclude: [], ignore: undefined, ...more };
}

const openDescriptors = (): number => readdirSync('/proc/self/fd').length;

describe('sources', () => {
  test('a name, the root, and what is not there', () => {
    using files = new Fixture({ 'a/b/c': '1', d: '2' });
    assert.deepEqual(files.selected('/a/b'), ['b /a/b']);
    assert.deepEqual(files.selected('/'), [' /']);
    assert.throws(() => files.selected('/a/x'), { kind: 'not-found', message: '"/a/x": not found' });
    assert.throws(() => files.selected('/d/x'), { kind: 'not-found' });
  });

  test('links lead inside the tree, and are named as written', () => {
    using outside = new Fixture({ secret: 'x' });
    using files = new Fixture({ 'etc/real': 'inside' });
    symlinkSync('/etc/real', files.at('absolute'));
    symlinkSync('../../../../../../etc', files.at('up'));
    symlinkSync(outside.at('secret'), files.at('out'));
    symlinkSync('loop', files.at('loop'));
    assert.deepEqual(files.selected('/absolute'), ['absolute /etc/real']);
    assert.deepEqual(files.selected('/up/real'), ['real /etc/real']);
    assert.throws(() => files.selected('/out'), { kind: 'not-found' });
    assert.throws(() => files.selected('/loop'), { kind: 'not-found' });
    assert.deepEqual(files.walked('/'), ['', 'absolute', 'etc', 'etc/real', 'loop', 'out', 'up']);
  });

  test('patterns: one folder deep a slash, sorted, and nothing is fine', () => {
    using files = new Fixture({ 'b.txt': '', 'a.txt': '', 'd/c.txt': '', 'd/e/f.txt': '', 'dx/y': '' });
    assert.deepEqual(files.selected('/*.txt'), ['a.txt /a.txt', 'b.txt /b.txt']);
    assert.deepEqual(files.selected('/d*/*'), ['c.txt /d/c.txt', 'e /d/e', 'y /dx/y']);
    assert.deepEqual(files.selected('/d*'), ['d /d', 'dx /dx']);
    assert.deepEqual(files.selected('/d/[a-c].txt'), ['c.txt /d/c.txt']);
    assert.deepEqual(files.selected('/none*'), []);
    assert.deepEqual(files.selected('/none/*'), []);
    assert.throws(() => files.selected('/[a'), { kind: 'invalid', message: /syntax error in pattern/ });
  });

  test('.dockerignore hides, and what it includes again shows with its folders', () => {
    using files = new Fixture({ 'a/keep': '', 'a/b/keep': '', 'a/b/drop': '', 'c/drop': '', top: '' });
    const ignore = new PatternMatcher(['*', '!**/keep']);
    assert.deepEqual(files.walked('/', { ignore }), ['', 'a', 'a/b', 'a/b/keep', 'a/keep']);
    assert.deepEqual(files.walked('/a/b', { ignore }), ['', 'keep']);
    assert.throws(() => files.selected('/top', { ignore }), { kind: 'not-found' });
    assert.deepEqual(files.selected('/*', { ignore: new PatternMatcher(['a', 'top']) }), ['c /c']);
  });

  test('--exclude is relative to what is copied', () => {
    using files = new Fixture({ 'd/a.txt': '', 'd/b.md': '', 'd/e/c.txt': '', 'x.txt': '' });
    assert.deepEqual(files.walked('/d', { exclude: ['*.txt'] }), ['', 'b.md', 'e', 'e/c.txt']);
    assert.deepEqual(files.walked('/d', { exclude: ['**/*.txt'] }), ['', 'b.md', 'e']);
    assert.deepEqual(files.walked('/d', { exclude: ['e'] }), ['', 'a.txt', 'b.md']);
    // What is named itself is never left out.
    assert.deepEqual(files.walked('/*', { exclude: ['*.txt'] }), ['', 'b.md', 'e', 'e/c.txt', '']);
  });

  test('a walk that is left early closes what it opened', () => {
    using files = new Fixture({ 'a/b/c/d': '' });
    const before = openDescriptors();
    {
      using tree = new LentTree(files.path);
      for (const entry of tree.walk(Buffer.from('/'), 0, () => ({ choice: 'take', state: 0 }))) {
        if (entry.path.toString() === 'a/b/c') break;
      }
    }
    assert.equal(openDescriptors(), before);
  });

  test('names that are not UTF-8', () => {
    using files = new Fixture();
    writeFileSync(Buffer.concat([Buffer.from(`${files.path}/`), Buffer.of(0xff, 0x61)]), 'x');
    using tree = new LentTree(files.path);
    const [source] = selectSources(tree, selectionOf('/', {}));
    const names = [...walkSource(tree, source!, selectionOf('/', {}))].map(({ path }) => path.toString('hex'));
    assert.deepEqual(names, ['', 'ff61']);
  });
});

describe('content digests', { skip: root }, () => {
  test('times do not count', async () => {
    using files = new Fixture({ 'd/a': '1', 'd/b': '2' });
    const before = await files.digest('/d');
    utimesSync(files.at('d/a'), 1000, 1000);
    utimesSync(files.at('d'), 1000, 1000);
    assert.equal(await files.digest('/d'), before);
    assert.match(before, /^sha256:[0-9a-f]{64}$/);
  });

  const changes: Record<string, (files: Fixture) => void> = {
    content: (files) => files.write('d/a', '2'),
    'a name': (files) => renameSync(files.at('d/a'), files.at('d/c')),
    'a mode': (files) => chmodSync(files.at('d/a'), 0o600),
    'an owner': (files) => chownSync(files.at('d/a'), 5, 0),
    'a group': (files) => chownSync(files.at('d/a'), 0, 5),
    'the mode of the folder itself': (files) => chmodSync(files.at('d'), 0o700),
    'an empty folder more': (files) => mkdirSync(files.at('d/new')),
    "a link's target": (files) => {
      rmSync(files.at('d/link'));
      symlinkSync('b', files.at('d/link'));
    },
    'a folder in the place of a file': (files) => {
      rmSync(files.at('d/empty'));
      mkdirSync(files.at('d/empty'));
    },
    'an extended attribute': (files) => {
      assert.ok(setXattr(Buffer.from(files.at('d/a')), 'trusted.x', Buffer.from('y')) >= 0);
    },
    'bytes moved to the next file': (files) => {
      files.write('d/a', '');
      files.write('d/b', '112');
    },
  };
  for (const [what, change] of Object.entries(changes)) {
    test(`${what} counts`, async () => {
      using files = new Fixture({ 'd/a': '1', 'd/b': '2', 'd/empty': '' });
      symlinkSync('a', files.at('d/link'));
      const before = await files.digest('/d');
      change(files);
      assert.notEqual(await files.digest('/d'), before);
    });
  }

  test('only what is selected counts', async () => {
    using files = new Fixture({ 'd/a': '1', 'd/b': '2', other: '3' });
    const ignore = new PatternMatcher(['d/b']);
    const before = [
      await files.digest('/d', { exclude: ['b'] }),
      await files.digest('/d', { ignore }),
      await files.digest('/*a'),
    ];
    files.write('d/b', 'changed');
    files.write('other', 'changed');
    const after = [
      await files.digest('/d', { exclude: ['b'] }),
      await files.digest('/d', { ignore }),
      await files.digest('/*a'),
    ];
    assert.deepEqual(after, before);
    assert.equal(before[0], before[1]);
  });

  test('where a single path is does not count, what a pattern finds is known by name', async () => {
    using files = new Fixture({ 'x/a': '1', 'y/b': '1' });
    assert.equal(await files.digest('/x/a'), await files.digest('/y/b'));
    assert.notEqual(await files.digest('/x/*'), await files.digest('/y/*'));
  });

  test('--parents: the folders on the way count, by name and with what they have', async () => {
    using files = new Fixture({ 'x/y/a': '1', 'z/y/a': '1' });
    const one = await files.digest('/x/y/a', { withParents: true });
    assert.notEqual(await files.digest('/z/y/a', { withParents: true }), one);
    chmodSync(files.at('x'), 0o700);
    assert.notEqual(await files.digest('/x/y/a', { withParents: true }), one);
    assert.equal(await files.digest('/x/y/a'), await files.digest('/z/y/a'));
  });

  test('another name of the same inode is as good as a copy', async () => {
    using one = new Fixture({ a: '1', b: '1' });
    using other = new Fixture({ a: '1' });
    linkSync(other.at('a'), other.at('b'));
    assert.equal(await one.digest('/'), await other.digest('/'));
  });

  test('it can be cancelled, and closes what it opened', async () => {
    using files = new Fixture({ big: 'x'.repeat(64 << 20) });
    const before = openDescriptors();
    {
      using tree = new LentTree(files.path);
      const cancel = new AbortController();
      const digesting = contentDigest(tree, selectionOf('/', {}), cancel.signal);
      cancel.abort(new Error('gone'));
      await assert.rejects(digesting, /gone/);
    }
    assert.equal(openDescriptors(), before);
  });
});
