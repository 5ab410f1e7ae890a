/** What differs between stacks of layers. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { collectBytes } from '../std/index.ts';
import type { TreeDifference } from './compare.ts';
import { applyAll, type Fixture, layer, openFixture, skipUnlessRoot } from './fixture.ts';

const skip = skipUnlessRoot;
const base = (): Promise<Buffer> =>
  layer(
    ['same/', 'directory'],
    ['same/file', 'file', {}, 'unchanged'],
    ['d/', 'directory'],
    ['d/gone', 'file', {}, 'x'],
    ['d/kept', 'file', {}, 'x'],
    ['d/touched', 'file', { mtime: 5n }, 'equal'],
    ['d/content', 'file', {}, 'one'],
    ['d/longer', 'file', {}, 'one'],
    ['d/mode', 'file', { mode: 0o600 }, 'x'],
    ['d/owner', 'file', { uid: 1 }, 'x'],
    ['d/marked', 'file', {}, 'x'],
    ['d/soft', 'symlink', { linkName: Buffer.from('/etc/passwd') }],
    ['d/becomes', 'file', {}, 'x'],
    ['d/null', 'character', { major: 1, minor: 3 }],
    ['tree/', 'directory'],
    ['tree/inside/', 'directory'],
    ['tree/inside/file', 'file', {}, 'x'],
  );
const changes = (): Promise<Buffer> =>
  layer(
    ['d/', 'directory', { mtime: 9n }],
    ['d/.wh.gone', 'file'],
    ['d/touched', 'file', { mtime: 6n }, 'equal'],
    ['d/content', 'file', {}, 'two'],
    ['d/longer', 'file', {}, 'two more'],
    ['d/mode', 'file', { mode: 0o4755 }, 'x'],
    ['d/owner', 'file', { uid: 2 ** 31 }, 'x'],
    ['d/marked', 'file', { xattrs: new Map([['user.k', Buffer.from([0])]]) }, 'x'],
    ['d/soft', 'symlink', { linkName: Buffer.from('/etc/shadow') }],
    ['d/becomes/', 'directory'],
    ['d/becomes/inner', 'file', {}, 'y'],
    ['d/null', 'character', { major: 1, minor: 5 }],
    ['.wh.tree', 'file'],
    [Buffer.from('new\xff/', 'latin1'), 'directory'],
    [Buffer.from('new\xff/f', 'latin1'), 'file', {}, '12345'],
  );

async function compared(fixture: Fixture, from: string | undefined, to: string | undefined): Promise<TreeDifference[]> {
  const found: TreeDifference[] = [];
  for await (const each of fixture.snapshots.compare(from, to)) found.push(each);
  return found;
}

const told = (each: TreeDifference): string =>
  `${each.change} ${each.path.toString('latin1')}${each.change === 'changed' ? ` ${each.fields.join(',')}` : ''}`;

test('everything that differs is told once, parents first, and nothing else', { skip }, async () => {
  await using fixture = await openFixture();
  const [one, two] = [await applyAll(fixture.snapshots, await base()), undefined];
  const both = await applyAll(fixture.snapshots, await base(), await changes());
  const found = await compared(fixture, one, both);
  assert.deepEqual(found.map(told), [
    'changed d/becomes type',
    'added d/becomes/inner',
    'changed d/content content',
    'removed d/gone',
    'changed d/longer content',
    'changed d/marked attributes',
    'changed d/mode mode',
    'changed d/null device',
    'changed d/owner owner',
    'changed d/soft target',
    'added new\xff',
    'added new\xff/f',
    'removed tree',
    'removed tree/inside',
    'removed tree/inside/file',
  ]);
  const longer = found.find(({ path }) => path.toString() === 'd/longer') as TreeDifference & { change: 'changed' };
  assert.deepEqual([longer.from.size, longer.to.size], [3, 8]);
  const soft = found.find(({ path }) => path.toString() === 'd/soft') as TreeDifference & { change: 'changed' };
  assert.equal(soft.to.target?.toString(), '/etc/shadow');
  const back = await compared(fixture, both, one);
  assert.equal(back.length, found.length);
  assert.deepEqual(await compared(fixture, both, both), []);
  assert.equal((await compared(fixture, two, one)).length, 17);
});

test('the same files in other layers are the same', { skip }, async () => {
  await using fixture = await openFixture();
  const two = await applyAll(fixture.snapshots, await base(), await changes());
  using view = fixture.snapshots.view(two);
  await fixture.snapshots.prepare('flat', undefined);
  const { execFileSync } = await import('node:child_process');
  execFileSync('cp', ['-a', `${view.path}/.`, fixture.snapshots.mount('flat')]);
  const flat = await applyAll(fixture.snapshots, await collectBytes(fixture.snapshots.diff('flat'), 1 << 24));
  assert.deepEqual((await compared(fixture, two, flat)).map(told), []);
});

test('large files are compared to the last byte', { skip }, async () => {
  await using fixture = await openFixture();
  const content = 'x'.repeat(600_000);
  const files = (same: string, other: string): Promise<Buffer> =>
    layer(['same', 'file', { mtime: 1n }, same], ['other', 'file', {}, other], ['empty', 'file', {}, '']);
  const one = await applyAll(fixture.snapshots, await files(content, `${content}a`));
  const two = await applyAll(fixture.snapshots, await layer(), await files(content, `${content}b`));
  assert.deepEqual((await compared(fixture, one, two)).map(told), ['changed other content']);
});

test('a walk that nobody wants ends', { skip }, async () => {
  await using fixture = await openFixture();
  const one = await applyAll(fixture.snapshots, await base());
  const controller = new AbortController();
  controller.abort(new Error('enough'));
  const two = await applyAll(fixture.snapshots, await base(), await changes());
  const walk = async (): Promise<void> => {
    for await (const each of fixture.snapshots.compare(one, two, controller.signal)) void each;
  };
  await assert.rejects(walk(), /enough/);
});

test('single files of a stack: by plain path, through whiteouts, never through symlinks', { skip }, async () => {
  await using fixture = await openFixture();
  const id = await applyAll(
    fixture.snapshots,
    await layer(
      ['etc/', 'directory'],
      ['etc/passwd', 'file', {}, 'root'],
      ['etc/gone', 'file', {}, 'x'],
      ['escape', 'symlink', { linkName: Buffer.from('/etc') }],
      ['direct', 'symlink', { linkName: Buffer.from('/etc/passwd') }],
      ['fifo', 'fifo'],
    ),
    await layer(['etc/', 'directory'], ['etc/.wh.gone', 'file'], ['etc/new', 'file', {}, 'n']),
  );
  const files = fixture.snapshots.files(id);
  assert.equal((await collectBytes(files.read('/etc/passwd')!, 100)).toString(), 'root');
  assert.deepEqual(files.names('etc'), ['new', 'passwd']);
  for (const path of ['etc/gone', 'escape/passwd', 'direct', 'fifo', 'etc', 'etc/../etc/passwd', '', 'nope/x']) {
    assert.equal(files.read(path), undefined, path);
  }
  assert.deepEqual(files.names('escape'), []);
  assert.deepEqual(fixture.snapshots.files(undefined).names(''), []);
});
