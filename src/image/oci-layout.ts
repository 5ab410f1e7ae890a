/** An OCI image layout (image-spec "Image Layout"): index.json, blobs by digest, indexes within indexes. */
import {
  choosePlatform,
  type Descriptor,
  type Digest,
  digestAlgorithm,
  Digester,
  formatReference,
  hostPlatform,
  isImageConfigType,
  parseImageConfig,
  parseManifest,
  parseReference,
  type Platform,
  platformDistance,
  type Reference,
  withDefaultTag,
} from '../oci/index.ts';
import { Fault, faultKind } from '../std/index.ts';
import type { Archive } from './archive.ts';
import { blobPath } from './archive-index.ts';
import { type BaseImage, parseSince, sinceAnnotation } from './archive-since.ts';
import { tagsInDockerArchive } from './docker-archive.ts';
import { type FoundImage, layerHere } from './found-image.ts';
import type { ImageHold, Shelf } from './shelf.ts';

const nestingLimit = 4;

export interface FoundLayout {
  /** None where the layout has no image for the platform. */
  images: FoundImage[];
  /** What the archive counts on being here. */
  bases: BaseImage[];
}

interface Reading {
  shelf: Shelf;
  hold: ImageHold;
  archive: Archive;
  /** Undefined: what suits this machine best. */
  platform: Platform | undefined;
}

/** @throws Fault invalid */
export async function readOciLayout(reading: Reading): Promise<FoundLayout> {
  const { archive, platform } = reading;
  const parsed = parseManifest((await archive.read('index.json'))!, '');
  if (parsed.kind !== 'index') throw new Fault('invalid', 'Cannot load image: index.json is not an index');
  const images = new Map<Digest, FoundImage>();
  const present = parsed.index.manifests.filter((each) => archive.has(blobPath(each.digest)));
  const [missing] = parsed.index.manifests;
  if (present.length === 0 && missing !== undefined)
    throw new Fault('invalid', `Cannot load image: blob ${missing.digest} is missing from the archive`);
  for (const descriptor of suitable(present, platform)) {
    const found = await readDescriptor(reading, descriptor, 0);
    if (found === undefined) continue;
    const image = images.get(found.digest) ?? found.image;
    images.set(found.digest, image);
    addReferences(image, nameOf(descriptor) ?? []);
  }
  if (archive.has('manifest.json')) {
    // Some writers name their images only there.
    const tags = await tagsInDockerArchive(archive);
    for (const image of images.values()) addReferences(image, tags.get(blobPath(image.id)) ?? []);
  }
  return { images: [...images.values()], bases: parseSince(parsed.index.annotations?.[sinceAnnotation]) };
}

function addReferences(image: FoundImage, references: readonly Reference[]): void {
  const known = new Set(image.references.map(formatReference));
  image.references.push(...references.filter((each) => !known.has(formatReference(each))));
}

/** Of descriptors that share a name and tell their platforms, those that fit best: they are one image for many machines. */
function suitable(manifests: readonly Descriptor[], platform: Platform | undefined): Descriptor[] {
  const wanted = platform ?? hostPlatform();
  const distance = (each: Descriptor): number => platformDistance(wanted, each.platform!) ?? Number.POSITIVE_INFINITY;
  const groups = Map.groupBy(manifests, (each) => (each.platform === undefined ? each : nameText(each)));
  return [...groups.values()].flatMap((group) => {
    if (group[0]!.platform === undefined || (group.length === 1 && platform === undefined)) return group;
    const best = Math.min(...group.map(distance));
    return best === Number.POSITIVE_INFINITY ? [] : group.filter((each) => distance(each) === best);
  });
}

async function readDescriptor(
  reading: Reading,
  descriptor: Descriptor,
  depth: number,
): Promise<{ digest: Digest; image: FoundImage } | undefined> {
  const bytes = await readBlob(reading.archive, descriptor.digest);
  if (bytes === undefined) return undefined;
  const parsed = parseManifest(bytes, descriptor.mediaType);
  if (parsed.kind === 'index') {
    if (depth >= nestingLimit) throw new Fault('invalid', 'Cannot load image: indexes nest too deep');
    const offers = parsed.index.manifests.filter((each) => reading.archive.has(blobPath(each.digest)));
    const chosen =
      choosePlatform(
        reading.platform ?? hostPlatform(),
        offers.filter((each) => each.platform !== undefined),
        (each) => each.platform!,
      ) ?? offers.find((each) => each.platform === undefined);
    return chosen === undefined ? undefined : readDescriptor(reading, chosen, depth + 1);
  }
  const { config, layers } = parsed.manifest;
  if (!isImageConfigType(config.mediaType)) return undefined;
  const configBytes = await readBlob(reading.archive, config.digest);
  if (configBytes === undefined)
    throw new Fault('invalid', `Cannot load image: blob ${config.digest} is missing from the archive`);
  const { os, architecture, variant, rootfs } = parseImageConfig(configBytes);
  const offered = { os, architecture, ...(variant === undefined ? {} : { variant }) };
  if (reading.platform !== undefined && platformDistance(reading.platform, offered) === undefined) return undefined;
  const found = layers.map((layer, index) => layerFor(reading, layer, rootfs.diff_ids[index]));
  const exact = found.every((layer, index) => layer?.digest === layers[index]!.digest);
  const image: FoundImage = {
    id: config.digest,
    config: configBytes,
    layers: found,
    named: layers.map((layer) => layer.digest),
    references: [],
    ...(exact ? { manifest: descriptor.digest } : {}),
  };
  return { digest: descriptor.digest, image };
}

/** The blob itself, from the archive or here already; else the same files as another image here has them. */
function layerFor({ shelf, hold }: Reading, layer: Descriptor, diffId: Digest | undefined): Descriptor | undefined {
  hold.blobs.add(layer.digest);
  const size = shelf.content.size(layer.digest);
  if (size === undefined) return layerHere(shelf, hold, diffId);
  if (size !== layer.size)
    throw new Fault('invalid', `Cannot load image: blob ${layer.digest} has ${size} bytes, not ${layer.size}`);
  return layer;
}

async function readBlob(archive: Archive, digest: Digest): Promise<Buffer | undefined> {
  const bytes = await archive.read(blobPath(digest));
  if (bytes === undefined) return undefined;
  const digester = new Digester(digestAlgorithm(digest));
  digester.update(bytes);
  const found = digester.digest();
  if (found !== digest) throw new Fault('invalid', `Cannot load image: blob ${digest} has the content of ${found}`);
  return bytes;
}

function nameText({ annotations = {} }: Descriptor): string {
  return annotations['io.containerd.image.name'] ?? annotations['org.opencontainers.image.ref.name'] ?? '';
}

/** The name a tool left in the annotations; a bare tag, or what is no reference, names nothing. */
function nameOf(descriptor: Descriptor): [Reference] | undefined {
  const text = nameText(descriptor);
  if (descriptor.annotations?.['io.containerd.image.name'] === undefined && !/[/:]/.test(text)) return undefined;
  try {
    const reference = withDefaultTag(parseReference(text));
    return reference.tag === undefined ? undefined : [reference];
  } catch (error) {
    if (faultKind(error) !== 'invalid') throw error;
    return undefined;
  }
}
