/** `docker load`: docker-archive (also the old one with `repositories` only) and OCI layouts, plain or compressed. */
import type { ProgressMessage } from '../api/index.ts';
import {
  chainIds,
  type Descriptor,
  digestHex,
  familiarReference,
  parseImageConfig,
  parsePlatform,
  type Platform,
  platformDistance,
} from '../oci/index.ts';
import { Channel, Fault } from '../std/index.ts';
import { addImage } from './add.ts';
import { Archive } from './archive.ts';
import { readDockerArchive } from './docker-archive.ts';
import { decompress } from './decompress.ts';
import type { FoundImage } from './found-image.ts';
import { readLegacyArchive } from './legacy-archive.ts';
import { readOciLayout } from './oci-layout.ts';
import { Meter, progressStream } from './progress.ts';
import type { Shelf } from './shelf.ts';
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
      const images = await readImages(shelf, archive, platform);
      const text: string[] = [];
      for (const found of images) {
        const chain = chainIds(parseImageConfig(found.config).rootfs.diff_ids);
        for (const chainId of chain) hold.addChain(chainId);
        const watch = options.quiet ? undefined : watcher(output, chain, found.layers);
        const image = await addImage(shelf, hold, { ...found, ...(watch === undefined ? {} : { watch }) }, inner);
        for (const reference of found.references) {
          const before = await tagImage(shelf, image, reference);
          if (before !== undefined) {
            output.push({
              stream: `The image ${familiarReference(reference)} already exists, renaming the old one with ID ${before} to empty string\n`,
            });
          }
          text.push(`Loaded image: ${familiarReference(reference)}\n`);
        }
        if (found.references.length === 0) text.push(`Loaded image ID: ${image.id}\n`);
        shelf.event('load', image.id, image.id, image.config);
      }
      for (const stream of text) output.push({ stream });
    } finally {
      await shelf.content.collect();
    }
  };
  return progressStream(output, work, signal);
}

async function readImages(shelf: Shelf, archive: Archive, platform: Platform | undefined): Promise<FoundImage[]> {
  if (archive.has('manifest.json')) {
    const images = await readDockerArchive(archive);
    if (platform !== undefined) for (const image of images) requirePlatform(image, platform);
    return images;
  }
  if (archive.has('index.json')) return readOciLayout(shelf, archive, platform);
  if (archive.has('repositories')) return readLegacyArchive(archive);
  throw new Fault('invalid', 'invalid archive: does not contain a manifest.json');
}

function requirePlatform(image: FoundImage, platform: Platform): void {
  const { os, architecture, variant } = parseImageConfig(image.config);
  const offered = { os, architecture, ...(variant === undefined ? {} : { variant }) };
  if (platformDistance(platform, offered) !== undefined) return;
  throw new Fault(
    'not-found',
    `Cannot load image: it is for ${os}/${architecture}, not for ${platform.os}/${platform.architecture}`,
  );
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
