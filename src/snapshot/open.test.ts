/** Snapshots as the engine uses them: writable ones, what changed, crashes, what may be removed when. */
import assert from 'node:assert/strict';
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { sha256 } from '../oci/index.ts';
import { collectBytes } from '../std/index.ts';
import { applyAll, bytesOf, layer, listing, openFixture, sh, skipUnlessRoot } from './fixture.ts';

const skip = skipUnlessRoot;
const base = (): Promise<Buffer> =>
  layer(
    ['./', 'directory', { mode: 0o751 }],
    ['bin/', 'directory'],
    ['bin/tool', 'file', { mode: 0o755 }, 'tool'],
    ['etc/', 'directory'],
    ['etc/conf', 'file', {}, 'old'],
    ['data/', 'directory'],
    ['data/one', 'file', {}, '1'],
    ['data/two', 'file', {}, '2'],
    ['tree/', 'directory'],
    ['tree/x', 'file', {}, 'x'],
    ['link', 'symlink', { linkName: Buffer.from('bin/tool') }],
  );
const changeScript = `
echo new > etc/conf
rm data/one
echo made > fresh; ln fresh again
rm -r tree; mkdir tree; echo y > tree/y; echo x2 > tree/x
ln -sfn etc/conf link
mkfifo pipe; mknod null c 1 3
setfattr -n user.k -v v bin/tool 2>/dev/null || chmod 700 bin/tool
`;

test('a writable snapshot shows its parent and takes changes', { skip }, async () => {
  await using fixture = await openFixture();
  const { snapshots } = fixture;
  const id = await applyAll(snapshots, await base());
  await snapshots.prepare('c1', id);
  assert.ok(snapshots.exists('c1'));
  const path = snapshots.mount('c1');
  assert.equal(snapshots.mount('c1'), path);
  assert.equal(snapshots.describe('c1').merged, path);
  assert.equal(lstatSync(path).mode & 0o7777, 0o751);
  assert.equal(readFileSync(join(path, 'bin/tool'), 'utf8'), 'tool');
  writeFileSync(join(path, 'f'), '12345');
  assert.equal(await snapshots.usage('c1'), 5);
  snapshots.unmount('c1');
  snapshots.unmount('c1');
  assert.deepEqual(readdirSync(path), []);
  assert.deepEqual(readFileSync(join(snapshots.mount('c1'), 'f'), 'utf8'), '12345');
  await snapshots.remove('c1');
  await snapshots.remove('c1');
  assert.deepEqual(snapshots.writables(), []);
  assert.deepEqual(readdirSync(join(fixture.root, 'w')), []);
});

test('changes are told as docker diff tells them', { skip }, async () => {
  await using fixture = await openFixture();
  const { snapshots } = fixture;
  await snapshots.prepare('c1', await applyAll(snapshots, await base()));
  sh(changeScript, snapshots.mount('c1'));
  assert.deepEqual(
    (await snapshots.changes('c1')).map(({ Path, Kind }) => `${'CAD'[Kind]} ${Path}`),
    [
      'A /again',
      'C /bin',
      'C /bin/tool',
      'C /data',
      'D /data/one',
      'C /etc',
      'C /etc/conf',
      'A /fresh',
      'C /link',
      'A /null',
      'A /pipe',
      'C /tree',
      'C /tree/x',
      'A /tree/y',
    ],
  );
});

test('a diff applied to the parent gives the same tree, and the same bytes again', { skip }, async () => {
  await using fixture = await openFixture();
  const { snapshots } = fixture;
  const parent = await applyAll(snapshots, await base());
  await snapshots.prepare('c1', parent);
  const path = snapshots.mount('c1');
  sh(`${changeScript}\nchmod 700 .; chown 5:6 fresh`, path);
  const tar = await collectBytes(snapshots.diff('c1'), 1 << 24);
  const diffId = sha256(tar);
  const chainId = sha256(`${parent} ${diffId}`);
  await snapshots.apply({ chainId, parent, diffId, tar: bytesOf(tar, 1000) });
  using view = snapshots.view(chainId);
  assert.deepEqual(listing(view.path), listing(path));
  const facts = `find . -not -type d -printf '%P %m %U:%G %s %T@ %n %l\\n' | sort`;
  assert.equal(sh(facts, view.path), sh(facts, path));
  assert.equal(
    sh(`find . -type d -printf '%P %m %U:%G %T@\\n' | grep -v '^ ' | sort`, view.path),
    sh(`find . -type d -printf '%P %m %U:%G %T@\\n' | grep -v '^ ' | sort`, path),
  );
  assert.equal(lstatSync(view.path).mode & 0o7777, 0o700);
  assert.ok((await collectBytes(snapshots.diff('c1'), 1 << 24)).equals(tar));
});

