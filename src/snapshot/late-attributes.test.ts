import assert from 'node:assert/strict';
import { closeSync, lstatSync, mkdirSync, mkdtempSync, openSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { LateAttributes } from './late-attributes.ts';

/** Directories of a tree that remembers ten, opened as Tree opens them. */
function tree(t: TestContext): {
  root: string;
  late: LateAttributes;
  make: (path: string, mtime: bigint) => void;
  closeAll: () => void;
} {
  const root = mkdtempSync(join(tmpdir(), 'wherry-late-'));
  const open = new Map<string, number>();
  const closeAll = (): void => {
    for (const descriptor of open.values()) closeSync(descriptor);
    open.clear();
  };
  t.after(() => {
    closeAll();
    rmSync(root, { recursive: true });
  });
  const descriptorOf = (key: string): number => {
    let descriptor = open.get(key);
    if (descriptor === undefined) {
      descriptor = openSync(join(root, key), 'r');
      open.set(key, descriptor);
      late.touch(key, () => lstatSync(join(root, key), { bigint: true }).mtimeNs);
    }
    return descriptor;
  };
  const late = new LateAttributes({ descriptorOf, closeAll }, 10);
  const make = (path: string, mtime: bigint): void => {
    const slash = path.lastIndexOf('/');
    if (slash >= 0) descriptorOf(path.slice(0, slash));
    mkdirSync(join(root, path));
    late.set(path, mtime);
  };
  return { root, late, make, closeAll };
}

const mtimeOf = (path: string): bigint => lstatSync(path, { bigint: true }).mtimeNs;

test('every directory has its own time in the end, however many there are', (t) => {
  const { root, late, make } = tree(t);
  for (let index = 0; index < 100; index++) make(`d${index}`, BigInt(index + 1));
  // Into some that have got their time, and into some that have not.
  for (const index of [0, 3, 50, 99]) make(`d${index}/in`, BigInt(index + 1000));
  for (let index = 100; index < 150; index++) make(`d${index}`, BigInt(index + 1));
  for (const index of [3, 120]) {
    late.touch(`d${index}`, () => mtimeOf(join(root, `d${index}`)));
    writeFileSync(join(root, `d${index}`, 'file'), '');
  }
  late.finish();
  for (let index = 0; index < 150; index++)
    assert.equal(mtimeOf(join(root, `d${index}`)), BigInt(index + 1), `d${index}`);
  for (const index of [0, 3, 50, 99]) assert.equal(mtimeOf(join(root, `d${index}/in`)), BigInt(index + 1000));
});

test('what is removed needs no time, nor what was below it', (t) => {
  const { root, late, make, closeAll } = tree(t);
  make('empty', 1n);
  make('filled', 2n);
  make('filled/below', 3n);
  rmdirSync(join(root, 'empty'));
  late.delete('empty', false);
  closeAll();
  rmSync(join(root, 'filled'), { recursive: true });
  late.delete('filled', true);
  make('filled', 4n);
  make('filled/below', 5n);
  late.finish();
  assert.deepEqual([mtimeOf(join(root, 'filled')), mtimeOf(join(root, 'filled/below'))], [4n, 5n]);
});

test('default ACLs beyond all measure are refused', (t) => {
  const { late, make } = tree(t);
  make('d', 1n);
  assert.throws(() => {
    for (let count = 0; count < 100; count++) late.set('d', 1n, Buffer.alloc(64 << 10));
  }, /default ACLs/);
});
