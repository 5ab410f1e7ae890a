/** Archives that a daemon may send to hurt. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { packTar, readTar } from './tar.ts';

async function archive(change: (header: Buffer) => void): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of packTar([{ path: 'a', type: 'file', mode: 0o644, body: Buffer.from('hello') }]))
    chunks.push(chunk);
  const bytes = Buffer.concat(chunks);
  const header = bytes.subarray(0, 512);
  change(header);
  header.fill(32, 148, 156);
  header.write(
    `${header
      .reduce((sum, byte) => sum + byte, 0)
      .toString(8)
      .padStart(6, '0')}\0 `,
    148,
    'latin1',
  );
  return bytes;
}

async function refused(bytes: Buffer): Promise<void> {
  await assert.rejects(
    async () => {
      for await (const entry of readTar(
        (async function* () {
          yield bytes;
        })(),
      ))
        void entry;
    },
    { kind: 'invalid' },
  );
}

test('sizes that are none are refused, not read for ever', async () => {
  for (const size of ['zzz', '-5', '9x', '\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff']) {
    await refused(await archive((header) => void header.fill(0, 124, 136).write(size, 124, 'latin1')));
  }
  await refused(await archive((header) => void header.write('x', 156)));
});

test('an extended header beyond a megabyte is refused before it is gathered', async () => {
  const bytes = await archive((header) => {
    header.fill(0, 124, 136).write('7777777', 124);
    header.write('x', 156);
  });
  await refused(bytes);
});
