import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { OneByOne } from './one-by-one.ts';

test('the first closes at once, the others in their order with a pause between', async () => {
  const closed: number[] = [];
  const closer = new OneByOne();
  for (let index = 0; index < 4; index++) closer.close(() => void closed.push(index));
  assert.deepEqual(closed, [0]);
  await sleep(30);
  assert.deepEqual(closed, [0, 1]);
  await sleep(200);
  assert.deepEqual(closed, [0, 1, 2, 3]);
  closer.close(() => void closed.push(4));
  assert.deepEqual(closed.at(-1), 4);
});
