import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { collectBytes } from '../std/index.ts';
import { decompress } from './decompress.ts';
import { bytesOf } from './fixture.ts';

const plain = Buffer.alloc(500_000, 'some text, ');
const unpack = (data: Buffer, size?: number): Promise<Buffer> => collectBytes(decompress(bytesOf(data, size)), 1 << 24);

test('plain, gzip and zstd, however the stream is cut', async () => {
  for (const data of [plain, gzipSync(plain), zstdCompressSync(plain)]) {
    for (const size of [data.length, 1000]) assert.ok((await unpack(data, size)).equals(plain));
  }
  assert.ok((await unpack(gzipSync(plain).subarray(), 1)).equals(plain));
  const twice = Buffer.concat([gzipSync(plain), gzipSync(plain)]);
  assert.equal((await unpack(twice)).length, plain.length * 2);
  for (const short of ['', 'a', 'abcde']) assert.equal((await unpack(Buffer.from(short), 1)).toString(), short);
});

for (const program of ['bzip2', 'xz']) {
  const missing = spawnSync(program, ['--version'], { stdio: 'ignore' }).error !== undefined;
  test(`${program} through its program`, { skip: missing ? `${program} is not installed` : false }, async () => {
    const data = execFileSync(program, ['-c'], { input: plain });
    assert.ok((await unpack(data)).equals(plain));
    await assert.rejects(unpack(data.subarray(0, data.length - 20)), { kind: 'invalid' });
  });
}

test('broken data is a Fault; a broken source keeps its error; leaving early closes the source', async () => {
  await assert.rejects(unpack(gzipSync(plain).subarray(0, 500)), { kind: 'invalid' });
  async function* broken(): AsyncGenerator<Uint8Array> {
    yield gzipSync(plain).subarray(0, 500);
    throw new TypeError('source broke');
  }
  await assert.rejects(collectBytes(decompress(broken()), 1 << 24), TypeError);
  let closed = false;
  async function* endless(): AsyncGenerator<Uint8Array> {
    try {
      for (;;) yield gzipSync(plain);
    } finally {
      closed = true;
    }
  }
  for await (const chunk of decompress(endless())) if (chunk.length > 0) break;
  await new Promise(setImmediate);
  assert.ok(closed);
});