test('without changes the diff is the empty archive', { skip }, async () => {
  await using fixture = await openFixture();
  const { snapshots } = fixture;
  await snapshots.prepare('c1', await applyAll(snapshots, await base()));
  snapshots.mount('c1');
  assert.ok((await collectBytes(snapshots.diff('c1'), 4096)).equals(Buffer.alloc(1024)));
  assert.deepEqual(await snapshots.changes('c1'), []);
});

test('a snapshot becomes a layer as it is, and stays one', { skip }, async () => {
  await using fixture = await openFixture();
  const { snapshots } = fixture;
  const parent = await applyAll(snapshots, await base());
  await snapshots.prepare('s', parent);
  const root = snapshots.mount('s');
  writeFileSync(join(root, 'made'), 'here');
  rmSync(join(root, 'etc'), { recursive: true });
  const tar = await collectBytes(snapshots.diff('s'), 1 << 20);
  const diffId = sha256(tar);
  const chainId = sha256(`${parent} ${diffId}`);
  await snapshots.adopt('s', { chainId, diffId });
  assert.deepEqual(snapshots.writables(), []);
  assert.deepEqual(await collectBytes(snapshots.archive(chainId), 1 << 20), tar);
  using view = snapshots.view(chainId);
  assert.equal(readFileSync(join(view.path, 'made'), 'utf8'), 'here');
  assert.equal(existsSync(join(view.path, 'etc')), false);
  // The same once more is the same layer.
  await snapshots.prepare('s', parent);
  await snapshots.adopt('s', { chainId, diffId });
  assert.deepEqual(readdirSync(join(fixture.root, 'w')), []);
  assert.equal(snapshots.layers().length, 2);
});

test('what was adopted and not settled does not outlive the boot', { skip }, async () => {
  await using fixture = await openFixture();
  for (const name of ['lasts', 'goes']) {
    await fixture.snapshots.prepare(name, undefined);
    writeFileSync(join(fixture.snapshots.mount(name), name), name);
    await fixture.snapshots.adopt(name, { chainId: sha256(name), diffId: sha256(name) });
    if (name === 'lasts') await fixture.snapshots.settle();
  }
  assert.equal((await fixture.reopen()).layers().length, 2);
  const record = join(fixture.root, 'l/2/layer.json');
  const { boot, ...rest } = JSON.parse(readFileSync(record, 'utf8')) as { boot: string };
  assert.match(boot, /^[0-9a-f-]{36}$/);
  writeFileSync(record, JSON.stringify({ ...rest, boot: 'another' }));
  assert.deepEqual((await fixture.reopen()).layers(), [sha256('lasts')]);
});

test('a record that a crash left in the scratch is cleared', { skip }, async () => {
  await using fixture = await openFixture();
  writeFileSync(join(fixture.root, 't/0123456789ab'), '{}');
  await fixture.reopen();
  assert.deepEqual(readdirSync(join(fixture.root, 't')), []);
});

test('a snapshot may stand on nothing', { skip }, async () => {
  await using fixture = await openFixture();
  const { snapshots } = fixture;
  await snapshots.prepare('empty', undefined);
  writeFileSync(join(snapshots.mount('empty'), 'f'), 'x');
  assert.deepEqual(await snapshots.changes('empty'), [{ Path: '/f', Kind: 1 }]);
  assert.ok((await collectBytes(snapshots.diff('empty'), 1 << 20)).includes('f'));
});

test('what stands on a layer keeps it', { skip }, async () => {
  await using fixture = await openFixture();
  const { snapshots } = fixture;
  const lower = await layer(['a', 'file', {}, 'a']);
  const upper = await layer(['b', 'file', {}, 'b']);
  const top = await applyAll(snapshots, lower, upper);
  const bottom = sha256(lower);
  await snapshots.prepare('c1', top);
  await assert.rejects(snapshots.removeLayer(bottom), { kind: 'conflict' });
  await assert.rejects(snapshots.removeLayer(top), { kind: 'conflict' });
  await assert.rejects(snapshots.prepare('c1', top), { kind: 'conflict' });
  await assert.rejects(snapshots.prepare('../evil', top), { kind: 'invalid' });
  await assert.rejects(snapshots.prepare('c2', sha256('unknown')), { kind: 'not-found' });
  await snapshots.remove('c1');
  await snapshots.removeLayer(top);
  await snapshots.removeLayer(bottom);
  await snapshots.removeLayer(bottom);
  assert.deepEqual(readdirSync(join(fixture.root, 'l')), []);
});

