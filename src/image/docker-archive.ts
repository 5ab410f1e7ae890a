/** The archive of `docker save`: manifest.json names a config and the layers of every image. */
import { isDigest, parseImageConfig, parseReference, type Reference, sha256, withDefaultTag } from '../oci/index.ts';
import { Fault, messageOf } from '../std/index.ts';
import type { Archive } from './archive.ts';
import { type FoundImage, layerHere, layerInArchive } from './found-image.ts';
import type { ImageHold, Shelf } from './shelf.ts';

interface Item {
  Config: string;
  RepoTags: string[];
  Layers: string[];
}

/** Layers that the archive lacks may be here, as with Docker. @throws Fault invalid */
export async function readDockerArchive(shelf: Shelf, hold: ImageHold, archive: Archive): Promise<FoundImage[]> {
  const images: FoundImage[] = [];
  for (const item of await readItems(archive)) {
    const config = await archive.read(item.Config);
    if (config === undefined)
      throw new Fault('invalid', `Cannot load image: "${item.Config}" is missing from the archive`);
    const { rootfs } = parseImageConfig(config);
    if (rootfs.diff_ids.length !== item.Layers.length) {
      throw new Fault(
        'invalid',
        `invalid manifest, layers length mismatch: expected ${rootfs.diff_ids.length}, got ${item.Layers.length}`,
      );
    }
    const layers: FoundImage['layers'] = [];
    for (const [index, path] of item.Layers.entries()) {
      const layer = await layerInArchive(shelf, hold, archive, path);
      layers.push(layer ?? layerHere(shelf, hold, rootfs.diff_ids[index]));
    }
    images.push({
      id: sha256(config),
      config,
      layers,
      named: item.Layers.map(nameOf),
      references: item.RepoTags.map(parseTag),
    });
  }
  return images;
}

/** The names that manifest.json gives, by the path of the config. */
export async function tagsInDockerArchive(archive: Archive): Promise<Map<string, Reference[]>> {
  return new Map((await readItems(archive)).map((item) => [item.Config, item.RepoTags.map(parseTag)]));
}

/** `blobs/sha256/<hex>` is a digest; else the path itself. */
function nameOf(path: string): string {
  const digest = /^blobs\/([^/]+)\/([^/]+)$/.exec(path)?.slice(1).join(':');
  return digest !== undefined && isDigest(digest) ? digest : path;
}

function parseTag(text: string): Reference {
  const reference = withDefaultTag(parseReference(text));
  if (reference.tag === undefined) throw new Fault('invalid', `invalid tag ${JSON.stringify(text)}`);
  return reference;
}

async function readItems(archive: Archive): Promise<Item[]> {
  let value: unknown;
  try {
    value = JSON.parse((await archive.read('manifest.json'))?.toString() ?? '');
  } catch (error) {
    throw new Fault('invalid', `Cannot load image: manifest.json: ${messageOf(error)}`, { cause: error });
  }
  if (!Array.isArray(value)) throw new Fault('invalid', 'Cannot load image: manifest.json is not a list');
  return value.map((item: Partial<Record<keyof Item, unknown>> | null) => {
    const strings = (list: unknown): string[] => (Array.isArray(list) ? list.map(String) : []);
    if (typeof item?.Config !== 'string')
      throw new Fault('invalid', 'Cannot load image: manifest.json has an item without Config');
    return { Config: item.Config, RepoTags: strings(item.RepoTags), Layers: strings(item.Layers) };
  });
}
