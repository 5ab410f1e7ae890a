/** What is told of a tree, and in which order. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, linkSync, lutimesSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { folderOf, toldOf } from '../fixture.ts';
import type { TreeStat } from './tree-stat.ts';
import type { TreeOptions } from './walk-tree.ts';

class Tree implements Disposable {
  readonly root = mkdtempSync(join(tmpdir(), 'wherry-walk-'));

  told(options: TreeOptions = {}): Promise<TreeStat[]> {
    return toldOf(this.root, options);
  }

  async paths(options: TreeOptions = {}): Promise<string[]> {
    return (await this.told(options)).map(({ path }) => path);
  }

  [Symbol.dispose](): void {
    rmSync(this.root, { recursive: true, force: true });
  }
}

test('each folder before what is in it, siblings by the bytes of their names', async () => {
  using tree = new Tree();
  folderOf(tree.root, { 'a/b': '', 'a-b': '', 'a.b': '', ab: '', B: '', 'a/é': '', 'a/\u{10000}': '', 'a/\uffee': '' });
  assert.deepEqual(await tree.paths(), ['B', 'a', 'a/b', 'a/é', 'a/\uffee', 'a/\u{10000}', 'a-b', 'a.b', 'ab']);
});

test('modes, sizes, times to the nanosecond, links, owners', async () => {
  using tree = new Tree();
  folderOf(tree.root, { file: 'hello' });
  chmodSync(join(tree.root, 'file'), 0o4751);
  symlinkSync('no where', join(tree.root, 'link'));
  mkdirSync(join(tree.root, 'sticky'));
  chmodSync(join(tree.root, 'sticky'), 0o1777);
  execFileSync('touch', ['-d', '2001-02-03T04:05:06.123456789Z', join(tree.root, 'file')]);
  const [file, link, sticky] = await tree.told({ owner: { uid: 0, gid: 0 } });
  assert.deepEqual(
    { ...file, xattrs: 0 },
    {
      path: 'file',
      mode: 0o751 + (1 << 23),
      uid: 0,
      gid: 0,
      size: 5,
      modified: 981_173_106_123_456_789n,
      linkName: '',
      deviceMajor: 0,
      deviceMinor: 0,
      xattrs: 0,
    },
  );
  assert.deepEqual([link?.linkName, link?.mode], ['no where', (1 << 27) + 0o777]);
  assert.equal(sticky?.mode, 2 ** 31 + (1 << 20) + 0o777);
});

test('another name of a file is a hard link to the first', async () => {
  using tree = new Tree();
  folderOf(tree.root, { 'b/first': 'content' });
  linkSync(join(tree.root, 'b/first'), join(tree.root, 'c'));
  linkSync(join(tree.root, 'b/first'), join(tree.root, 'a'));
  const links = (await tree.told()).map(({ path, linkName, size }) => [path, linkName, size]);
  assert.deepEqual(links, [
    ['a', '', 7],
    ['b', '', 0],
    ['b/first', 'a', 0],
    ['c', 'a', 0],
  ]);
});

test('named pipes where they are wanted, sockets never', async () => {
  using tree = new Tree();
  execFileSync('mkfifo', ['-m', '640', join(tree.root, 'pipe')]);
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(join(tree.root, 'socket'), () => resolve()));
  assert.deepEqual(await tree.paths(), []);
  const [pipe, ...others] = await tree.told({ withNodes: true });
  assert.deepEqual([pipe?.path, pipe?.mode, others.length], ['pipe', (1 << 25) + 0o640, 0]);
  server.close();
});

test('a name that is no UTF-8 is refused, by its place', async () => {
  using tree = new Tree();
  mkdirSync(join(tree.root, 'd'));
  writeFileSync(Buffer.concat([Buffer.from(`${tree.root}/d/`), Buffer.from([0x61, 0xff])]), '');
  await assert.rejects(tree.paths(), { kind: 'invalid', message: /d\/a.*not UTF-8/ });
});

test('a folder that is told only for what is in it; one that is left out whole is not read', async () => {
  using tree = new Tree();
  folderOf(tree.root, { 'a/b/c': '', 'a/d': '', 'e/f': '' });
  const asked: string[] = [];
  const selection = {
    top: '',
    look(path: string, isFolder: boolean) {
      asked.push(path);
      return { isTold: path === 'a/b/c', below: isFolder && path !== 'e' ? path : undefined };
    },
  };
  assert.deepEqual(await tree.paths({ selection }), ['a', 'a/b', 'a/b/c']);
  assert.deepEqual(asked, ['a', 'a/b', 'a/b/c', 'a/d', 'e']);
});

test('what goes while it is walked is not told, what is not there at all is a fault', async () => {
  using tree = new Tree();
  folderOf(tree.root, { a: '', b: '' });
  const selection = {
    top: 0,
    look(path: string) {
      if (path === 'a') rmSync(join(tree.root, 'b'));
      return { isTold: true, below: undefined };
    },
  };
  assert.deepEqual(await tree.paths({ selection }), ['a']);
  lutimesSync(tree.root, 1, 1);
  rmSync(tree.root, { recursive: true });
  await assert.rejects(tree.paths(), { kind: 'forbidden', message: /Cannot read/ });
});
