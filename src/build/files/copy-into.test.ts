import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  ftruncateSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { PatternMatcher } from '../../dockerfile/index.ts';
import { getXattr, setXattr } from '../../linux/index.ts';
import { tarHeader, type TarSource, writeTar } from '../../oci/index.ts';
import { collectBytes } from '../../std/index.ts';
import { copyInto, type CopyRequest, type FileSource } from './copy-into.ts';
import { LentTree } from './lent-tree.ts';
import { changedMode } from './mode.ts';
import { type Selection, splitPivot } from './select.ts';

const skip = process.getuid?.() === 0 ? false : 'needs root (owners, devices)';
const now = 1_700_000_000_000_000_000n;

class Fixture implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), 'wherry-copy-'));
  readonly tree: LentTree;

  constructor() {
    mkdirSync(this.from(''));
    mkdirSync(this.to(''));
    this.tree = new LentTree(this.from(''));
  }

  from(name: string): string {
    return join(this.path, 'from', name);
  }

  to(name: string): string {
    return join(this.path, 'to', name);
  }

  write(path: string, content = 'x'): void {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
  }

  source(
    path: string,
    more: Partial<Selection & { keepOwner: boolean; dropped: number; unpack: boolean }> = {},
  ): FileSource {
    const { keepOwner = false, dropped, unpack = false, ...rest } = more;
    const selection = {
      path,
      isPattern: /[*?[]/.test(path),
      withParents: dropped !== undefined,
      exclude: [],
      ignore: undefined,
      ...rest,
    };
    return { kind: 'tree', tree: this.tree, selection, keepOwner, dropped: dropped ?? 0, unpack };
  }

  async copy(path: string | FileSource, destination: string, more: Partial<CopyRequest> = {}): Promise<string[]> {
    const sources = [typeof path === 'string' ? this.source(path) : path];
    const request = { sources, destination, owner: undefined, mode: undefined, now, ...more };
    await copyInto(this.to(''), request, new AbortController().signal);
    return this.list();
  }

  list(): string[] {
    return readdirSync(this.to(''), { recursive: true, encoding: 'utf8' }).sort();
  }

  /** Octal mode, owner and group. */
  facts(name: string): string {
    const { mode, uid, gid } = lstatSync(this.to(name));
    return `${(mode & 0o7777).toString(8)} ${uid}:${gid}`;
  }

  [Symbol.dispose](): void {
    this.tree[Symbol.dispose]();
    rmSync(this.path, { recursive: true });
  }
}

