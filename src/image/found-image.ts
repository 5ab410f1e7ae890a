/** One image found in an archive; its layers are blobs of the store. */
import { type Descriptor, type Digest, mediaTypes, type Reference } from '../oci/index.ts';
import type { Archive } from './archive.ts';
import { type Compression, compressionOf, decompress } from './decompress.ts';
import { layerWithDiffId } from './local-layer.ts';
import type { ImageHold, Shelf } from './shelf.ts';

export interface FoundImage {
  /** The digest of `config`. */
  id: Digest;
  config: Buffer;
  /** A layer that is neither in the archive nor here is missing. */
  layers: (Descriptor | undefined)[];
  /** What the archive calls each layer: a digest, or a path. */
  named: string[];
  /** Absent where the archive has none, or one whose blobs are here under other digests: then one is made. */
  manifest?: Digest | undefined;
  references: Reference[];
}

const layerTypes: Readonly<Partial<Record<Compression, string>>> = {
  none: mediaTypes.ociLayer,
  gzip: mediaTypes.ociLayerGzip,
  zstd: mediaTypes.ociLayerZstd,
};

/** A layer file of the archive as a blob. What no registry takes (xz, bzip2) is stored plain. */
export async function layerInArchive(
  shelf: Shelf,
  hold: ImageHold,
  archive: Archive,
  path: string,
): Promise<Descriptor | undefined> {
  const blob = await archive.blob(path);
  if (blob === undefined) return undefined;
  const mediaType = layerTypes[compressionOf(await archive.start(blob.digest))];
  if (mediaType !== undefined) return { mediaType, ...blob };
  const plain = await shelf.content.ingest(decompress(archive.open(blob.digest)), { hold: hold.blobs });
  return { mediaType: mediaTypes.ociLayer, ...plain };
}

/** The layer that another image here has, held; undefined when none has it. */
export function layerHere(shelf: Shelf, hold: ImageHold, diffId: Digest | undefined): Descriptor | undefined {
  const layer = diffId === undefined ? undefined : layerWithDiffId(shelf, diffId);
  if (layer !== undefined) hold.blobs.add(layer.digest);
  return layer;
}
