/** `docker import`: an image of one layer from a root filesystem's tar. Base images are made this way, too. */
import type { ProgressMessage } from '../api/index.ts';
import { type Descriptor, mediaTypes, parsePlatform, type Platform, type Reference } from '../oci/index.ts';
import type { Registry } from '../registry/index.ts';
import { Channel } from '../std/index.ts';
import { addImage, newConfig, timestamp } from './add.ts';
import { applyChanges } from './apply-changes.ts';
import { targetReference } from './commit.ts';
import { decompress } from './decompress.ts';
import type { ImageStore } from './door.ts';
import { Meter, progressMessage, progressStream } from './progress.ts';
import type { StoredImage } from './records.ts';
import type { Shelf } from './shelf.ts';
import { tagImage } from './tag.ts';

export async function importImage(
  shelf: Shelf,
  registry: Registry,
  options: Parameters<ImageStore['import']>[0],
  signal: AbortSignal,
): Promise<AsyncIterable<ProgressMessage>> {
  const reference =
    options.repo === undefined || options.repo === ''
      ? undefined
      : targetReference({ repo: options.repo, tag: options.tag });
  const platform =
    options.platform === undefined || options.platform === '' ? undefined : parsePlatform(options.platform);
  const config = applyChanges({}, options.changes);
  const output = new Channel<ProgressMessage>();
  let bytes = options.body;
  if (options.source !== '-') {
    const url = /^https?:\/\//.test(options.source) ? options.source : `http://${options.source}`;
    output.push(progressMessage('', `Downloading from ${url}`));
    const found = await registry.download(url, signal);
    bytes = watched(found.bytes, new Meter(output, '', 'Importing'), found.size);
  }
  const message = options.message === '' ? `Imported from ${options.source}` : options.message;
  const work = async (inner: AbortSignal): Promise<void> => {
    const image = await importTar(shelf, { tar: bytes, config, message, platform, reference }, inner);
    output.push({ status: image.id });
  };
  return progressStream(output, work, signal);
}

/** The image of one layer that `tar` (plain or compressed) holds. */
export async function importTar(
  shelf: Shelf,
  options: {
    tar: AsyncIterable<Uint8Array>;
    config: Parameters<typeof newConfig>[1]['config'];
    message: string;
    platform: Platform | undefined;
    reference: Reference | undefined;
  },
  signal?: AbortSignal,
): Promise<StoredImage> {
  using hold = shelf.hold();
  const blob = await shelf.content.ingest(decompress(options.tar), { hold: hold.blobs }, signal);
  const layers: Descriptor[] = [{ mediaType: mediaTypes.ociLayer, ...blob }];
  const created = timestamp();
  const config = newConfig(shelf, {
    config: options.config,
    diffIds: [blob.digest],
    history: [{ created, comment: options.message }],
    platform: options.platform,
    comment: options.message,
    created,
  });
  const image = await addImage(shelf, hold, { config, layers, origin: 'import' }, signal);
  if (options.reference !== undefined) await tagImage(shelf, image, options.reference);
  shelf.event('import', image.id, image.id, image.config);
  return image;
}

async function* watched(bytes: AsyncIterable<Uint8Array>, meter: Meter, total: number): AsyncGenerator<Uint8Array> {
  let current = 0;
  for await (const chunk of bytes) {
    current += chunk.length;
    meter.report(current, total);
    yield chunk;
  }
}
