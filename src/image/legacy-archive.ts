/** The archive of Docker before 1.10: `repositories` and a folder per layer with `json` and `layer.tar`, linked by parent. */
import {
  type Descriptor,
  Digester,
  type Digest,
  type HistoryEntry,
  parseObject,
  parseReference,
  sha256,
  withTag,
} from '../oci/index.ts';
import { Fault } from '../std/index.ts';
import type { Archive } from './archive.ts';
import { decompress } from './decompress.ts';
import { type FoundImage, layerInArchive } from './found-image.ts';
import type { ImageHold, Shelf } from './shelf.ts';

const depthLimit = 1000;

export async function readLegacyArchive(shelf: Shelf, hold: ImageHold, archive: Archive): Promise<FoundImage[]> {
  const repositories = parseObject((await archive.read('repositories'))!, 'repositories');
  const images = new Map<string, FoundImage>();
  for (const [repo, tags] of Object.entries(repositories)) {
    for (const [tag, id] of Object.entries((tags ?? {}) as Record<string, unknown>)) {
      if (typeof id !== 'string' || !/^[a-f0-9]{64}$/.test(id))
        throw new Fault('invalid', `invalid image ID in repositories: ${String(id)}`);
      let image = images.get(id);
      if (image === undefined) images.set(id, (image = await readImage(shelf, hold, archive, id)));
      image.references.push(withTag(parseReference(repo), tag));
    }
  }
  return [...images.values()];
}

async function readImage(shelf: Shelf, hold: ImageHold, archive: Archive, id: string): Promise<FoundImage> {
  const steps: { id: string; json: Record<string, unknown> }[] = [];
  for (let next: unknown = id; typeof next === 'string' && next !== ''; ) {
    const bytes = await archive.read(`${next}/json`);
    if (bytes === undefined)
      throw new Fault('invalid', `Cannot load image: "${next}/json" is missing from the archive`);
    if (steps.length >= depthLimit) throw new Fault('invalid', 'Cannot load image: too many layers');
    const json = parseObject(bytes, `${next}/json`);
    steps.unshift({ id: next, json });
    next = json['parent'];
  }
  const layers: Descriptor[] = [];
  const diffIds: Digest[] = [];
  for (const step of steps) {
    const path = `${step.id}/layer.tar`;
    const layer = await layerInArchive(shelf, hold, archive, path);
    if (layer === undefined) throw new Fault('invalid', `Cannot load image: "${path}" is missing from the archive`);
    layers.push(layer);
    const digester = new Digester();
    for await (const chunk of decompress(archive.open(layer.digest))) digester.update(chunk);
    diffIds.push(digester.digest());
  }
  const { id: _, parent: __, Size: ___, layer_id: ____, throwaway: _____, ...top } = steps.at(-1)!.json;
  const config = {
    ...top,
    rootfs: { type: 'layers', diff_ids: diffIds },
    history: steps.map(({ json }) => historyOf(json)),
  };
  const bytes = Buffer.from(JSON.stringify(config));
  return { id: sha256(bytes), config: bytes, layers, named: layers.map((layer) => layer.digest), references: [] };
}

function historyOf(json: Record<string, unknown>): HistoryEntry {
  const command = (json['container_config'] as { Cmd?: string[] | null } | undefined)?.Cmd ?? [];
  const text = (key: string): string => (typeof json[key] === 'string' ? json[key] : '');
  return {
    created: text('created'),
    ...(text('author') === '' ? {} : { author: text('author') }),
    created_by: command.join(' '),
    ...(text('comment') === '' ? {} : { comment: text('comment') }),
  };
}
