/** Iterated or awaited, done once. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Work } from './work.ts';

function count(log: string[], fails = false): Work<number, string> {
  return new Work('the count', async function* () {
    try {
      log.push('begun');
      yield 1;
      yield 2;
      if (fails) throw new Error('three is too many');
      return 'done';
    } finally {
      log.push('over');
    }
  });
}

test('nothing happens before it is asked for', async () => {
  const log: string[] = [];
  const work = count(log);
  await new Promise((later) => setTimeout(later, 5));
  assert.deepEqual(log, []);
  assert.equal(await work, 'done');
  assert.equal(await work, 'done');
  assert.deepEqual(log, ['begun', 'over']);
});

test('steps, then the outcome', async () => {
  const log: string[] = [];
  const work = count(log);
  const steps: number[] = [];
  for await (const step of work) steps.push(step);
  assert.deepEqual([steps, await work], [[1, 2], 'done']);
  assert.deepEqual(log, ['begun', 'over']);
  await assert.rejects(async () => {
    for await (const step of work) void step;
  }, /Cannot iterate the count twice/);
});

test('left early it is cancelled, and has no outcome', async () => {
  const log: string[] = [];
  const work = count(log);
  for await (const step of work) if (step === 1) break;
  assert.deepEqual(log, ['begun', 'over']);
  await assert.rejects(Promise.resolve(work), /the count was left before its end/);
});

test('a failure reaches who iterates and who awaits', async () => {
  await assert.rejects(Promise.resolve(count([], true)), /three is too many/);
  await assert.rejects(async () => {
    for await (const step of count([], true)) void step;
  }, /three is too many/);
});
