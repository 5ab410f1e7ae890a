import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { encode } from '../protobuf/codec.ts';
import { bytes } from '../protobuf/field.ts';
import { frames, maxMessageBytes, unframe } from './frame.ts';

async function* pieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function all(source: AsyncIterable<readonly Buffer[]>): Promise<Buffer[]> {
  const found: Buffer[] = [];
  for await (const messages of source) found.push(...messages);
  return found;
}

const table = { data: bytes(1) };

test('messages come out as they went in, however they are cut', async () => {
  const messages = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 10 });
  await fc.assert(
    fc.asyncProperty(messages, fc.integer({ min: 1, max: 700 }), async (sent, size) => {
      const stream = frames(
        table,
        sent.map((data) => ({ data })),
      );
      assert.deepEqual(
        await all(unframe(pieces(stream, size))),
        sent.map((data) => encode(table, { data })),
      );
    }),
  );
});

test('a message over the limit is refused at its head', async () => {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(maxMessageBytes + 1, 1);
  async function* endless(): AsyncGenerator<Uint8Array> {
    yield head;
    assert.fail('more was read than the head');
  }
  await assert.rejects(all(unframe(endless())), /more than/);
});

test('compressed and cut messages are refused', async () => {
  await assert.rejects(all(unframe(pieces(Buffer.from([1, 0, 0, 0, 0]), 5))), /compressed/);
  await assert.rejects(all(unframe(pieces(Buffer.from([0, 0, 0, 0, 2, 1]), 6))), /ends within/);
});
