/** An OCI image layout (image-spec "Image Layout"): index.json, blobs by digest. */
import {
  choosePlatform,
  type Descriptor,
  type Digest,
  digestAlgorithm,
  digestHex,
  hostPlatform,
  isImageConfigType,
  parseManifest,
  parseReference,
  type Platform,
  type Reference,
  withDefaultTag,
} from '../oci/index.ts';
import { Fault } from '../std/index.ts';
import type { Archive } from './archive.ts';
import type { FoundImage } from './found-image.ts';
import type { Shelf } from './shelf.ts';

const nestingLimit = 4;

export async function readOciLayout(
  shelf: Shelf,
  archive: Archive,
  platform: Platform | undefined,
): Promise<FoundImage[]> {
  const parsed = parseManifest((await archive.read('index.json'))!, '');
  if (parsed.kind !== 'index') throw new Fault('invalid', 'Cannot load image: index.json is not an index');
  const images = new Map<Digest, FoundImage>();
  for (const descriptor of parsed.index.manifests) {
    const found = await readDescriptor(archive, descriptor, platform, 0);
    if (found === undefined) continue;
    const image = images.get(found.manifest!) ?? found;
    images.set(found.manifest!, image);
    const reference = nameOf(descriptor);
    if (reference !== undefined) image.references.push(reference);
  }
  for (const image of images.values()) {
    for (const layer of image.layers) {
      const size = shelf.content.size(layer.digest);
      if (size === undefined)
        throw new Fault('invalid', `Cannot load image: blob ${layer.digest} is missing from the archive`);
      if (size !== layer.size)
        throw new Fault('invalid', `Cannot load image: blob ${layer.digest} has ${size} bytes, not ${layer.size}`);
    }
  }
  if (images.size === 0) throw new Fault('not-found', 'Cannot load image: the archive has none for this platform');
  return [...images.values()];
}

async function readDescriptor(
  archive: Archive,
  descriptor: Descriptor,
  platform: Platform | undefined,
  depth: number,
): Promise<FoundImage | undefined> {
  const bytes = await archive.read(blobPath(descriptor.digest));
  if (bytes === undefined) return undefined;
  const parsed = parseManifest(bytes, descriptor.mediaType);
  if (parsed.kind === 'index') {
    if (depth >= nestingLimit) throw new Fault('invalid', 'Cannot load image: indexes nest too deep');
    const offers = parsed.index.manifests.filter(
      (each) => each.platform !== undefined && archive.has(blobPath(each.digest)),
    );
    const chosen =
      choosePlatform(platform ?? hostPlatform(), offers, (each) => each.platform!) ??
      parsed.index.manifests.find((each) => each.platform === undefined);
    return chosen === undefined ? undefined : readDescriptor(archive, chosen, platform, depth + 1);
  }
  const { config, layers } = parsed.manifest;
  if (!isImageConfigType(config.mediaType)) return undefined;
  const configBytes = await archive.read(blobPath(config.digest));
  if (configBytes === undefined)
    throw new Fault('invalid', `Cannot load image: blob ${config.digest} is missing from the archive`);
  return { config: configBytes, layers, manifest: descriptor.digest, references: [] };
}

function blobPath(digest: Digest): string {
  return `blobs/${digestAlgorithm(digest)}/${digestHex(digest)}`;
}

/** The name a tool left in the annotations; a bare tag names nothing. */
function nameOf(descriptor: Descriptor): Reference | undefined {
  const annotations = descriptor.annotations ?? {};
  const full = annotations['io.containerd.image.name'];
  const short = annotations['org.opencontainers.image.ref.name'];
  const text = full ?? (short !== undefined && /[/:]/.test(short) ? short : undefined);
  if (text === undefined) return undefined;
  const reference = withDefaultTag(parseReference(text));
  return reference.tag === undefined ? undefined : reference;
}
