/** What a finished build gives away: an image for the store, an archive, a folder, a registry's copy. */
import type { BuildEvent, BuildOutput, BuildRequest } from '../../api/index.ts';
import type { Descriptor, Digest, ImageConfig } from '../../oci/index.ts';
import type { ResultHold } from '../result/commit-layer.ts';

/** Held by the build until it ends. */
export interface FinishedBuild {
  config: ImageConfig;
  /** Blobs of the content store, the bottom one first: plain tars where a step made them, as they came where an image did. */
  layers: readonly Descriptor[];
  /** The top of the unpacked stack; undefined for an image without layers. */
  chain: Digest | undefined;
  annotations: ReadonlyMap<string, string>;
  /** Seconds since 1970 that SOURCE_DATE_EPOCH says. */
  epoch: number | undefined;
  hold: ResultHold;
  /** The index of the last layer of the base image plus one: with `rewrite-timestamp` those below stay as they are. */
  baseLayers: number;
}

export interface ExportContext {
  request: Pick<BuildRequest, 'id' | 'secrets' | 'platform'>;
  emit: (event: BuildEvent) => void;
}

/** What clients are told; `image` is the id in the store, `manifest` its manifest's digest. */
export interface Exported {
  image: Digest | undefined;
  manifest: Digest | undefined;
}

export interface Exporter {
  /** Does one output whole or not at all; tells its progress as vertices of its own. @throws Fault */
  export(build: FinishedBuild, output: BuildOutput, context: ExportContext, signal: AbortSignal): Promise<Exported>;
}
