/** A stored image in the API's shapes: list row, inspect, history, and what the container room wants. */
import type { ContainerConfig, ImageHistoryEntry, ImageInspect, ImageSummary } from '../api/index.ts';
import { familiarReference } from '../oci/index.ts';
import { parseRfc3339, zeroTime } from '../std/index.ts';
import type { Image } from './door.ts';
import type { StoredImage } from './records.ts';
import type { Shelf } from './shelf.ts';

export function imageTags(shelf: Shelf, image: StoredImage): string[] {
  return shelf.records
    .references(image.id)
    .filter((reference) => reference.digest === undefined)
    .map(familiarReference);
}

export function imageDigests(shelf: Shelf, image: StoredImage): string[] {
  return shelf.records
    .references(image.id)
    .filter((reference) => reference.digest !== undefined)
    .map(familiarReference);
}

/** Bytes of all layers, unpacked; of one that is not, its blob's. */
export function imageSize(shelf: Shelf, image: StoredImage): number {
  return image.chain.reduce((sum, _, index) => sum + layerSizeAt(shelf, image, index), 0);
}

/** Of layer `index`, unpacked. */
export function layerSizeAt(shelf: Shelf, image: StoredImage, index: number): number {
  const chainId = image.chain[index];
  if (chainId === undefined) return 0;
  return shelf.snapshots.has(chainId) ? shelf.snapshots.layerSize(chainId) : (image.layers[index]?.size ?? 0);
}

export function createdSeconds(image: StoredImage): number {
  return unixSeconds(image.config.created);
}

/** The config's own words over Docker's empty ones. */
export function containerConfig(image: StoredImage): ContainerConfig {
  return {
    User: '',
    Env: null,
    Cmd: null,
    Volumes: null,
    WorkingDir: '',
    Entrypoint: null,
    OnBuild: null,
    Labels: null,
    ...(image.config.config as ContainerConfig | undefined),
  };
}

export function describeImage(shelf: Shelf, image: StoredImage): Image {
  return {
    id: image.id,
    config: containerConfig(image),
    architecture: image.config.architecture,
    variant: image.config.variant,
    os: image.config.os,
    chainId: image.chain.at(-1),
    tags: imageTags(shelf, image),
    digests: imageDigests(shelf, image),
    created: image.config.created ?? zeroTime,
  };
}

export function summarizeImage(shelf: Shelf, image: StoredImage): ImageSummary {
  return {
    Id: image.id,
    ParentId: image.parent ?? '',
    RepoTags: imageTags(shelf, image),
    RepoDigests: imageDigests(shelf, image),
    Created: createdSeconds(image),
    Size: imageSize(shelf, image),
    SharedSize: -1,
    Labels: containerConfig(image).Labels ?? null,
    Containers: shelf.uses(image.id).length,
  };
}

export function inspectImage(shelf: Shelf, image: StoredImage): ImageInspect {
  const { config, chain } = image;
  const top = chain.at(-1);
  const layers = config.rootfs.diff_ids;
  return {
    Id: image.id,
    RepoTags: imageTags(shelf, image),
    RepoDigests: imageDigests(shelf, image),
    Parent: image.parent ?? '',
    Comment: config.comment ?? config.history?.at(-1)?.comment ?? '',
    Created: config.created ?? zeroTime,
    DockerVersion: config.docker_version ?? '',
    Author: config.author ?? '',
    Config: containerConfig(image),
    Architecture: config.architecture,
    ...(config.variant === undefined ? {} : { Variant: config.variant }),
    Os: config.os,
    ...(config['os.version'] === undefined ? {} : { OsVersion: config['os.version'] }),
    Size: imageSize(shelf, image),
    GraphDriver: {
      Data: top !== undefined && shelf.snapshots.has(top) ? shelf.snapshots.describeLayer(top) : null,
      Name: 'overlay2',
    },
    RootFS: layers.length === 0 ? { Type: 'layers' } : { Type: 'layers', Layers: [...layers] },
    Metadata: { LastTagTime: image.lastTagged },
  };
}

/** Newest step first; a step that was an image here carries its id and tags. */
export function imageHistory(shelf: Shelf, image: StoredImage): ImageHistoryEntry[] {
  let layer = 0;
  const steps = (image.config.history ?? []).map((entry): ImageHistoryEntry => {
    const size = entry.empty_layer === true ? 0 : layerSizeAt(shelf, image, layer++);
    return {
      Id: '<missing>',
      Created: unixSeconds(entry.created),
      CreatedBy: entry.created_by ?? '',
      Tags: null,
      Size: size,
      Comment: entry.comment ?? '',
    };
  });
  steps.reverse();
  let current: StoredImage | undefined = image;
  for (const step of steps) {
    if (current === undefined) break;
    step.Id = current.id;
    const tags = imageTags(shelf, current);
    step.Tags = tags.length === 0 ? null : tags;
    current = current.parent === undefined ? undefined : shelf.records.get(current.parent);
  }
  return steps;
}

/** 0 for no time at all. */
function unixSeconds(time: string | undefined): number {
  return Number((parseRfc3339(time ?? '') ?? 0n) / 1_000_000_000n);
}
