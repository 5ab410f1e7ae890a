import assert from 'node:assert/strict';
import { test } from 'node:test';
import { asBuffer, collectBytes, tapBytes } from './bytes.ts';

async function* chunks(...texts: string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield Buffer.from(text);
}

test('collectBytes joins and refuses more than its limit', async () => {
  assert.equal((await collectBytes(chunks('ab', 'c'), 3)).toString(), 'abc');
  await assert.rejects(collectBytes(chunks('ab', 'cd'), 3), /more than 3 bytes/);
});

test('tapBytes sees every chunk once', async () => {
  let seen = '';
  const out = await collectBytes(
    tapBytes(chunks('ab', 'cd'), (chunk) => {
      seen += asBuffer(chunk).toString();
    }),
    10,
  );
  assert.equal(out.toString(), 'abcd');
  assert.equal(seen, 'abcd');
});

test('asBuffer shares memory', () => {
  const array = new Uint8Array([1, 2, 3]).subarray(1);
  asBuffer(array)[0] = 9;
  assert.equal(array[0], 9);
});
