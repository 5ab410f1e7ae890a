/** An image store without a registry, with busybox in it. */
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import type { Content } from '../../src/content/index.ts';
import { type ImageStore, openImages } from '../../src/image/index.ts';
import { openRegistry } from '../../src/registry/index.ts';
import type { Snapshots } from '../../src/snapshot/index.ts';
import { silentLogger } from '../../src/std/index.ts';
import { busyboxImage } from './images.ts';

export async function openBusyboxStore(
  root: string,
  { content, snapshots }: { content: Content; snapshots: Snapshots },
): Promise<ImageStore & AsyncDisposable> {
  const registry = openRegistry({});
  const images = await openImages({
    root: join(root, 'images'),
    content,
    snapshots,
    registry,
    parallelDownloads: 3,
    parallelUploads: 5,
    version: '1.2.3',
    uses: () => [],
    emit: () => {},
    log: silentLogger,
  });
  const archive = createReadStream(await busyboxImage());
  const signal = new AbortController().signal;
  for await (const _ of await images.load(archive, { quiet: true, platform: undefined }, signal)) continue;
  const close = images[Symbol.asyncDispose].bind(images);
  return Object.assign(images, {
    [Symbol.asyncDispose]: async () => {
      await close();
      await registry.close();
    },
  });
}
