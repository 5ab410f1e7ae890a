import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { collectBytes } from './bytes.ts';
import { parallelGzip } from './parallel-gzip.ts';

async function* pieces(data: Buffer, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < data.length; at += size) yield data.subarray(at, at + size);
}

const compress = (data: Buffer, size: number, level = 4): Promise<Buffer> =>
  collectBytes(parallelGzip(pieces(data, size), { level }), 1 << 26);

const text = Buffer.from(Array.from({ length: 300_000 }, (_, index) => `line ${index}\n`).join(''));

for (const [name, data] of [
  ['nothing', Buffer.alloc(0)],
  ['a byte', Buffer.from('x')],
  ['exactly one block', Buffer.alloc(512 * 1024, 'ab')],
  ['several blocks of text', text],
  ['noise', randomBytes(1_300_000)],
] as const) {
  test(`${name} comes back, here and from GNU gzip`, async () => {
    const packed = await compress(data, 100_000);
    assert.deepEqual(gunzipSync(packed), data);
    assert.deepEqual(execFileSync('gzip', ['-dc'], { input: packed, maxBuffer: 1 << 26 }), data);
  });
}

test('equal input makes equal bytes, however it comes in pieces', async () => {
  assert.deepEqual(await compress(text, 7_001), await compress(text, 1 << 20));
});

test('blocks know what was before them', async () => {
  const noise = randomBytes(30_000);
  const repeated = Buffer.concat(Array.from({ length: 60 }, () => noise));
  assert.ok((await compress(repeated, 1 << 20)).length < 120_000);
});

test('a source that fails is heard, and leaves no failure unheard', async () => {
  async function* failing(): AsyncGenerator<Uint8Array> {
    yield randomBytes(2_000_000);
    throw new Error('source broke');
  }
  await assert.rejects(collectBytes(parallelGzip(failing(), { level: 1 }), 1 << 26), /source broke/);
});