test('the same layer asked for at once is unpacked once; one that gives up leaves it to the other', {
  skip,
}, async () => {
  await using fixture = await openFixture();
  const { snapshots } = fixture;
  const tar = await layer(['a', 'file', {}, 'a']);
  const request = { chainId: sha256(tar), parent: undefined, diffId: sha256(tar) };
  let opened = 0;
  async function* counted(): AsyncGenerator<Uint8Array> {
    opened++;
    yield* bytesOf(tar, 100);
  }
  await Promise.all(Array.from({ length: 5 }, () => snapshots.apply({ ...request, tar: counted() })));
  assert.equal(opened, 1);
  await snapshots.removeLayer(request.chainId);
  async function* failing(): AsyncGenerator<Uint8Array> {
    yield tar.subarray(0, 512);
    await new Promise((resolve) => setTimeout(resolve, 20));
    throw new Error('gave up');
  }
  const results = await Promise.allSettled([
    snapshots.apply({ ...request, tar: failing() }),
    snapshots.apply({ ...request, tar: counted() }),
  ]);
  assert.deepEqual(
    results.map(({ status }) => status),
    ['rejected', 'fulfilled'],
  );
  assert.ok(snapshots.has(request.chainId));
});

test('a restart finds layers, snapshots and mounts, and clears what a crash left', { skip }, async () => {
  await using fixture = await openFixture();
  const id = await applyAll(fixture.snapshots, await base());
  await fixture.snapshots.prepare('mounted', id);
  await fixture.snapshots.prepare('idle', id);
  const path = fixture.snapshots.mount('mounted');
  writeFileSync(join(path, 'kept'), 'x');
  fixture.snapshots.view(id);
  mkdirSync(join(fixture.root, 't/half/fs'), { recursive: true });
  const again = await fixture.reopen();
  assert.deepEqual(again.layers(), [id]);
  assert.deepEqual(again.writables().sort(), ['idle', 'mounted']);
  assert.equal(again.mount('mounted'), path);
  assert.equal(sh(`grep -c '${path}' /proc/self/mountinfo`, '/').trim(), '1');
  assert.equal(readFileSync(join(again.mount('idle'), 'etc/conf'), 'utf8'), 'old');
  assert.deepEqual(readdirSync(join(fixture.root, 't')), []);
  assert.deepEqual(readdirSync(join(fixture.root, 'v')), []);
  assert.equal(again.layerSize(id), 'tool'.length + 'old'.length + 3 + 'bin/tool'.length);
});

test('a stack deeper than one mount option string can say', { skip }, async () => {
  await using fixture = await openFixture();
  const layers = await Promise.all(Array.from({ length: 110 }, (_, index) => layer([`f${index}`, 'file', {}, 'x'])));
  const id = await applyAll(fixture.snapshots, ...layers);
  await fixture.snapshots.prepare('deep', id);
  assert.equal(readdirSync(fixture.snapshots.mount('deep')).length, 110);
});

test('aborting stops unpacking and leaves nothing', { skip }, async () => {
  await using fixture = await openFixture();
  const controller = new AbortController();
  const block = await layer(...Array.from({ length: 50 }, (_, index): [string, 'file'] => [`f${index}`, 'file']));
  async function* endless(): AsyncGenerator<Uint8Array> {
    for (;;) {
      yield block.subarray(0, -1024);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }
  setTimeout(() => controller.abort(new Error('enough')), 40);
  const request = { chainId: sha256('a'), parent: undefined, diffId: sha256('b'), tar: endless() };
  await assert.rejects(fixture.snapshots.apply(request, controller.signal), /enough/);
  assert.deepEqual(readdirSync(join(fixture.root, 't')), []);
});

test('a lost layer record does not keep the daemon from starting', { skip }, async () => {
  await using fixture = await openFixture();
  const id = await applyAll(fixture.snapshots, await base());
  await fixture.snapshots.prepare('c1', id);
  writeFileSync(join(fixture.root, 'l/1/layer.json'), '');
  const again = await fixture.reopen();
  assert.deepEqual(again.layers(), []);
  assert.deepEqual(again.writables(), ['c1']);
  assert.throws(() => again.mount('c1'), { kind: 'internal' });
  await again.remove('c1');
  await applyAll(again, await base());
  assert.deepEqual(again.layers(), [id]);
});
