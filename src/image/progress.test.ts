import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ProgressMessage } from '../api/index.ts';
import { Channel } from '../std/index.ts';
import { Meter, progressBar, progressMessage, progressStream } from './progress.ts';

test('bars as jsonmessage draws them', () => {
  assert.equal(progressBar(0, 0), '');
  assert.equal(progressBar(1, 0), '      1B');
  assert.equal(progressBar(20, 100), `[==========>${' '.repeat(40)}]      20B/100B`);
  assert.equal(progressBar(100, 100), `[${'='.repeat(50)}>]     100B/100B`);
  assert.equal(progressBar(50, 40), `[${'='.repeat(50)}>]      50B`);
  assert.equal(progressBar(1_500_000, 3_000_000), `[${'='.repeat(25)}>${' '.repeat(25)}]    1.5MB/3MB`);
});

test('messages carry what Docker sends', () => {
  assert.deepEqual(progressMessage('id', 'Pulling fs layer'), {
    status: 'Pulling fs layer',
    progressDetail: {},
    id: 'id',
  });
  assert.deepEqual(progressMessage('id', 'Downloading', 1, 2).progressDetail, { current: 1, total: 2 });
});

test('a meter prints the first and the last, and few between', async () => {
  const output = new Channel<ProgressMessage>();
  const meter = new Meter(output, 'id', 'Downloading');
  for (let at = 1; at <= 1000; at++) meter.report(at, 1000);
  output.close();
  const seen: (number | undefined)[] = [];
  for await (const { progressDetail } of output) seen.push(progressDetail?.current);
  assert.equal(seen[0], 1);
  assert.equal(seen.at(-1), 1000);
  assert.ok(seen.length < 10);
});

test('leaving the stream aborts the work and waits for it', async () => {
  const output = new Channel<ProgressMessage>();
  let ended = false;
  const stream = progressStream(
    output,
    async (signal) => {
      output.push({ status: 'one' });
      await new Promise((resolve) => {
        signal.addEventListener('abort', resolve);
      });
      await new Promise((resolve) => {
        setTimeout(resolve, 5);
      });
      ended = true;
      signal.throwIfAborted();
    },
    new AbortController().signal,
  );
  for await (const message of stream) if (message.status === 'one') break;
  assert.ok(ended);
});
