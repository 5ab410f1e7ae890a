/** One image found in an archive; its layers are blobs of the store. */
import { type Descriptor, type Digest, mediaTypes, type Reference } from '../oci/index.ts';
import { compressionOf } from './decompress.ts';

export interface FoundImage {
  config: Buffer;
  layers: Descriptor[];
  /** Absent where the archive has none: then one is made. */
  manifest?: Digest | undefined;
  references: Reference[];
}

/** The media type of a layer blob by its first bytes. */
export function layerMediaType(start: Uint8Array): string {
  const compression = compressionOf(start);
  if (compression === 'gzip') return mediaTypes.ociLayerGzip;
  return compression === 'zstd' ? mediaTypes.ociLayerZstd : mediaTypes.ociLayer;
}
