/** The platforms of an image: the one that is here, and those that the index it was pulled by offers besides. */
import type { ImageManifestSummary } from '../api/index.ts';
import { type Descriptor, type Digest, mediaTypes, parseManifest } from '../oci/index.ts';
import { imageSize } from './describe.ts';
import type { StoredImage } from './records.ts';
import type { Shelf } from './shelf.ts';

/** The one that is here first. */
export async function imagePlatforms(shelf: Shelf, image: StoredImage): Promise<ImageManifestSummary[]> {
  const own = summarizeOwn(shelf, image);
  const offered = new Map<Digest, Descriptor>();
  for (const { digest } of shelf.records.references(image.id)) {
    if (digest === undefined || !shelf.content.has(digest)) continue;
    const parsed = parseManifest(await shelf.content.read(digest), '');
    if (parsed.kind === 'index') for (const each of parsed.index.manifests) offered.set(each.digest, each);
  }
  offered.delete(image.manifest);
  // Attestations stand in an index, too, under an unknown platform.
  const others = [...offered.values()].filter(({ platform }) => (platform?.os ?? 'unknown') !== 'unknown');
  return [own, ...others.map(summarizeOffered)];
}

function summarizeOwn(shelf: Shelf, image: StoredImage): ImageManifestSummary {
  const { os, architecture, variant } = image.config;
  const size = (digest: Digest): number => shelf.content.size(digest) ?? 0;
  const blobs = new Set([image.manifest, image.id, ...image.layers.map((layer) => layer.digest)]);
  const content = [...blobs].reduce((sum, digest) => sum + size(digest), 0);
  const unpacked = imageSize(shelf, image);
  return {
    ID: image.manifest,
    Descriptor: { mediaType: mediaTypes.ociManifest, digest: image.manifest, size: size(image.manifest) },
    Available: true,
    Size: { Content: content, Total: content + unpacked },
    Kind: 'image',
    ImageData: {
      Platform: { os, architecture, ...(variant === undefined ? {} : { variant }) },
      Containers: shelf.uses(image.id).map((use) => use.containerId),
      Size: { Unpacked: unpacked },
    },
  };
}

function summarizeOffered({ mediaType, digest, size, platform }: Descriptor): ImageManifestSummary {
  const { os, architecture, variant } = platform!;
  return {
    ID: digest,
    Descriptor: { mediaType, digest, size },
    Available: false,
    Size: { Content: 0, Total: 0 },
    Kind: 'image',
    ImageData: {
      Platform: { os, architecture, ...(variant === undefined ? {} : { variant }) },
      Containers: [],
      Size: { Unpacked: 0 },
    },
  };
}
