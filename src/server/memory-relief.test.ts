/** When memory is given back: as it grows, and all of it once a burst is over. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Memory, MemoryRelief } from './memory-relief.ts';

const megabyte = 1 << 20;

test('trims while it grows, collects once when it is quiet, and does nothing at rest', async () => {
  const done: string[] = [];
  let resident = 80;
  const memory: Memory = {
    resident: () => resident * megabyte,
    collect: () => {
      done.push('collect');
      return Promise.resolve();
    },
    trim: () => {
      done.push('trim');
      resident -= 10;
    },
  };
  using relief = new MemoryRelief(memory);
  const look = async (at: number): Promise<string> => {
    resident = at;
    done.length = 0;
    await relief.look();
    return done.join(' ');
  };
  const begun: string[] = [];
  for (let count = 0; count < 20; count++) begun.push(await look(80 + (count % 3)));
  assert.equal(begun.join(''), 'collecttrim', 'after the start');
  for (let count = 0; count < 20; count++) assert.equal(await look(80 + (count % 3)), '');
  assert.equal(await look(110), 'trim');
  assert.equal(await look(110), '');
  assert.equal(await look(140), 'trim');
  const quiet: string[] = [];
  for (let count = 0; count < 20; count++) quiet.push(await look(130));
  assert.deepEqual(quiet.slice(13, 17), ['', 'collect', 'trim', '']);
  assert.equal(quiet.join(''), 'collecttrim');
  for (let count = 0; count < 10; count++) assert.equal(await look(121), '');
});

test('the real thing gives buffers back', async () => {
  using relief = new MemoryRelief();
  let held: Buffer[] = Array.from({ length: 4000 }, () => Buffer.alloc(20_000, 1));
  await relief.look();
  const before = process.memoryUsage.rss();
  held = held.slice(0, 1);
  for (let count = 0; count < 20; count++) {
    await relief.look();
    await sleep(20);
  }
  assert.ok(
    process.memoryUsage.rss() < before - 40 * megabyte,
    `${before} ${process.memoryUsage.rss()} ${held.length}`,
  );
});
