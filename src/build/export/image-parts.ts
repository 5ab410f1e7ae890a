/** The image that an output is of: configuration and manifest as bytes, and layers as blobs. */
import {
  type Descriptor,
  type Digest,
  digestHex,
  encodeManifest,
  type ImageConfig,
  layerTypeAs,
  mediaTypes,
  type Platform,
  sha256,
} from '../../oci/index.ts';
import { formatNanos } from '../../std/index.ts';
import type { Annotations } from './annotations.ts';
import type { CompressionOptions } from './compression.ts';
import type { FinishedBuild } from './door.ts';
import { type PackContext, packLayers, type PackedLayer } from './pack-layers.ts';
import type { ExportTask } from './progress.ts';

export interface ImageOptions {
  compression: CompressionOptions;
  annotations: Annotations;
  /** Media types of Docker's schema 2. */
  docker: boolean;
  /** Seconds since 1970. */
  epoch: number | undefined;
  rewriteTimes: boolean;
}

export interface LayerPart {
  descriptor: Descriptor;
  open: (signal: AbortSignal) => AsyncIterable<Uint8Array>;
}

export interface ImageParts {
  config: Buffer;
  /** The digest of `config`: the image's id. */
  id: Digest;
  layers: readonly LayerPart[];
  manifest: Buffer;
  /** As an index names it. */
  descriptor: Descriptor;
}

/** `asBlobs`: the layers are in the store, held by the build. */
export async function imageParts(
  context: PackContext,
  build: FinishedBuild,
  options: ImageOptions & { asBlobs: boolean },
  task: ExportTask,
  signal: AbortSignal,
): Promise<ImageParts> {
  const { compression, epoch, asBlobs } = options;
  const latest = options.rewriteTimes ? epoch : undefined;
  const packed = await task.part('exporting layers', (report) =>
    packLayers(context, build, { compression, latest, asBlobs }, report, signal),
  );
  if (latest !== undefined) {
    const time = new Date(latest * 1000).toISOString().slice(0, 19).replace('T', ' ');
    task.done(`rewriting layers with source-date-epoch ${latest} (${time} +0000 UTC)`);
  }
  const parts = describe(build, options, packed);
  task.done(`exporting manifest ${parts.descriptor.digest}`);
  task.done(`exporting config ${parts.id}`);
  return parts;
}

/** The image with its layers as they are, which need not be blobs. */
export function plainParts(build: FinishedBuild, options: ImageOptions): ImageParts {
  const packed = build.layers.map((descriptor, index) => ({
    descriptor,
    diffId: build.config.rootfs.diff_ids[index]!,
    open: () => {
      throw new TypeError('layers that stay here are not read');
    },
  }));
  return describe(build, options, packed);
}

function describe(build: FinishedBuild, options: ImageOptions, packed: readonly PackedLayer[]): ImageParts {
  const { docker, annotations, epoch } = options;
  const value = datedConfig(build, epoch);
  const config = Buffer.from(
    JSON.stringify({
      ...value,
      rootfs: { type: 'layers', diff_ids: packed.map(({ diffId }) => diffId) },
      ...build.extra,
    }),
  );
  const id = sha256(config);
  const words = docker ? 'docker' : 'oci';
  const layers = packed.map(({ descriptor: { mediaType, digest, size }, open }): LayerPart => {
    const descriptor = { mediaType: layerTypeAs(mediaType, words), digest, size };
    return { descriptor, open };
  });
  const said = { ...Object.fromEntries(build.annotations), ...annotations.manifest };
  const manifest = encodeManifest({ digest: id, size: config.length }, layers.map(descriptorOf), {
    docker,
    annotations: said,
  });
  const descriptor: Descriptor = {
    mediaType: docker ? mediaTypes.dockerManifest : mediaTypes.ociManifest,
    digest: sha256(manifest),
    size: manifest.length,
    platform: platformOf(value),
  };
  return { config, id, layers, manifest, descriptor };
}

export function descriptorOf({ descriptor }: LayerPart): Descriptor {
  return descriptor;
}

/** With SOURCE_DATE_EPOCH the image and what was made of it now are as old as it says; what came with the base keeps its times. */
function datedConfig({ config, baseHistory }: FinishedBuild, epoch: number | undefined): ImageConfig {
  if (epoch === undefined) return config;
  const created = epochTime(epoch);
  const history = (config.history ?? []).map((entry, index) => (index < baseHistory ? entry : { ...entry, created }));
  return { ...config, created, history };
}

export function epochTime(epoch: number): string {
  return formatNanos(BigInt(epoch) * 1_000_000_000n);
}

export function platformOf({ architecture, os, variant }: ImageConfig): Platform {
  return { architecture, os, ...(variant === undefined ? {} : { variant }) };
}

/** Where a blob lies in an OCI layout. */
export function layoutPath(digest: Digest): string {
  return `blobs/${digest.slice(0, digest.indexOf(':'))}/${digestHex(digest)}`;
}
