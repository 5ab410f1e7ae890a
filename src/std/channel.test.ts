import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Channel } from './channel.ts';

test('items come in order, queued or waited for, until close', async () => {
  const channel = new Channel<number>();
  channel.push(1);
  const seen: number[] = [];
  const reading = (async () => {
    for await (const item of channel) seen.push(item);
  })();
  await new Promise(setImmediate);
  channel.push(2);
  channel.push(3);
  channel.close();
  channel.push(4);
  await reading;
  assert.deepEqual(seen, [1, 2, 3]);
});

test('a failure comes after what was queued', async () => {
  const channel = new Channel<number>();
  channel.push(1);
  channel.fail(new Error('broken'));
  const seen: number[] = [];
  await assert.rejects(async () => {
    for await (const item of channel) seen.push(item);
  }, /broken/);
  assert.deepEqual(seen, [1]);
});
