import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Arrivals } from './arrivals.ts';

const never = new AbortController().signal;

test('what is there, what comes later, what never comes', async () => {
  const arrivals = new Arrivals<number>();
  arrivals.set('a', 1);
  assert.equal(await arrivals.get('a', 10_000, never), 1);
  const later = arrivals.get('b', 10_000, never);
  arrivals.set('c', 3);
  arrivals.set('b', 2);
  assert.equal(await later, 2);
  assert.equal(await arrivals.get('d', 1, never), undefined);
  arrivals.delete('a');
  assert.equal(await arrivals.get('a', 1, never), undefined);
});

test('who waits may be told to stop', async () => {
  const stop = new AbortController();
  const waiting = new Arrivals<number>().get('a', 10_000, stop.signal);
  stop.abort(new Error('enough'));
  await assert.rejects(waiting, /enough/);
});
