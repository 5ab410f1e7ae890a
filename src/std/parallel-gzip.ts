/**
 * Gzip (RFC 1952) on several cores. The input is cut into blocks that are deflated side by side, each with the end of the one
 * before as its dictionary, and joined by sync flushes into one member, as pigz does. Equal input makes equal bytes, however many cores.
 */
import { constants, crc32, deflateRaw } from 'node:zlib';
import { promisify } from 'node:util';
import { asBuffer } from './bytes.ts';

const deflate = promisify(deflateRaw);

/** Large enough that what a block costs at its borders does not count, small enough that memory stays so. */
const blockSize = 1024 * 1024;
const windowSize = 32 * 1024;
/** Most blocks fit into one of these. */
const outputSize = 512 * 1024;
/** Blocks on their way at once; Node's pool has four threads. */
const ahead = 4;
/** No name, no time, deflated, Unix. */
const header = Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3);

/** Holds some `ahead` blocks, and what they become. `level` is zlib's, 1 to 9. */
export async function* parallelGzip(
  source: AsyncIterable<Uint8Array>,
  options: { level: number },
): AsyncGenerator<Uint8Array, void, void> {
  yield header;
  const pending: Promise<Buffer>[] = [];
  let window: Buffer = Buffer.alloc(0);
  let sum = 0;
  let size = 0;
  // What is compressed is used again: memory that comes and goes by megabytes keeps the collector of a large process busy.
  const blocks = Array.from({ length: ahead + 2 }, () => Buffer.allocUnsafe(blockSize));
  const start = (block: Buffer, last: boolean): void => {
    const done = deflate(block, {
      level: options.level,
      ...(window.length === 0 ? {} : { dictionary: window }),
      finishFlush: last ? constants.Z_FINISH : constants.Z_SYNC_FLUSH,
      chunkSize: outputSize,
    });
    // Awaited in order below; one that fails early must not be called unhandled meanwhile.
    done.catch(() => {});
    pending.push(done);
    window = block.subarray(Math.max(0, block.length - windowSize));
    sum = crc32(block, sum);
    size += block.length;
  };
  for await (const block of blocksOf(source, blocks)) {
    start(block, false);
    if (pending.length >= ahead) yield await pending.shift()!;
  }
  start(Buffer.alloc(0), true);
  for (const each of pending) yield await each;
  const trailer = Buffer.alloc(8);
  trailer.writeUInt32LE(sum, 0);
  trailer.writeUInt32LE(size % 2 ** 32, 4);
  yield trailer;
}

/** Blocks of exactly that size, the last one smaller; in `blocks`, one after the other, again and again. */
async function* blocksOf(
  source: AsyncIterable<Uint8Array>,
  blocks: readonly Buffer[],
): AsyncGenerator<Buffer, void, void> {
  let turn = 0;
  let block = blocks[0]!;
  let filled = 0;
  for await (const chunk of source) {
    const data = asBuffer(chunk);
    for (let at = 0; at < data.length; ) {
      const copied = data.copy(block, filled, at);
      filled += copied;
      at += copied;
      if (filled < blockSize) continue;
      yield block;
      turn = (turn + 1) % blocks.length;
      block = blocks[turn]!;
      filled = 0;
    }
  }
  if (filled > 0) yield block.subarray(0, filled);
}
