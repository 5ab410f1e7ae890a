import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FreeSpace } from '../std/index.ts';
import { createLogger } from '../std/index.ts';
import type { BuildCacheRecord } from '../api/index.ts';
import { cacheSpace } from './builder.ts';
import { bytesToFree, DiskPressure, parseGcMarks } from './disk-pressure.ts';

const gigabyte = 2 ** 30;

test('marks are parts that are used or bytes that are left', () => {
  assert.deepEqual(parseGcMarks({ high: '85%', low: '75%' }), { high: { used: 0.85 }, low: { used: 0.75 } });
  assert.deepEqual(parseGcMarks({ high: '5GB', low: '20g' }), {
    high: { left: 5 * gigabyte },
    low: { left: 20 * gigabyte },
  });
  assert.deepEqual(parseGcMarks({ high: '5GB' }), { high: { left: 5 * gigabyte }, low: { left: 10 * gigabyte } });
  assert.equal(Math.round((parseGcMarks({ high: '85%' })!.low as { used: number }).used * 100), 75);
  assert.equal(parseGcMarks({}), undefined);
});

const wrong: [values: Record<string, unknown>, message: RegExp][] = [
  [{ high: '85%%' }, /high=85%%; wanted/],
  [{ high: '0%' }, /wanted the part that is used/],
  [{ high: '100%' }, /wanted the part that is used/],
  [{ high: 'much' }, /wanted the part that is used/],
  [{ high: '0' }, /wanted the part that is used/],
  [{ low: '75%' }, /low without high/],
  [{ high: '85%', low: '85%' }, /low must be less full than high/],
  [{ high: '85%', low: '90%' }, /must be less full/],
  [{ high: '20GB', low: '5GB' }, /must be less full/],
  [{ high: '85%', low: '5GB' }, /must both be/],
  [{ high: '85%', limit: '1' }, /unknown key "limit"/],
];
for (const [values, message] of wrong) {
  test(`refused: ${JSON.stringify(values)}`, () => {
    assert.throws(() => parseGcMarks(values), { kind: 'invalid', message });
  });
}

function space(total: number, available: number): FreeSpace {
  return { total, available, inodes: 0, freeInodes: 0 };
}

test('nothing is freed until the disk is fuller than high, then down to low', () => {
  const parts = parseGcMarks({ high: '85%', low: '75%' })!;
  assert.equal(bytesToFree(space(1000, 150), parts), 0);
  assert.equal(bytesToFree(space(1000, 149), parts), 101);
  assert.equal(bytesToFree(space(1000, 0), parts), 250);
  const bytes = parseGcMarks({ high: '100', low: '300' })!;
  assert.equal(bytesToFree(space(1000, 100), bytes), 0);
  assert.equal(bytesToFree(space(1000, 99), bytes), 201);
});

test('it is said once that no more can be freed, and looks do not pile up', async () => {
  const lines: string[] = [];
  const log = createLogger({ level: 'info', format: 'text', write: (line) => lines.push(line) });
  let asked = 0;
  const images = {
    freeSpace: async (): Promise<number> => {
      asked++;
      await new Promise(setImmediate);
      return 0;
    },
  };
  // Fuller than a millionth: every disk is.
  await using pressure = new DiskPressure({
    dataRoot: '/',
    marks: { high: { used: 1e-9 }, low: { used: 1e-10 } },
    sources: [images],
    log,
  });
  for (let count = 0; count < 5; count++) pressure.look();
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(asked, 2, 'one look, and one for all who asked meanwhile');
  pressure.look();
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(asked, 3);
  assert.equal(lines.length, 1);
  assert.match(lines[0]!, /the disk runs low, and no more can be freed unasked/);
});

test('the first source is asked for all that is missing, the next for what is missing then', async () => {
  const asked: string[] = [];
  const source = (name: string): { freeSpace(bytes: number): Promise<number> } => ({
    freeSpace: async (bytes) => {
      asked.push(`${name} ${bytes > 0}`);
      return 1;
    },
  });
  const log = createLogger({ level: 'error', format: 'text', write: () => {} });
  const marks = { high: { used: 1e-9 }, low: { used: 1e-10 } };
  await using pressure = new DiskPressure({ dataRoot: '/', marks, sources: [source('cache'), source('images')], log });
  pressure.look();
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.deepEqual(asked, ['cache true', 'images true']);
});

test('the build cache gives back as much as is missing, the oldest first', async () => {
  const kept: (number | undefined)[] = [];
  const record = (size: number): BuildCacheRecord => ({ size }) as BuildCacheRecord;
  const builder = {
    cache: async () => [record(300), record(700)],
    prune: async ({ all, keepBytes }: { all: boolean; keepBytes: number | undefined }) => {
      assert.ok(all);
      kept.push(keepBytes);
      return { deleted: [], reclaimed: 400 };
    },
  };
  assert.equal(await cacheSpace(builder).freeSpace(350), 400);
  await cacheSpace(builder).freeSpace(5000);
  assert.deepEqual(kept, [650, 0]);
  assert.equal(await cacheSpace({ ...builder, cache: async () => [] }).freeSpace(1), 0);
});
