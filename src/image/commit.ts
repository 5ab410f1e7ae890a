/** A new image from a parent and one layer: what `docker commit` and a build step make. */
import type { Descriptor, Digest } from '../oci/index.ts';
import { mediaTypes, parseReference, type Reference, withDefaultTag, withTag } from '../oci/index.ts';
import { Fault } from '../std/index.ts';
import { addImage, newConfig, timestamp } from './add.ts';
import type { ImageStore } from './door.ts';
import type { Shelf } from './shelf.ts';
import { tagImage } from './tag.ts';

/** A tar without entries: such a layer is left out. */
const emptyTar = 'sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef';

export async function commitImage(
  shelf: Shelf,
  options: Parameters<ImageStore['commit']>[0],
  signal?: AbortSignal,
): Promise<string> {
  const reference = options.reference === undefined ? undefined : targetReference(options.reference);
  const parent = options.parent === undefined ? undefined : shelf.records.get(options.parent);
  if (options.parent !== undefined && parent === undefined)
    throw new Fault('not-found', `No such image: ${options.parent}`);
  using hold = shelf.hold();
  for (const chainId of parent?.chain ?? []) hold.addChain(chainId);
  for (const layer of parent?.layers ?? []) hold.blobs.add(layer.digest);
  const blob = await shelf.content.ingest(options.layer, { hold: hold.blobs }, signal);
  const empty = blob.digest === emptyTar;
  const created = timestamp();
  const diffIds: Digest[] = [...(parent?.config.rootfs.diff_ids ?? []), ...(empty ? [] : [blob.digest])];
  const layers: Descriptor[] = [...(parent?.layers ?? [])];
  if (!empty) layers.push({ mediaType: mediaTypes.ociLayer, ...blob });
  const history = [
    ...(parent?.config.history ?? []),
    {
      created,
      created_by: options.createdBy,
      ...(options.author === '' ? {} : { author: options.author }),
      ...(options.comment === '' ? {} : { comment: options.comment }),
      ...(empty ? { empty_layer: true } : {}),
    },
  ];
  const platform =
    parent === undefined
      ? undefined
      : {
          os: parent.config.os,
          architecture: parent.config.architecture,
          ...(parent.config.variant === undefined ? {} : { variant: parent.config.variant }),
        };
  const config = newConfig(shelf, {
    config: options.config,
    diffIds,
    history,
    platform,
    author: options.author,
    comment: options.comment,
    container: options.containerId,
    created,
  });
  const image = await addImage(shelf, hold, { config, layers, parent: parent?.id, origin: 'commit' }, signal);
  shelf.event('create', image.id, image.id, image.config);
  if (reference !== undefined) await tagImage(shelf, image, reference);
  return image.id;
}

/** `repo` with `tag`, or with the tag it carries, or `latest`. @throws Fault invalid, also for a digest */
export function targetReference(target: { repo: string; tag: string | undefined }): Reference {
  const reference = parseReference(target.repo);
  if (reference.digest !== undefined) throw new Fault('invalid', 'cannot import digest reference');
  return target.tag === undefined || target.tag === '' ? withDefaultTag(reference) : withTag(reference, target.tag);
}
