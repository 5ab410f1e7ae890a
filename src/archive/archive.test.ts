/** Tar there and back, and Docker's rules for where a copy goes. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, readlink, rm, symlink, writeFile, mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { collectBytes } from '../std/index.ts';
import { planCopy, splitEntry } from './copy-plan.ts';
import { describeSource, describeTarget, localEntries, unpackLocally } from './local.ts';
import { type PackEntry, packTar, readTar } from '../client/index.ts';

async function* inPieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

test('any names and contents survive, however the bytes are cut', async () => {
  const name = fc.stringMatching(/^[a-zé][\w./ é-]{0,180}[a-z]$/);
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(name, fc.uint8Array({ maxLength: 2000 }))),
      fc.integer({ min: 1, max: 1500 }),
      async (files, size) => {
        const entries = files.map(([path, body]): PackEntry => ({ path, type: 'file', mode: 0o640, mtime: 1.5, body }));
        const tar = await collectBytes(packTar(entries), 1 << 24);
        const found: [string, string][] = [];
        for await (const entry of readTar(inPieces(tar, size))) {
          found.push([entry.path, (await collectBytes(entry.body, 1 << 20)).toString('hex')]);
          assert.equal(entry.mtime, 1.5);
        }
        assert.deepEqual(
          found,
          files.map(([path, body]) => [path, Buffer.from(body).toString('hex')]),
        );
      },
    ),
    { numRuns: 40 },
  );
});

describe('where a copy goes', () => {
  const file = { path: '/src/a', isDirectory: false };
  const folder = { path: '/src/d', isDirectory: true };

  test('into a folder that is there', () => {
    assert.deepEqual(planCopy(file, { path: '/t', exists: true, isDirectory: true }), {
      folder: '/t',
      rename: undefined,
    });
  });
  test('over a file, or to a new name', () => {
    const wanted = { folder: '/t', rename: { from: 'a', to: 'b' } };
    assert.deepEqual(planCopy(file, { path: '/t/b', exists: true, isDirectory: false }), wanted);
    assert.deepEqual(planCopy(file, { path: '/t/b', exists: false, isDirectory: false }), wanted);
  });
  test('a folder to a new name, and its contents', () => {
    assert.deepEqual(planCopy(folder, { path: '/t/e', exists: false, isDirectory: false }).rename, {
      from: 'd',
      to: 'e',
    });
    assert.deepEqual(
      planCopy({ path: '/src/d/.', isDirectory: true }, { path: '/t/e', exists: false, isDirectory: false }).rename,
      { from: '.', to: 'e' },
    );
  });
  test('what makes no sense is refused', () => {
    assert.throws(() => planCopy(folder, { path: '/t/f', exists: true, isDirectory: false }), {
      message: 'cannot copy directory',
    });
    assert.throws(() => planCopy(file, { path: '/t/nope/', exists: false, isDirectory: false }), {
      message: 'no such directory',
    });
  });
  test('names and folders', () => {
    assert.deepEqual(splitEntry('/a/b/'), { folder: '/a', name: 'b' });
    assert.deepEqual(splitEntry('/a/.'), { folder: '/a', name: '.' });
    assert.deepEqual(splitEntry('/'), { folder: '/', name: '/' });
  });
});

test('a tree out of one folder and into another; nothing gets out', async () => {
  const base = await mkdtemp(join(tmpdir(), 'wherry-copy-'));
  try {
    await mkdir(join(base, 'd/e'), { recursive: true });
    await writeFile(join(base, 'd/e/f'), 'hello', { mode: 0o600 });
    await symlink('e/f', join(base, 'd/l'));
    const source = await describeSource(join(base, 'd'), false);
    const plan = planCopy(source, await describeTarget(join(base, 'copy')));
    await unpackLocally(readTar(packTar(localEntries(source, plan.rename))), plan.folder, undefined, false);
    assert.equal(await readFile(join(base, 'copy/e/f'), 'utf8'), 'hello');
    assert.equal(await readlink(join(base, 'copy/l')), 'e/f');
    const wicked = packTar([{ path: '../out', type: 'file', mode: 0o600, body: Buffer.from('x') }]);
    await assert.rejects(unpackLocally(readTar(wicked), join(base, 'copy'), undefined, false), /outside/);
    const sly = packTar([
      { path: 'way', type: 'symlink', mode: 0o777, link: '/tmp' },
      { path: 'way/out', type: 'file', mode: 0o600, body: Buffer.from('x') },
    ]);
    await assert.rejects(unpackLocally(readTar(sly), join(base, 'copy'), undefined, false), /through a link/);
  } finally {
    await rm(base, { recursive: true, force: true });
  }
});
