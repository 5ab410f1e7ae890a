/** Archives compressed on their way into a file, because its name says so or the user does. */
import { type Duplex, pipeline, Readable } from 'node:stream';
import { createGzip, createZstdCompress } from 'node:zlib';
import { Fault } from '../../std/index.ts';

export type Compression = 'none' | 'gzip' | 'zstd';

const compressions: ReadonlySet<string> = new Set(['none', 'gzip', 'zstd']);
const byEnding: Readonly<Record<string, Compression>> = { gz: 'gzip', tgz: 'gzip', zst: 'zstd', tzst: 'zstd' };
const pieceSize = 256 * 1024;

/** What `--compress` says, or the name of the output. @throws Fault invalid for what is not known, or not made here */
export function chooseCompression(flag: string, output: string): Compression {
  if (flag !== '') {
    if (!compressions.has(flag))
      throw new Fault('invalid', `unknown compression "${flag}": must be one of "gzip", "zstd", "none"`);
    return flag as Compression;
  }
  const ending = /\.(\w+)$/.exec(output)?.[1]?.toLowerCase() ?? '';
  if (/^(t?xz|t?bz2|lz4|lzma)$/.test(ending)) {
    throw new Fault(
      'invalid',
      `cannot compress as .${ending}: name the output .gz or .zst, or write it plain with --compress none`,
    );
  }
  return byEnding[ending] ?? 'none';
}

/** Equal bytes in make equal bytes out. */
export function compressBytes(bytes: AsyncIterable<Uint8Array>, compression: Compression): AsyncIterable<Uint8Array> {
  if (compression === 'none') return bytes;
  const transform: Duplex =
    compression === 'gzip' ? createGzip({ chunkSize: pieceSize }) : createZstdCompress({ chunkSize: pieceSize });
  // What goes wrong comes out of the iteration.
  return pipeline(Readable.from(bytes, { objectMode: false }), transform, () => {});
}
