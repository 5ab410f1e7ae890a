/** Unpacking: fidelity, whiteouts over several layers, and archives that try to get out. */
import assert from 'node:assert/strict';
import {
  type BigIntStats,
  existsSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { getXattr } from '../linux/index.ts';
import { sha256 } from '../oci/index.ts';
import { applyAll, bytesOf, layer, type Line, listing, openFixture, sh, skipUnlessRoot } from './fixture.ts';

const skip = skipUnlessRoot;

test('owners, modes, times, xattrs, links and devices arrive as archived', { skip }, async () => {
  await using fixture = await openFixture();
  const mtime = 1_234_567_890_123_456_789n;
  const capability = Buffer.from('0100000280000000000000000000000000000000', 'hex');
  const tar = await layer(
    ['./', 'directory', { mode: 0o751, uid: 12, mtime }],
    ['d', 'directory', { mode: 0o2775, gid: 4_000_000, mtime, xattrs: new Map([['user.d', Buffer.from([0, 255])]]) }],
    [
      'd/f',
      'file',
      { mode: 0o4755, uid: 3_000_000, gid: 5, mtime, xattrs: new Map([['security.capability', capability]]) },
      'data',
    ],
    ['d/hard', 'hardlink', { linkName: Buffer.from('d/f') }],
    ['soft', 'symlink', { linkName: Buffer.from('/nowhere'), uid: 7, mtime }],
    ['null', 'character', { mode: 0o666, major: 1, minor: 3 }],
    ['disk', 'block', { mode: 0o660, major: 300, minor: 70_000 }],
    ['pipe', 'fifo', { mode: 0o600, mtime }],
    ['implied/by/parent', 'file', {}, ''],
  );
  const id = await applyAll(fixture.snapshots, tar);
  assert.equal(fixture.snapshots.layerSize(id), 4 + '/nowhere'.length);
  using view = fixture.snapshots.view(id);
  const stat = (name: string) => lstatSync(join(view.path, name), { bigint: true });
  assert.deepEqual([stat('.').mode & 0o7777n, stat('.').uid, stat('.').mtimeNs], [0o751n, 12n, mtime]);
  assert.deepEqual([stat('d').mode & 0o7777n, stat('d').gid, stat('d').mtimeNs], [0o2775n, 4_000_000n, mtime]);
  assert.deepEqual(
    [stat('d/f').mode & 0o7777n, stat('d/f').uid, stat('d/f').gid, stat('d/f').mtimeNs],
    [0o4755n, 3_000_000n, 5n, mtime],
  );
  assert.equal(stat('d/hard').nlink, 2n);
  assert.deepEqual(
    [stat('soft').uid, stat('soft').mtimeNs, readlinkSync(join(view.path, 'soft'))],
    [7n, mtime, '/nowhere'],
  );
  assert.equal(stat('null').rdev, 0x103n);
  assert.equal(stat('disk').rdev, (300n << 8n) | BigInt(70_000 & 0xff) | (BigInt(70_000 & ~0xff) << 12n));
  assert.ok(stat('pipe').isFIFO());
  assert.equal(stat('implied/by').mode & 0o7777n, 0o755n);
  assert.deepEqual(getXattr(Buffer.from(join(view.path, 'd')), 'user.d'), Buffer.from([0, 255]));
  assert.deepEqual(getXattr(Buffer.from(join(view.path, 'd/f')), 'security.capability'), capability);
});

test('whiteouts hide names of layers below, and only those', { skip }, async () => {
  await using fixture = await openFixture();
  const base = await layer(
    ['a/', 'directory'],
    ['a/gone', 'file', {}, '1'],
    ['a/kept', 'file', {}, '1'],
    ['b/', 'directory'],
    ['b/old', 'file', {}, '1'],
    ['c', 'file', {}, '1'],
    ['e/', 'directory'],
    ['e/old', 'file', {}, '1'],
  );
  const upper = await layer(
    ['a/', 'directory'],
    ['a/.wh.gone', 'file'],
    ['b/', 'directory'],
    ['b/new', 'file', {}, '2'],
    ['b/.wh..wh..opq', 'file'],
    ['.wh.c', 'file'],
    ['c/', 'directory'],
    ['c/inside', 'file', {}, '2'],
    ['e/', 'directory'],
    ['e/new', 'file', {}, '2'],
    ['.wh.e', 'file'],
    ['.wh..wh.plnk', 'file'],
    ['.wh.never', 'file'],
  );
  const id = await applyAll(fixture.snapshots, base, upper);
  using view = fixture.snapshots.view(id);
  assert.deepEqual(listing(view.path), ['a/', 'a/kept', 'b/', 'b/new', 'c/', 'c/inside', 'e/', 'e/new']);
});

test('an opaque root hides every layer below', { skip }, async () => {
  await using fixture = await openFixture();
  const id = await applyAll(
    fixture.snapshots,
    await layer(['old', 'file', {}, '1']),
    await layer(['.wh..wh..opq', 'file'], ['new', 'file', {}, '2']),
    await layer(['top', 'file', {}, '3']),
  );
  using view = fixture.snapshots.view(id);
  assert.deepEqual(listing(view.path), ['new', 'top']);
});

test('a missing parent takes after the layers below, symlinks included', { skip }, async () => {
  await using fixture = await openFixture();
  const base = await layer(
    ['run/', 'directory', { mode: 0o1777, uid: 9, mtime: 5_000_000_000n }],
    ['var/', 'directory', { mode: 0o711 }],
    ['var/run', 'symlink', { linkName: Buffer.from('../run') }],
    ['lib', 'symlink', { linkName: Buffer.from('/usr/lib') }],
  );
  const id = await applyAll(
    fixture.snapshots,
    base,
    await layer(['var/run/x', 'file', {}, 'x'], ['lib/y', 'file', {}, 'y']),
  );
  using view = fixture.snapshots.view(id);
  assert.equal(readFileSync(join(view.path, 'run/x'), 'utf8'), 'x');
  assert.equal(readFileSync(join(view.path, 'usr/lib/y'), 'utf8'), 'y');
  assert.ok(lstatSync(join(view.path, 'var/run')).isSymbolicLink());
  const run = lstatSync(join(view.path, 'run'), { bigint: true });
  assert.deepEqual([run.mode & 0o7777n, run.uid, run.mtimeNs], [0o1777n, 9n, 5_000_000_000n]);
  assert.equal(lstatSync(join(view.path, 'var')).mode & 0o7777, 0o711);
});

test('a hard link may name a file of a layer below', { skip }, async () => {
  await using fixture = await openFixture();
  const base = await layer(['d/', 'directory'], ['d/f', 'file', { mode: 0o640, uid: 3, mtime: 7n }, 'below']);
  const id = await applyAll(fixture.snapshots, base, await layer(['g', 'hardlink', { linkName: Buffer.from('/d/f') }]));
  using view = fixture.snapshots.view(id);
  assert.equal(readFileSync(join(view.path, 'g'), 'utf8'), 'below');
  const [f, g] = ['d/f', 'g'].map((name) => lstatSync(join(view.path, name), { bigint: true }));
  assert.equal(f!.ino, g!.ino);
  assert.deepEqual([g!.mode & 0o7777n, g!.uid, g!.mtimeNs], [0o640n, 3n, 7n]);
});

test('a hard link may name anything of a layer below but a directory', { skip }, async () => {
  await using fixture = await openFixture();
  const marks = new Map([['user.k', Buffer.from([0, 255])]]);
  const base = await layer(
    ['soft', 'symlink', { linkName: Buffer.from('nowhere'), uid: 7, mtime: 5n }],
    ['null', 'character', { major: 1, minor: 3, mode: 0o620 }],
    ['disk', 'block', { major: 300, minor: 70_000 }],
    ['pipe', 'fifo', { gid: 9 }],
    ['program', 'file', { mode: 0o4755, xattrs: marks }, 'program'],
    ['d/', 'directory'],
  );
  const link = (name: string, target: string): Line => [name, 'hardlink', { linkName: Buffer.from(target) }];
  const id = await applyAll(
    fixture.snapshots,
    base,
    await layer(...['soft', 'null', 'disk', 'pipe', 'program'].map((name) => link(`${name}2`, name))),
  );
  using view = fixture.snapshots.view(id);
  const stat = (name: string): BigIntStats => lstatSync(join(view.path, name), { bigint: true });
  for (const name of ['soft', 'null', 'disk', 'pipe', 'program']) assert.equal(stat(name).ino, stat(`${name}2`).ino);
  assert.equal(readlinkSync(join(view.path, 'soft2')), 'nowhere');
  assert.deepEqual([stat('soft2').uid, stat('soft2').mtimeNs], [7n, 5n]);
  assert.deepEqual([stat('null2').rdev, stat('null2').mode & 0o7777n], [0x103n, 0o620n]);
  assert.equal(stat('disk2').rdev, (300n << 8n) | BigInt(70_000 & 0xff) | (BigInt(70_000 & ~0xff) << 12n));
  assert.ok(stat('pipe2').isFIFO());
  assert.equal(stat('program2').mode & 0o7777n, 0o4755n);
  assert.deepEqual(getXattr(Buffer.from(join(view.path, 'program2')), 'user.k'), Buffer.from([0, 255]));
});

test('hard links across whiteouts', { skip }, async () => {
  await using fixture = await openFixture();
  const base = await layer(['a', 'file', {}, 'below'], ['h', 'hardlink', { linkName: Buffer.from('a') }]);
  const link: Line = ['b', 'hardlink', { linkName: Buffer.from('a') }];
  const id = await applyAll(fixture.snapshots, base, await layer(link, ['.wh.a', 'file']));
  {
    using view = fixture.snapshots.view(id);
    assert.deepEqual(listing(view.path), ['b', 'h'], 'linked first, then gone: one of two names is left');
    assert.equal(readFileSync(join(view.path, 'b'), 'utf8'), 'below');
    assert.equal(readFileSync(join(view.path, 'h'), 'utf8'), 'below');
  }
  await assert.rejects(applyAll(fixture.snapshots, base, await layer(['.wh.a', 'file'], link)), {
    kind: 'invalid',
    message: 'Cannot unpack layer: hard link to missing "a"',
  });
});

test('a name whited out, then a parent without an entry: a directory that hides the one below', { skip }, async () => {
  await using fixture = await openFixture();
  const base = await layer(['c/', 'directory'], ['c/old', 'file', {}, '1'], ['f', 'file', {}, '1']);
  const upper = await layer(['.wh.c', 'file'], ['c/new', 'file', {}, '2'], ['.wh.f', 'file'], ['f/x', 'file', {}, '3']);
  using view = fixture.snapshots.view(await applyAll(fixture.snapshots, base, upper));
  assert.deepEqual(listing(view.path), ['c/', 'c/new', 'f/', 'f/x']);
});

test('what a directory below passes on to its children, it does not pass on to those of a layer', {
  skip,
}, async () => {
  await using fixture = await openFixture();
  const inherited = Buffer.from(
    '0200000001000700ffffffff02000500e803000004000500ffffffff10000700ffffffff20000000ffffffff',
    'hex',
  );
  const key = 'system.posix_acl_default';
  const base = await layer(
    ['./', 'directory', { xattrs: new Map([['user.root', Buffer.from('r')]]) }],
    ['d/', 'directory', { xattrs: new Map([[key, inherited]]) }],
    ['e/', 'directory', { xattrs: new Map([['user.old', Buffer.from('o')]]) }],
  );
  const upper = await layer(
    ['d/f', 'file', { mode: 0o640 }, 'x'],
    ['e/f', 'file', {}, 'x'],
    ['e/', 'directory', { xattrs: new Map([['user.new', Buffer.from('n')]]) }],
  );
  const id = await applyAll(fixture.snapshots, base, upper);
  await fixture.snapshots.prepare('w', id);
  const path = fixture.snapshots.mount('w');
  const at = (name: string): Buffer => Buffer.from(join(path, name));
  assert.deepEqual(getXattr(at('d'), key), inherited);
  assert.equal(getXattr(at('d/f'), 'system.posix_acl_access'), undefined);
  assert.equal(lstatSync(at('d/f')).mode & 0o7777, 0o640);
  assert.equal(getXattr(at('e'), 'user.old'), undefined, 'the entry says all of its attributes');
  assert.deepEqual(getXattr(at('e'), 'user.new'), Buffer.from('n'));
  assert.deepEqual(getXattr(at('.'), 'user.root'), Buffer.from('r'), 'the root of a container has them, too');
});

test('a sparse file beyond 8 GB takes no room; long runs of zeros in a dense one neither', { skip }, async (t) => {
  await using fixture = await openFixture();
  const source = mkdtempSync(join(tmpdir(), 'wherry-sparse-'));
  t.after(() => rmSync(source, { recursive: true }));
  sh('truncate -s 9G s; printf END >> s; tar --sparse --format=gnu -cf t.tar s', source);
  const dense = Buffer.alloc(5 << 20);
  dense.write('START');
  dense.write('END', dense.length - 3);
  dense.fill('x', 100_000, 100_010);
  const id = await applyAll(
    fixture.snapshots,
    readFileSync(join(source, 't.tar')),
    await layer(['dense', 'file', {}, dense.toString('latin1')], ['zeros', 'file', {}, '\0'.repeat(200_000)]),
  );
  using view = fixture.snapshots.view(id);
  const large = lstatSync(join(view.path, 's'));
  assert.equal(large.size, 9 * 2 ** 30 + 3);
  assert.ok(large.blocks * 512 < 1 << 20);
  assert.ok(readFileSync(join(view.path, 'dense')).equals(dense));
  assert.ok(lstatSync(join(view.path, 'dense')).blocks * 512 < 64 * 1024);
  assert.ok(readFileSync(join(view.path, 'zeros')).equals(Buffer.alloc(200_000)));
  assert.equal(lstatSync(join(view.path, 'zeros')).blocks, 0);
});

test('a later entry of the same name replaces the earlier', { skip }, async () => {
  await using fixture = await openFixture();
  const id = await applyAll(
    fixture.snapshots,
    await layer(
      ['x', 'file', {}, 'old'],
      ['x', 'file', { mode: 0o600 }, 'new'],
      ['y/', 'directory'],
      ['y/z/', 'directory'],
      ['y/z/deep', 'file', {}, ''],
      ['y', 'symlink', { linkName: Buffer.from('x') }],
      ['s', 'symlink', { linkName: Buffer.from('nowhere') }],
      ['s', 'file', {}, 'file'],
      ['t', 'symlink', { linkName: Buffer.from('x') }],
      ['t/', 'directory'],
      ['u/', 'directory', { mode: 0o700 }],
      ['u/kept', 'file', {}, ''],
      ['u/', 'directory', { mode: 0o711 }],
      [Buffer.from('n\xff/', 'latin1'), 'directory'],
      [Buffer.from('n\xff/\xfe', 'latin1'), 'file', {}, ''],
      [Buffer.from('n\xff', 'latin1'), 'fifo'],
    ),
  );
  using view = fixture.snapshots.view(id);
  assert.deepEqual(listing(view.path), ['n\ufffdp', 's', 't/', 'u/', 'u/kept', 'x', 'ylx']);
  assert.equal(readFileSync(join(view.path, 'x'), 'utf8'), 'new');
  assert.equal(lstatSync(join(view.path, 'u')).mode & 0o7777, 0o711);
});

test('a removed directory takes what was said of it along', { skip }, async () => {
  await using fixture = await openFixture();
  const id = await applyAll(
    fixture.snapshots,
    await layer(
      ['a/', 'directory', { mtime: 1n }],
      ['a/b/', 'directory', { mtime: 2n }],
      ['a', 'file', {}, 'x'],
      ['c/', 'directory', { mtime: 3n }],
      ['c', 'file', {}, 'x'],
      ['c/', 'directory', { mtime: 4n }],
    ),
  );
  using view = fixture.snapshots.view(id);
  assert.deepEqual(listing(view.path), ['a', 'c/']);
  assert.equal(lstatSync(join(view.path, 'c'), { bigint: true }).mtimeNs, 4n);
});

test('a sparse file stays sparse', { skip }, async (t) => {
  await using fixture = await openFixture();
  const source = mkdtempSync(join(tmpdir(), 'wherry-sparse-'));
  t.after(() => rmSync(source, { recursive: true }));
  sh(
    'truncate -s 40M s; printf END | dd of=s bs=1 seek=30000000 conv=notrunc status=none; tar --sparse --format=posix -cf t.tar s',
    source,
  );
  const id = await applyAll(fixture.snapshots, readFileSync(join(source, 't.tar')));
  using view = fixture.snapshots.view(id);
  sh(`cmp s ${view.path}/s`, source);
  assert.ok(lstatSync(join(view.path, 's')).blocks * 512 < 1 << 20);
});

const outside = join(tmpdir(), 'wherry-escaped');
const escapes: [name: string, lines: Line[]][] = [
  ['dot-dot', [['../wherry-escaped', 'file', {}, 'x']]],
  ['dot-dot further in', [['a/../../wherry-escaped', 'file', {}, 'x']]],
  ['hard link target with dot-dot', [['x', 'hardlink', { linkName: Buffer.from('../../../../etc/passwd') }]]],
  ['hard link to a file outside', [['x', 'hardlink', { linkName: Buffer.from('/etc/passwd') }]]],
  [
    'hard link through a symlink',
    [
      ['l', 'symlink', { linkName: Buffer.from('/etc') }],
      ['x', 'hardlink', { linkName: Buffer.from('l/passwd') }],
    ],
  ],
  [
    'a loop of symlinks',
    [
      ['a', 'symlink', { linkName: Buffer.from('b') }],
      ['b', 'symlink', { linkName: Buffer.from('a') }],
      ['a/f', 'file', {}, 'x'],
    ],
  ],
  [
    'a file as a parent',
    [
      ['a', 'file', {}, 'x'],
      ['a/f', 'file', {}, 'x'],
    ],
  ],
  ['a path that no program could use', [[`${'d/'.repeat(2000)}f`, 'file', {}, 'x']]],
  [
    'a deep path behind symlinks',
    [
      ['a', 'symlink', { linkName: Buffer.from('d/'.repeat(1800)) }],
      [`a/${'e/'.repeat(1800)}f`, 'file', {}, 'x'],
    ],
  ],
  ['a name that is too long', [['n'.repeat(300), 'file', {}, 'x']]],
  ['a symlink to a path that is too long', [['l', 'symlink', { linkName: Buffer.alloc(5000, 'x') }]]],
  ['xattrs that no file takes', [['f', 'file', { xattrs: new Map([['user.big', Buffer.alloc(100_000)]]) }, 'x']]],
  [
    'a whiteout of dot-dot',
    [
      ['a/', 'directory'],
      ['a/.wh...', 'file'],
    ],
  ],
];
for (const [name, lines] of escapes) {
  test(`refused: ${name}`, { skip }, async () => {
    await using fixture = await openFixture();
    await applyAll(fixture.snapshots, await layer(['base', 'file', {}, 'x']));
    const [before] = fixture.snapshots.layers();
    const tar = await layer(...lines);
    const request = { chainId: sha256('any'), parent: before, diffId: sha256(tar), tar: bytesOf(tar) };
    await assert.rejects(fixture.snapshots.apply(request), { kind: 'invalid' });
    assert.ok(!existsSync(outside));
    assert.deepEqual(readdirSync(join(fixture.root, 't')), []);
    assert.deepEqual(fixture.snapshots.layers(), [before]);
  });
}

test('symlinks to the outside are resolved inside', { skip }, async (t) => {
  await using fixture = await openFixture();
  const victim = mkdtempSync(join(tmpdir(), 'wherry-victim-'));
  t.after(() => rmSync(victim, { recursive: true }));
  writeFileSync(join(victim, 'f'), 'untouched');
  const target = Buffer.from(victim);
  const up = Buffer.from(`../../../../../..${victim}`);
  const id = await applyAll(
    fixture.snapshots,
    await layer(
      ['abs', 'symlink', { linkName: target }],
      ['rel', 'symlink', { linkName: up }],
      ['abs/f', 'file', {}, 'evil'],
      ['rel/g', 'file', {}, 'evil'],
      ['file', 'symlink', { linkName: Buffer.from(`${victim}/f`) }],
      ['file', 'file', {}, 'evil'],
      ['abs/.wh.f2', 'file'],
    ),
  );
  assert.deepEqual(readdirSync(victim), ['f']);
  assert.equal(readFileSync(join(victim, 'f'), 'utf8'), 'untouched');
  using view = fixture.snapshots.view(id);
  assert.equal(readFileSync(join(view.path, victim, 'f'), 'utf8'), 'evil');
  assert.equal(readFileSync(join(view.path, victim, 'g'), 'utf8'), 'evil');
});

test("overlayfs's own marks in an archive have no power", { skip }, async () => {
  await using fixture = await openFixture();
  const marks = new Map([
    ['trusted.overlay.opaque', Buffer.from('y')],
    ['trusted.overlay.redirect', Buffer.from('/etc')],
  ]);
  const id = await applyAll(
    fixture.snapshots,
    await layer(['d/', 'directory'], ['d/below', 'file', {}, 'x']),
    await layer(['d/', 'directory', { xattrs: marks }]),
  );
  using view = fixture.snapshots.view(id);
  assert.deepEqual(listing(view.path), ['d/', 'd/below']);
});

test('the wrong bytes leave nothing behind', { skip }, async () => {
  await using fixture = await openFixture();
  const tar = await layer(['f', 'file', {}, 'x']);
  const wrong = { chainId: sha256('a'), parent: undefined, diffId: sha256('other'), tar: bytesOf(tar) };
  await assert.rejects(fixture.snapshots.apply(wrong), /wrong diff id calculated on extraction/);
  async function* broken(): AsyncGenerator<Uint8Array> {
    yield tar.subarray(0, 600);
    throw new Error('source broke');
  }
  await assert.rejects(fixture.snapshots.apply({ ...wrong, tar: broken() }), /source broke/);
  assert.deepEqual(readdirSync(join(fixture.root, 't')), []);
  assert.deepEqual(fixture.snapshots.layers(), []);
});
