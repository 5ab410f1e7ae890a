import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Entry, planEviction } from './retention.ts';

interface Named extends Entry {
  name: string;
}

const kb = 1024;
const entry = (name: string, size: number, usedAt: number): Named => ({ name, size: size * kb, usedAt, weight: 1 });
const entries = [entry('new', 40, 300), entry('old', 30, 100), entry('middle', 50, 200)];
const none = { maxBytes: Infinity, maxWeight: Infinity, maxAgeMs: Infinity };
const plan = (bounds: object, beside = 0, of = entries): string[] =>
  planEviction(of, { ...none, ...bounds }, { now: 1000, beside }).map(({ name }) => name);

test('the least recently used goes first, and no more than has to', () => {
  assert.deepEqual(plan({}), []);
  assert.deepEqual(plan({ maxBytes: 120 * kb }), []);
  assert.deepEqual(plan({ maxBytes: 119 * kb }), ['old']);
  assert.deepEqual(plan({ maxBytes: 89 * kb }), ['old', 'middle']);
  assert.deepEqual(plan({ maxBytes: 120 * kb }, 1), ['old'], 'what is beside takes room, too');
  assert.deepEqual(plan({ maxBytes: 0 }), ['old', 'middle', 'new']);
  assert.deepEqual(plan({ maxWeight: 2 }), ['old']);
});

test('for the sake of space the small go last', () => {
  const mixed = [entry('manifest', 1, 50), ...entries, entry('config', 2, 250)];
  assert.deepEqual(plan({ maxBytes: 100 * kb }, 0, mixed), ['old']);
  assert.deepEqual(plan({ maxBytes: 1 * kb }, 0, mixed), ['old', 'middle', 'new', 'manifest', 'config']);
  assert.deepEqual(plan({ maxWeight: 4 }, 0, mixed), ['manifest'], 'of memory all take the same');
});

test('what was of no use for too long goes, whatever room there is', () => {
  assert.deepEqual(plan({ maxAgeMs: 900 }), []);
  assert.deepEqual(plan({ maxAgeMs: 899 }), ['old']);
  assert.deepEqual(plan({ maxAgeMs: 750 }), ['old', 'middle']);
  assert.deepEqual(plan({ maxAgeMs: 899, maxBytes: 89 * kb }), ['old', 'middle']);
});
