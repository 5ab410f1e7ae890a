import assert from 'node:assert/strict';
import { test } from 'node:test';
import { planEviction } from './retention.ts';

const entry = (name: string, size: number, usedAt: number) => ({ name, size, usedAt, weight: 1 });
const entries = [entry('new', 40, 300), entry('old', 30, 100), entry('middle', 50, 200)];
const none = { maxBytes: Infinity, maxWeight: Infinity, maxAgeMs: Infinity };
const plan = (bounds: object, beside = 0): string[] =>
  planEviction(entries, { ...none, ...bounds }, { now: 1000, beside }).map(({ name }) => name);

test('the least recently used goes first, and no more than has to', () => {
  assert.deepEqual(plan({}), []);
  assert.deepEqual(plan({ maxBytes: 120 }), []);
  assert.deepEqual(plan({ maxBytes: 119 }), ['old']);
  assert.deepEqual(plan({ maxBytes: 89 }), ['old', 'middle']);
  assert.deepEqual(plan({ maxBytes: 120 }, 1), ['old'], 'what is beside takes room, too');
  assert.deepEqual(plan({ maxBytes: 0 }), ['old', 'middle', 'new']);
  assert.deepEqual(plan({ maxWeight: 2 }), ['old']);
});

test('what was of no use for too long goes, whatever room there is', () => {
  assert.deepEqual(plan({ maxAgeMs: 900 }), []);
  assert.deepEqual(plan({ maxAgeMs: 899 }), ['old']);
  assert.deepEqual(plan({ maxAgeMs: 750 }), ['old', 'middle']);
});
