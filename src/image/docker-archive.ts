/** The archive of `docker save`: manifest.json names a config and the layers of every image. */
import { type Descriptor, parseImageConfig, parseReference, type Reference, withDefaultTag } from '../oci/index.ts';
import { Fault, messageOf } from '../std/index.ts';
import type { Archive } from './archive.ts';
import { type FoundImage, layerMediaType } from './found-image.ts';

interface Item {
  Config: string;
  RepoTags: string[];
  Layers: string[];
}

export async function readDockerArchive(archive: Archive): Promise<FoundImage[]> {
  const items = parseItems(await archive.read('manifest.json'));
  const images: FoundImage[] = [];
  for (const item of items) {
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
    const layers: Descriptor[] = [];
    for (const path of item.Layers) layers.push(await layerOf(archive, path));
    images.push({ config, layers, references: item.RepoTags.map(parseTag) });
  }
  return images;
}

/** The layer file as a blob. Its content is checked against the diff id when it is unpacked. */
export async function layerOf(archive: Archive, path: string): Promise<Descriptor> {
  const blob = await archive.blob(path);
  if (blob === undefined) throw new Fault('invalid', `Cannot load image: "${path}" is missing from the archive`);
  return { mediaType: layerMediaType(await archive.start(blob.digest)), ...blob };
}

function parseTag(text: string): Reference {
  const reference = withDefaultTag(parseReference(text));
  if (reference.tag === undefined) throw new Fault('invalid', `invalid tag ${JSON.stringify(text)}`);
  return reference;
}

function parseItems(bytes: Buffer | undefined): Item[] {
  let value: unknown;
  try {
    value = JSON.parse(bytes?.toString() ?? '');
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