describe('copying into a root', { skip }, () => {
  test('a file: in its place, into a folder, into a folder that is made', async () => {
    using files = new Fixture();
    files.write(files.from('a'), '1');
    utimesSync(files.from('a'), 1000, 1000);
    // In this order: chown(2) takes the setuid bit away.
    chownSync(files.from('a'), 7, 8);
    chmodSync(files.from('a'), 0o4751);
    assert.deepEqual(await files.copy('/a', '/b'), ['b']);
    assert.deepEqual(await files.copy('/a', '/d/e/'), ['b', 'd', 'd/e', 'd/e/a']);
    assert.deepEqual(await files.copy('/a', '/d'), ['b', 'd', 'd/a', 'd/e', 'd/e/a']);
    await files.copy('/a', '/d/made/x/');
    assert.equal(files.facts('b'), '4751 0:0');
    assert.equal(files.facts('d/e'), '755 0:0');
    assert.equal(statSync(files.to('b')).mtimeMs, 1_000_000);
    assert.equal(statSync(files.to('d/made')).mtimeMs, Number(now / 1_000_000n));
  });

  test('a folder gives its content, with all that files have', async () => {
    using files = new Fixture();
    files.write(files.from('d/a'), '1');
    linkSync(files.from('d/a'), files.from('d/b'));
    symlinkSync('/nowhere', files.from('d/link'));
    mkdirSync(files.from('d/sub'), 0o710);
    chownSync(files.from('d/sub'), 3, 4);
    chmodSync(files.from('d'), 0o700);
    assert.ok(setXattr(Buffer.from(files.from('d/a')), 'trusted.x', Buffer.of(0, 255)) >= 0);
    const sparse = openSync(files.from('d/sparse'), 'w');
    writeSync(sparse, 'end', 8 << 20);
    ftruncateSync(sparse, 16 << 20);
    closeSync(sparse);
    assert.deepEqual(await files.copy(files.source('/d', { keepOwner: true }), '/new'), [
      'new',
      'new/a',
      'new/b',
      'new/link',
      'new/sparse',
      'new/sub',
    ]);
    // As BuildKit: the folder itself is a new one.
    assert.equal(files.facts('new'), '755 0:0');
    assert.equal(files.facts('new/sub'), '710 3:4');
    assert.equal(statSync(files.to('new/a')).ino, statSync(files.to('new/b')).ino);
    assert.equal(readlinkSync(files.to('new/link')), '/nowhere');
    assert.deepEqual(getXattr(Buffer.from(files.to('new/a')), 'trusted.x'), Buffer.of(0, 255));
    const copied = statSync(files.to('new/sparse'));
    assert.equal(copied.size, 16 << 20);
    assert.ok(copied.blocks * 512 < 1 << 20, `${copied.blocks} blocks`);
    assert.equal(readFileSync(files.to('new/sparse')).toString('utf8', 8 << 20, (8 << 20) + 3), 'end');
  });

  test('large files go by way of the kernel, their holes stay holes', async () => {
    using files = new Fixture();
    const dense = randomBytes((18 << 20) + 3);
    mkdirSync(files.from('d'));
    writeFileSync(files.from('d/dense'), dense, { mode: 0o640 });
    const file = openSync(files.from('d/sparse'), 'w');
    writeSync(file, dense, 0, 2 << 20, 8 << 20);
    writeSync(file, dense, 0, 1 << 20, 32 << 20);
    ftruncateSync(file, 100 << 20);
    closeSync(file);
    await files.copy('/d', '/to/');
    assert.ok(readFileSync(files.to('to/dense')).equals(dense));
    assert.equal(files.facts('to/dense'), '640 0:0');
    assert.ok(readFileSync(files.to('to/sparse')).equals(readFileSync(files.from('d/sparse'))));
    assert.ok(statSync(files.to('to/sparse')).blocks * 512 < 4 << 20);
    assert.equal(statSync(files.to('to/dense')).mtimeMs, statSync(files.from('d/dense')).mtimeMs);
  });

  test('folders are merged, a folder and a file do not replace each other', async () => {
    using files = new Fixture();
    files.write(files.from('d/sub/a'), 'new');
    files.write(files.to('t/sub/a'), 'old');
    files.write(files.to('t/sub/b'), 'old');
    assert.deepEqual(await files.copy('/d', '/t'), ['t', 't/sub', 't/sub/a', 't/sub/b']);
    assert.equal(readFileSync(files.to('t/sub/a'), 'utf8'), 'new');
    await assert.rejects(files.copy('/d', '/t/sub/b'), {
      kind: 'invalid',
      message: 'cannot copy to non-directory: /t/sub/b',
    });
    await assert.rejects(files.copy('/d/sub/a', '/t/sub/b/'), {
      kind: 'invalid',
      message: 'mkdir /t/sub/b: not a directory',
    });
    files.write(files.to('u/sub'), 'a file');
    await assert.rejects(files.copy('/d', '/u'), { kind: 'invalid', message: /cannot overwrite non-directory "sub"/ });
    files.write(files.from('e/sub'), 'a file');
    await assert.rejects(files.copy('/e', '/t'), { kind: 'invalid', message: /cannot overwrite directory "sub"/ });
  });

  test("the destination's links are followed, inside the root only", async () => {
    using files = new Fixture();
    files.write(files.from('a'), 'hostile');
    const outside = join(files.path, 'outside');
    mkdirSync(outside);
    symlinkSync(outside, files.to('absolute'));
    symlinkSync('../../../../../../../../etc', files.to('up'));
    symlinkSync('real', files.to('link'));
    writeFileSync(files.to('real'), 'old');
    await files.copy('/a', '/absolute/');
    await files.copy('/a', '/up/deep/');
    await files.copy('/a', '/link');
    assert.deepEqual(readdirSync(outside), []);
    assert.equal(existsSync('/etc/deep'), false);
    assert.equal(readFileSync(files.to('etc/deep/a'), 'utf8'), 'hostile');
    assert.equal(readFileSync(files.to(`${outside}/a`), 'utf8'), 'hostile');
    assert.equal(readFileSync(files.to('real'), 'utf8'), 'hostile');
    assert.ok(lstatSync(files.to('link')).isSymbolicLink());
  });

  test('a link in a source that an earlier file of it would go through', async () => {
    using files = new Fixture();
    files.write(files.from('one/x/file'));
    mkdirSync(files.from('two'));
    symlinkSync(files.from(''), files.from('two/x'));
    await files.copy('/two', '/t');
    await assert.rejects(files.copy('/one', '/t'), { kind: 'invalid', message: /cannot overwrite non-directory "x"/ });
    assert.equal(existsSync(files.from('file')), false);
  });

  test('owner and mode: for files, folders and what is made', async () => {
    using files = new Fixture();
    files.write(files.to('etc/passwd'), 'root:x:0:0::/:\nweb:x:33:44::/:\n');
    files.write(files.to('etc/group'), 'staff:x:50:\n');
    files.write(files.from('d/sub/a'));
    symlinkSync('a', files.from('d/link'));
    await files.copy('/d', '/byname', { owner: 'web:staff', mode: 0o640 });
    assert.deepEqual(
      ['byname', 'byname/sub', 'byname/sub/a', 'byname/link'].map((name) => files.facts(name)),
      ['640 33:50', '640 33:50', '640 33:50', '777 33:50'],
    );
    await files.copy('/d', '/user', { owner: 'web' });
    assert.equal(files.facts('user/sub/a').split(' ')[1], '33:44');
    await files.copy('/d', '/number', { owner: '55' });
    assert.equal(files.facts('number/sub/a').split(' ')[1], '55:55');
    // As BuildKit has it: a name that is not there is root, and without a file there are no names.
    await files.copy('/d', '/x', { owner: 'nobody:nobodies' });
    assert.equal(files.facts('x/sub/a').split(' ')[1], '0:0');
    rmSync(files.to('etc'), { recursive: true });
    await assert.rejects(files.copy('/d', '/y', { owner: 'web' }), {
      kind: 'invalid',
      message: 'invalid user index: -1',
    });
    await assert.rejects(files.copy('/d', '/y', { owner: '4294967295' }), { kind: 'invalid' });
    assert.equal(existsSync(files.to('y')), false);
  });

  test("a root's passwd that leads out is not read", async () => {
    using files = new Fixture();
    files.write(files.from('a'));
    mkdirSync(files.to('etc'));
    symlinkSync('/proc/self/root/etc/passwd', files.to('etc/passwd'));
    await assert.rejects(files.copy('/a', '/b', { owner: 'root' }), { kind: 'invalid' });
  });

  test('a heredoc', async () => {
    using files = new Fixture();
    const inline = { kind: 'inline', name: 'script', content: Buffer.from('hello\n') } as const;
    assert.deepEqual(await files.copy(inline, '/bin/', { mode: '+x', owner: '1:2' }), ['bin', 'bin/script']);
    await files.copy(inline, '/as');
    assert.deepEqual([files.facts('bin/script'), files.facts('as')], ['755 1:2', '644 0:0']);
    assert.equal(readFileSync(files.to('as'), 'utf8'), 'hello\n');
    assert.equal(statSync(files.to('as')).mtimeMs, Number(now / 1_000_000n));
  });

  test('what is ignored or excluded stays where it is', async () => {
    using files = new Fixture();
    for (const name of ['d/a', 'd/b.md', 'd/sub/c.md', 'd/sub/d', 'e/f']) files.write(files.from(name));
    const source = files.source('/', { ignore: new PatternMatcher(['e', 'd/sub/d']), exclude: ['**/*.md'] });
    assert.deepEqual(await files.copy(source, '/t'), ['t', 't/d', 't/d/a', 't/d/sub']);
  });

  test('a pattern: files into the folder, the content of folders', async () => {
    using files = new Fixture();
    for (const name of ['a1', 'a2/x', 'b']) files.write(files.from(name));
    assert.deepEqual(await files.copy('/a*', '/t/'), ['t', 't/a1', 't/x']);
    assert.deepEqual(await files.copy('/none*', '/u/'), ['t', 't/a1', 't/x', 'u']);
  });

  test('--parents keeps the folders from the pivot on, as they are', async () => {
    using files = new Fixture();
    for (const name of ['x/y/a', 'x/y/b.txt', 'x/z/c.txt', 'w/d.txt']) files.write(files.from(name));
    chmodSync(files.from('x/y'), 0o710);
    const kept = (text: string): FileSource => {
      const { path, dropped } = splitPivot(text);
      return files.source(path, { dropped });
    };
    assert.deepEqual(await files.copy(kept('/x/y/a'), '/all/'), ['all', 'all/x', 'all/x/y', 'all/x/y/a']);
    assert.equal(files.facts('all/x/y'), '710 0:0');
    rmSync(files.to('all'), { recursive: true });
    assert.deepEqual(await files.copy(kept('/x/./y/a'), '/t/'), ['t', 't/y', 't/y/a']);
    rmSync(files.to('t'), { recursive: true });
    assert.deepEqual(await files.copy(kept('/./**/*.txt'), '/t/'), [
      't',
      't/w',
      't/w/d.txt',
      't/x',
      't/x/y',
      't/x/y/b.txt',
      't/x/z',
      't/x/z/c.txt',
    ]);
    rmSync(files.to('t'), { recursive: true });
    assert.deepEqual(await files.copy(kept('/x/y'), '/t/'), ['t', 't/x', 't/x/y', 't/x/y/a', 't/x/y/b.txt']);
  });

  test('ADD opens archives, and copies what only looks like one', async () => {
    using files = new Fixture();
    const body = Buffer.from('in the archive');
    const entries: TarSource[] = [
      { header: tarHeader('sub/file', 'file', { size: body.length, uid: 7, gid: 8, mode: 0o640 }), body },
      { header: tarHeader('hard', 'hardlink', { linkName: Buffer.from('sub/file') }) },
    ];
    const tar = await collectBytes(writeTar(entries), 1 << 20);
    writeFileSync(files.from('a.tar'), tar);
    writeFileSync(files.from('b.gz'), gzipSync(tar));
    writeFileSync(files.from('c.gz'), gzipSync('no archive'));
    writeFileSync(files.from('d.tar'), 'neither');
    writeFileSync(files.from('zeros'), Buffer.alloc(10_240));
    const add = (path: string, destination: string): Promise<string[]> =>
      files.copy(files.source(path, { unpack: true }), destination, { owner: '1:1' });
    assert.deepEqual(await add('/a.tar', '/a'), ['a', 'a/hard', 'a/sub', 'a/sub/file']);
    assert.deepEqual([files.facts('a/sub/file'), files.facts('a/hard')], ['640 1:1', '640 1:1']);
    rmSync(files.to('a'), { recursive: true });
    assert.deepEqual(await add('/b.gz', '/a/'), ['a', 'a/hard', 'a/sub', 'a/sub/file']);
    rmSync(files.to('a'), { recursive: true });
    await add('/c.gz', '/');
    await add('/d.tar', '/');
    assert.deepEqual(await add('/zeros', '/'), ['c.gz', 'd.tar', 'zeros']);
    assert.deepEqual(await files.copy('/a.tar', '/copied.tar'), ['c.gz', 'copied.tar', 'd.tar', 'zeros']);
  });

  test('an archive does not lead out of the root', async () => {
    using files = new Fixture();
    const outside = join(files.path, 'outside');
    mkdirSync(outside);
    const body = Buffer.from('x');
    for (const [index, entries] of [
      [{ header: tarHeader('../../outside/file', 'file', { size: 1 }), body }],
      [
        { header: tarHeader('link', 'symlink', { linkName: Buffer.from(outside) }) },
        { header: tarHeader('link/file', 'file', { size: 1 }), body },
      ],
      [{ header: tarHeader('hard', 'hardlink', { linkName: Buffer.from('../../../../../../etc/passwd') }) }],
    ].entries()) {
      writeFileSync(files.from(`${index}.tar`), await collectBytes(writeTar(entries), 1 << 20));
      await assert.rejects(files.copy(files.source(`/${index}.tar`, { unpack: true }), '/t/'));
      assert.deepEqual(readdirSync(outside), []);
    }
  });

  test('the same twice makes the same', async () => {
    using files = new Fixture();
    files.write(files.from('d/sub/a'));
    await files.copy('/d', '/one');
    await files.copy('/d', '/two');
    for (const name of ['', '/sub', '/sub/a'])
      assert.equal(statSync(files.to(`one${name}`)).mtimeMs, statSync(files.to(`two${name}`)).mtimeMs);
  });
});

describe('--chmod', () => {
  for (const [mode, change, isDirectory, expected] of [
    [0o644, 0o755, false, 0o755],
    [0o644, 'u+x', false, 0o744],
    [0o644, '+x', false, 0o755],
    [0o777, 'go-w', false, 0o755],
    [0o640, 'o=g', false, 0o644],
    [0o644, 'a+X', false, 0o644],
    [0o644, 'a+X', true, 0o755],
    [0o744, 'go+X', false, 0o755],
    [0o6755, 'u=rw,g=r,o=', false, 0o640],
    [0o755, 'u+s,g+s', false, 0o6755],
    [0o755, '+t', true, 0o1755],
    [0o600, 'u=rwX,go=u-w', true, 0o755],
    [0o000, 'ug+rw-r', false, 0o220],
  ] as const) {
    test(`${change.toString(8)} on ${mode.toString(8)}${isDirectory ? ' (a folder)' : ''}`, () =>
      assert.equal(changedMode(mode, change, isDirectory).toString(8), expected.toString(8)));
  }
});
