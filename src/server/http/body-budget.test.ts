import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BodyBudget } from './body-budget.ts';

test('large bodies share what there is, small ones are free', () => {
  const budget = new BodyBudget(10_000_000);
  for (let count = 0; count < 1000; count++) assert.equal(budget.grow(0, 256 * 1024), true);
  assert.equal(budget.grow(256 * 1024, 6_000_000), true);
  assert.equal(budget.grow(0, 6_000_000), false);
  assert.equal(budget.grow(6_000_000, 10_000_000), true);
  assert.equal(budget.grow(0, 300_000), false);
  budget.giveBack(10_000_000);
  budget.giveBack(1000);
  assert.equal(budget.grow(0, 10_000_000), true);
});
