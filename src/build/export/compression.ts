/** How layers are compressed on their way out, and by whom. */
import { pipeline, Readable } from 'node:stream';
import { availableParallelism } from 'node:os';
import { constants, createZstdCompress } from 'node:zlib';
import { mediaTypes } from '../../oci/index.ts';
import { Fault, parallelGzip } from '../../std/index.ts';
import { type Attributes, flagOf, integerOf } from './attributes.ts';

export type CompressionKind = 'uncompressed' | 'gzip' | 'zstd';

export interface Compression {
  readonly kind: CompressionKind;
  /** Of the program that does it; undefined for what is not compressed. */
  readonly level: number | undefined;
}

export interface CompressionOptions extends Compression {
  /** Layers of the base image, too. */
  readonly force: boolean;
  /** Asked for, and not only what is usual. */
  readonly isGiven: boolean;
}

/** zlib's own is 6: two per cent smaller, in half as much time again. */
const usualGzip = 4;
const usualZstd = 3;
const chunkSize = 256 * 1024;
const mostWorkers = 4;

/** @throws Fault invalid, not-implemented */
export function compressionOf(attributes: Attributes): CompressionOptions {
  const kind = attributes['compression'] ?? '';
  const level = integerOf(attributes, 'compression-level');
  const force = flagOf(attributes, 'force-compression') ?? false;
  const isGiven = kind !== '' || level !== undefined || force;
  switch (kind) {
    case 'uncompressed':
      return { kind, level: undefined, force, isGiven };
    case 'zstd':
      return { kind, level: checkedLevel(level ?? usualZstd, kind, 22), force, isGiven };
    case '':
    case 'gzip':
      return { kind: 'gzip', level: checkedLevel(level ?? usualGzip, 'gzip', 9), force, isGiven };
    case 'estargz':
      throw new Fault(
        'not-implemented',
        'Cannot make estargz layers: this builder compresses with gzip or zstd (compression=gzip, compression=zstd)',
      );
    default:
      throw new Fault('invalid', `unsupported compression type ${kind}`);
  }
}

function checkedLevel(level: number, kind: CompressionKind, most: number): number {
  if (level >= 0 && level <= most) return level;
  throw new Fault('invalid', `invalid compression-level ${level}: ${kind} knows 0 to ${most}`);
}

const kinds: ReadonlyMap<string, CompressionKind> = new Map([
  [mediaTypes.ociLayer, 'uncompressed'],
  [mediaTypes.dockerLayer, 'uncompressed'],
  [mediaTypes.ociLayerGzip, 'gzip'],
  [mediaTypes.dockerLayerGzip, 'gzip'],
  [mediaTypes.ociLayerZstd, 'zstd'],
  [mediaTypes.dockerLayerZstd, 'zstd'],
]);

/** undefined for a layer of another kind, which nobody changes. */
export function kindOfLayer(mediaType: string): CompressionKind | undefined {
  return kinds.get(mediaType);
}

export const layerTypeOf: Readonly<Record<CompressionKind, string>> = {
  uncompressed: mediaTypes.ociLayer,
  gzip: mediaTypes.ociLayerGzip,
  zstd: mediaTypes.ociLayerZstd,
};

/** Equal bytes make equal bytes, however many cores there are. */
export function compressed(tar: AsyncIterable<Uint8Array>, { kind, level }: Compression): AsyncIterable<Uint8Array> {
  if (kind === 'uncompressed') return tar;
  return kind === 'gzip' ? parallelGzip(tar, { level: level ?? usualGzip }) : zstd(tar, level ?? usualZstd);
}

async function* zstd(tar: AsyncIterable<Uint8Array>, level: number): AsyncGenerator<Uint8Array, void, void> {
  const params = {
    [constants.ZSTD_c_compressionLevel]: level,
    [constants.ZSTD_c_checksumFlag]: 1,
    // With one worker as with several the bytes are the same; without any they are others.
    [constants.ZSTD_c_nbWorkers]: Math.min(availableParallelism(), mostWorkers),
  };
  const stream = createZstdCompress({ chunkSize, params });
  let failure: { error: unknown } | undefined;
  async function* watched(): AsyncGenerator<Uint8Array, void, void> {
    try {
      yield* tar;
    } catch (error) {
      failure = { error };
      throw error;
    }
  }
  pipeline(Readable.from(watched(), { objectMode: false, highWaterMark: chunkSize }), stream, () => {});
  try {
    for await (const chunk of stream) yield chunk as Buffer;
  } catch (error) {
    throw failure === undefined ? error : failure.error;
  } finally {
    stream.destroy();
  }
}
