import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { constants, gzipSync, zstdCompressSync } from 'node:zlib';
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

const skippable = (length: number): Buffer => {
  const frame = Buffer.alloc(8 + length, 0xab);
  frame.writeUInt32LE(0x184d2a5e, 0);
  frame.writeUInt32LE(length, 4);
  return frame;
};

test('zstd in several frames, with frames to skip', async () => {
  const parts = [
    plain.subarray(0, 100),
    randomBytes(700_000),
    Buffer.alloc(0),
    plain,
    Buffer.alloc(20 << 20),
    randomBytes(300),
  ];
  const whole = Buffer.concat(parts);
  const frames = parts.map((part, index) =>
    zstdCompressSync(part, { params: { [constants.ZSTD_c_checksumFlag]: index % 2 } }),
  );
  const all = [skippable(3), ...frames.slice(0, 2), skippable(0), skippable(100_000), ...frames.slice(2), skippable(8)];
  const data = Buffer.concat(all);
  for (const size of [data.length, 64 * 1024, 997]) {
    assert.ok((await collectBytes(decompress(bytesOf(data, size)), 1 << 25)).equals(whole), `in pieces of ${size}`);
  }
  const many = Buffer.concat(
    Array.from({ length: 5000 }, (_, index) => zstdCompressSync(Buffer.from(`file ${index};`))),
  );
  assert.match((await unpack(many, 100_000)).toString('latin1'), /^file 0;file 1;.*;file 4999;$/);
});

test('zstd that is cut short, or followed by something else, is refused', async () => {
  const first = zstdCompressSync(plain.subarray(0, 300), { params: { [constants.ZSTD_c_checksumFlag]: 1 } });
  const data = Buffer.concat([first, skippable(5), zstdCompressSync(randomBytes(40))]);
  const ends = new Set([first.length, first.length + 13, data.length]);
  for (let end = 4; end <= data.length; end++) {
    const result = unpack(data.subarray(0, end), 7);
    if (ends.has(end)) await result;
    else await assert.rejects(result, { kind: 'invalid' }, `cut at ${end} of ${data.length}`);
  }
  await assert.rejects(unpack(Buffer.concat([first, Buffer.from('garbage')])), {
    kind: 'invalid',
    message: /no zstd frame/,
  });
  first[first.length - 1]! ^= 1;
  await assert.rejects(unpack(first), { kind: 'invalid' });
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
