/** Layers as GNU tar makes them come out as they were, and what the room makes of them GNU tar reads as it is. */
import assert from 'node:assert/strict';
import {
  appendFileSync,
  chmodSync,
  lchownSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import fc from 'fast-check';
import { makeOddTree, type OddTreeOptions } from '../../test/support/odd-tree.ts';
import { compareTrees, describeTree, type TreeOptions } from '../../test/support/tree.ts';
import { makeNodeAt, must, setTimesAt, setXattr } from '../linux/index.ts';
import { sha256 } from '../oci/index.ts';
import { collectBytes, errorCode } from '../std/index.ts';
import { applyAll, bytesOf, openFixture, sh, skipUnlessRoot } from './fixture.ts';

const skip = skipUnlessRoot;
const attributes = "--xattrs --xattrs-include='*' --acls";

function scratch(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'wherry-round-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const formats: [flags: string, tree: OddTreeOptions, compared: TreeOptions][] = [
  [`--format=posix --sparse --sparse-version=0.0 ${attributes}`, {}, {}],
  [`--format=posix --sparse --sparse-version=0.1 ${attributes}`, {}, {}],
  [`--format=posix --sparse --sparse-version=1.0 ${attributes}`, {}, {}],
  [`--format=posix ${attributes}`, {}, {}],
  // These know no attributes and no fractions of seconds.
  ['--format=gnu --sparse', { fractions: false }, { xattrs: false }],
  ['--format=oldgnu --sparse', { fractions: false }, { xattrs: false }],
];
for (const [flags, options, compared] of formats) {
  test(`a layer of GNU tar ${flags}`, { skip }, async (t) => {
    const folder = scratch(t);
    mkdirSync(join(folder, 'tree'));
    makeOddTree(join(folder, 'tree'), { linkedNodes: false, ...options });
    sh(`tar -C tree -cf layer.tar --numeric-owner ${flags} .`, folder);
    await using fixture = await openFixture();
    const id = await applyAll(fixture.snapshots, readFileSync(join(folder, 'layer.tar')));
    using view = fixture.snapshots.view(id);
    assert.deepEqual(compareTrees(describeTree(join(folder, 'tree'), compared), describeTree(view.path, compared)), []);
  });
}

test('a layer made here: applied again it is the same, byte for byte and file for file, and GNU tar agrees', {
  skip,
}, async (t) => {
  const folder = scratch(t);
  await using fixture = await openFixture();
  const { snapshots } = fixture;
  await snapshots.prepare('made', undefined);
  const root = snapshots.mount('made');
  makeOddTree(root);
  const wanted = describeTree(root);
  const tar = await collectBytes(snapshots.diff('made'), 1 << 28);
  assert.ok((await collectBytes(snapshots.diff('made'), 1 << 28)).equals(tar), 'the same bytes each time');
  const id = await applyAll(snapshots, tar);
  {
    using view = snapshots.view(id);
    assert.deepEqual(compareTrees(wanted, describeTree(view.path)), []);
  }
  mkdirSync(join(folder, 'out'));
  writeFileSync(join(folder, 'layer.tar'), tar);
  sh(`tar -C out -xpf layer.tar --numeric-owner ${attributes}`, folder);
  // GNU tar restores access lists from records of its own only.
  const skipped = new Set(['xattrs/access', 'xattrs/inherited']);
  const outside = { holes: false, skip: (path: string) => skipped.has(path) };
  assert.deepEqual(compareTrees(describeTree(root, outside), describeTree(join(folder, 'out'), outside)), []);
});

/** What a container may do to its files, by number; what cannot be done is skipped. */
const names = ['a', 'b', 'd', 'd/a', 'd/b', 'd/e', 'd/e/f', 'l', 'h', 'n'];
const acts: readonly ((path: Buffer, other: Buffer, seed: number) => void)[] = [
  (path, _, seed) => writeFileSync(path, `content ${seed}`),
  (path, _, seed) => appendFileSync(path, String(seed)),
  (path) => rmSync(path, { recursive: true }),
  (path) => mkdirSync(path),
  (path, other) => renameSync(path, other),
  (path, other) => linkSync(path, other),
  (path, other) => symlinkSync(other, path),
  (path, _, seed) => chmodSync(path, [0o4755, 0o1777, 0o600, 0o751][seed % 4]!),
  (path, _, seed) => lchownSync(path, 2 ** 31 + seed, seed),
  (path, _, seed) => must('setxattr', setXattr(path, 'user.x', Buffer.from([0, seed, 10])), path),
  (path, _, seed) => must('mknod', makeNodeAt(-100, path, 0o020600, { major: 1, minor: 1 + (seed % 9) }), path),
  (path, _, seed) => must('utimensat', setTimesAt(-100, path, BigInt(seed) * 1_234_567_891n - 99_999_999_999n), path),
  (path) => {
    rmSync(path, { recursive: true });
    mkdirSync(path);
    writeFileSync(Buffer.concat([path, Buffer.from('/a')]), 'in a new directory');
  },
  (path) => truncateSync(path, 1 << 20),
];
const act = fc.tuple(
  fc.nat({ max: acts.length - 1 }),
  fc.nat({ max: names.length - 1 }),
  fc.nat({ max: names.length - 1 }),
  fc.nat({ max: 250 }),
);

function perform(root: string, [kind, name, other, seed]: [number, number, number, number]): void {
  try {
    acts[kind]!(Buffer.from(join(root, names[name]!)), Buffer.from(join(root, names[other]!)), seed);
  } catch (error) {
    // No such file, is a directory, not empty: as any program finds now and then. Node's own checks have other codes.
    if (!/^(E[A-Z]+|ERR_FS_)/.test(errorCode(error) ?? '')) throw error;
  }
}

test('whatever a container does, its layer gives the same tree on the same parent', { skip }, async () => {
  await using fixture = await openFixture();
  const { snapshots } = fixture;
  await snapshots.prepare('base', undefined);
  const root = snapshots.mount('base');
  sh('echo 1 > a; ln a h; mkdir -p d/e; echo 2 > d/a; ln d/a d/b; echo 3 > d/e/f; ln -s d/a l; mknod n c 1 3', root);
  const base = await applyAll(snapshots, await collectBytes(snapshots.diff('base'), 1 << 28));
  let run = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(act, { maxLength: 12 }), fc.array(act, { maxLength: 12 }), async (first, second) => {
      let parent = base;
      for (const actions of [first, second]) {
        const id = `run${++run}`;
        await snapshots.prepare(id, parent);
        const path = snapshots.mount(id);
        for (const each of actions) perform(path, each);
        // The kernel's copy up fills holes.
        const wanted = describeTree(path, { holes: false });
        const tar = await collectBytes(snapshots.diff(id), 1 << 28);
        const chainId = sha256(`${parent} ${sha256(tar)}`);
        await snapshots.apply({ chainId, parent, diffId: sha256(tar), tar: bytesOf(tar) });
        using view = snapshots.view(chainId);
        const made = describeTree(view.path, { holes: false });
        // The root's own time is no part of a layer, as with Docker.
        const same = compareTrees(wanted, made).filter((line) => !line.startsWith('differs "":'));
        await snapshots.remove(id);
        assert.deepEqual(same, []);
        parent = chainId;
      }
    }),
    { numRuns: Number(process.env['WHERRY_TEST_RUNS'] ?? 30) },
  );
});
