/** Finds how a stream is compressed by its first bytes and gives it back plain. Layers and archives come in all of these. */
import { spawn } from 'node:child_process';
import { type Duplex, pipeline, Readable } from 'node:stream';
import { createGunzip, createZstdDecompress, zstdDecompressSync } from 'node:zlib';
import { errorCode, Fault, messageOf } from '../std/index.ts';
import { ZstdFrames } from './zstd-frames.ts';

export type Compression = 'none' | 'gzip' | 'zstd' | 'bzip2' | 'xz';

/** zlib's default of 16 KB halves its speed. */
const chunkSize = 256 * 1024;
const magics: readonly (readonly [Compression, readonly number[]])[] = [
  ['gzip', [0x1f, 0x8b]],
  ['zstd', [0x28, 0xb5, 0x2f, 0xfd]],
  ['bzip2', [0x42, 0x5a, 0x68]],
  ['xz', [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]],
];

export function compressionOf(start: Uint8Array): Compression {
  // A zstd stream may begin with a skippable frame.
  if ((start[0]! & 0xf0) === 0x50 && start[1] === 0x2a && start[2] === 0x4d && start[3] === 0x18) return 'zstd';
  return magics.find(([, magic]) => magic.every((byte, index) => start[index] === byte))?.[0] ?? 'none';
}

/** @throws Fault invalid for broken data; unavailable when the program for bzip2 or xz is not installed */
export async function* decompress(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, void> {
  const iterator = source[Symbol.asyncIterator]();
  const held: Uint8Array[] = [];
  let size = 0;
  let ended = false;
  while (size < 6 && !ended) {
    const next = await iterator.next();
    if (next.done === true) ended = true;
    else {
      held.push(next.value);
      size += next.value.length;
    }
  }
  async function* whole(): AsyncGenerator<Uint8Array, void, void> {
    try {
      yield* held;
      while (!ended) {
        const next = await iterator.next();
        if (next.done === true) ended = true;
        else yield next.value;
      }
    } finally {
      if (!ended) await iterator.return?.();
    }
  }
  const compression = compressionOf(Buffer.concat(held.map((chunk) => chunk.subarray(0, 6))));
  switch (compression) {
    case 'none':
      yield* whole();
      return;
    case 'gzip':
      yield* through(whole(), createGunzip({ chunkSize }), compression);
      return;
    case 'zstd':
      yield* throughZstd(whole());
      return;
    case 'bzip2':
    case 'xz':
      yield* throughProgram(whole(), compression);
      return;
    default:
      return;
  }
}

async function* through(
  source: AsyncIterable<Uint8Array>,
  transform: Duplex,
  what: string,
): AsyncGenerator<Uint8Array, void, void> {
  let sourceError: { error: unknown } | undefined;
  async function* watched(): AsyncGenerator<Uint8Array, void, void> {
    try {
      yield* source;
    } catch (error) {
      sourceError = { error };
      throw error;
    }
  }
  pipeline(Readable.from(watched(), { objectMode: false, highWaterMark: chunkSize }), transform, () => {});
  try {
    for await (const chunk of transform) yield chunk as Buffer;
  } catch (error) {
    if (sourceError !== undefined) throw sourceError.error;
    throw new Fault('invalid', `Cannot decompress ${what} data: ${messageOf(error)}`, { cause: error });
  } finally {
    transform.destroy();
  }
}

/** Frames this small are decompressed at once: of a layer in many, a stream for each would take longer than the data. */
const smallFrame = 256 * 1024;
/** What a small frame may become in memory; one that becomes more is read as a stream. */
const smallContent = 4 << 20;

async function* throughZstd(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, void> {
  const frames = new ZstdFrames(source);
  const stream = (frame: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> =>
    through(frame, createZstdDecompress({ chunkSize }), 'zstd');
  try {
    for (let frame = await frames.next(smallFrame); frame !== undefined; frame = await frames.next(smallFrame)) {
      if (!Buffer.isBuffer(frame)) {
        yield* stream(frame);
        continue;
      }
      const content = smallContentOf(frame);
      if (content === undefined) yield* stream(onceOf(frame));
      else if (content.length > 0) yield content;
    }
  } finally {
    await frames.close();
  }
}

/** Undefined when it is too much, or broken: the stream tells which. */
function smallContentOf(frame: Buffer): Buffer | undefined {
  try {
    return zstdDecompressSync(frame, { maxOutputLength: smallContent });
  } catch {
    return undefined;
  }
}

async function* onceOf(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, void> {
  yield bytes;
}

async function* throughProgram(
  source: AsyncIterable<Uint8Array>,
  program: 'bzip2' | 'xz',
): AsyncGenerator<Uint8Array, void, void> {
  // A dictionary may be as large as 1.5 GB; the largest that xz itself chooses is 64 MiB.
  const limits = program === 'xz' ? ['--memlimit-decompress=256MiB'] : [];
  const child = spawn(program, ['-d', '-c', '-q', ...limits], { stdio: ['pipe', 'pipe', 'ignore'] });
  const exit = new Promise<{ error?: unknown; code?: number | null }>((resolve) => {
    child.on('error', (error) => resolve({ error }));
    child.on('close', (code) => resolve({ code }));
  });
  pipeline(Readable.from(source, { objectMode: false }), child.stdin, () => {});
  try {
    for await (const chunk of child.stdout) yield chunk as Buffer;
    const { error, code } = await exit;
    if (error !== undefined) {
      const text = errorCode(error) === 'ENOENT' ? `${program} is not installed` : messageOf(error);
      throw new Fault('unavailable', `Cannot decompress ${program} data: ${text}`, { cause: error });
    }
    if (code !== 0) throw new Fault('invalid', `Cannot decompress ${program} data: ${program} exited with ${code}`);
  } finally {
    child.kill('SIGKILL');
    child.stdin.destroy();
    child.stdout.destroy();
    await exit;
  }
}
