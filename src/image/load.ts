/** `docker load`: docker-archive (also the old one with `repositories` only) and OCI layouts, plain or compressed. */
import type { ProgressMessage } from '../api/index.ts';
import {
  chainIds,
  type Descriptor,
  digestHex,
  familiarReference,
  formatPlatform,
  parseImageConfig,
  parsePlatform,
  type Platform,
  platformDistance,
} from '../oci/index.ts';
import { Channel, Fault, shortId } from '../std/index.ts';
import { addImage } from './add.ts';
import { Archive } from './archive.ts';
import { type BaseImage, missingBaseText } from './archive-since.ts';
import { readDockerArchive } from './docker-archive.ts';
import { decompress } from './decompress.ts';
import type { FoundImage } from './found-image.ts';
import { readLegacyArchive } from './legacy-archive.ts';
import { readOciLayout } from './oci-layout.ts';
import { Meter, progressStream } from './progress.ts';
import type { ImageHold, Shelf } from './shelf.ts';
import { tagImage } from './tag.ts';

export function loadImages(
  shelf: Shelf,
  body: AsyncIterable<Uint8Array>,
  options: { quiet: boolean; platform: string | undefined },
  signal: AbortSignal,
): AsyncIterable<ProgressMessage> {
  const platform =
    options.platform === undefined || options.platform === '' ? undefined : parsePlatform(options.platform);
  const output = new Channel<ProgressMessage>();
  const work = async (inner: AbortSignal): Promise<void> => {
    try {
      using hold = shelf.hold();
      const archive = await Archive.read(shelf, hold, decompress(body), inner);
      const { images, bases } = await readImages(shelf, hold, archive, platform);
      // All are whole before any is added.
      const whole = images.map((found) => ({ ...found, layers: wholeLayers(found, bases) }));
      const text: string[] = [];
      for (const { config, layers, manifest, references } of whole) {
        const chain = chainIds(parseImageConfig(config).rootfs.diff_ids);
        for (const chainId of chain) hold.addChain(chainId);
        const watch = options.quiet ? undefined : watcher(output, chain, layers);
        const found = { config, layers, manifest, origin: 'load' as const };
        const image = await addImage(shelf, hold, { ...found, ...(watch === undefined ? {} : { watch }) }, inner);
        for (const reference of references) {
          const before = await tagImage(shelf, image, reference);
          if (before !== undefined) {
            output.push({
              stream: `The image ${familiarReference(reference)} already exists, renaming the old one with ID ${before} to empty string\n`,
            });
          }
          text.push(`Loaded image: ${familiarReference(reference)}\n`);
        }
        if (references.length === 0) text.push(`Loaded image ID: ${image.id}\n`);
        shelf.event('load', image.id, image.id, image.config);
      }
      for (const stream of text) output.push({ stream });
    } finally {
      await shelf.content.collect();
    }
  };
  return progressStream(output, work, signal);
}

/** An archive that is an OCI layout, too, is read as one: so its manifests stay what they were. */
async function readImages(
  shelf: Shelf,
  hold: ImageHold,
  archive: Archive,
  platform: Platform | undefined,
): Promise<{ images: FoundImage[]; bases: BaseImage[] }> {
  if (archive.has('index.json')) {
    const layout = await readOciLayout({ shelf, hold, archive, platform });
    if (layout.images.length > 0) return layout;
    if (!archive.has('manifest.json')) throw noneFor(platform);
  }
  if (archive.has('manifest.json')) {
    const images = await readDockerArchive(shelf, hold, archive);
    const suitable = platform === undefined ? images : images.filter((image) => serves(image, platform));
    if (suitable.length === 0 && images.length > 0) throw noneFor(platform);
    return { images: suitable, bases: [] };
  }
  if (archive.has('repositories')) return { images: await readLegacyArchive(shelf, hold, archive), bases: [] };
  throw new Fault('invalid', 'invalid archive: does not contain a manifest.json');
}

function serves(image: FoundImage, platform: Platform): boolean {
  const { os, architecture, variant } = parseImageConfig(image.config);
  return platformDistance(platform, { os, architecture, ...(variant === undefined ? {} : { variant }) }) !== undefined;
}

function noneFor(platform: Platform | undefined): Fault {
  const which = platform === undefined ? "this machine's platform" : `platform ${formatPlatform(platform)}`;
  return new Fault('not-found', `Cannot load image: the archive has none for ${which}`);
}

/** @throws Fault not-found naming the images that the archive counts on; invalid where it names none */
function wholeLayers({ id, layers, named, references }: FoundImage, bases: readonly BaseImage[]): Descriptor[] {
  const missing = named.filter((_, index) => layers[index] === undefined);
  if (missing.length === 0) return layers as Descriptor[];
  const name = references[0] === undefined ? shortId(id) : familiarReference(references[0]);
  const known = bases.some((base) => base.layers.some((digest) => missing.includes(digest)));
  throw new Fault(known ? 'not-found' : 'invalid', `Cannot load image ${name}: ${missingBaseText(missing, bases)}`);
}

function watcher(output: Channel<ProgressMessage>, chain: readonly string[], layers: readonly Descriptor[]) {
  return async function* (index: number, bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    const meter = new Meter(output, digestHex(chain[index]!).slice(0, 12), 'Loading layer');
    const total = layers[index]!.size;
    let current = 0;
    for await (const chunk of bytes) {
      current += chunk.length;
      meter.report(current, total);
      yield chunk;
    }
  };
}
