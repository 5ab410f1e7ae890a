/** What a finished build gives away: an image for the store, an archive, a folder, a registry's copy. */
import type { BuildEvent, BuildOutput, BuildRequest } from '../../api/index.ts';
import type { Descriptor, Digest, ImageConfig } from '../../oci/index.ts';
import type { ResultHold } from '../result/commit-layer.ts';

/** Held by the build until it ends. */
export interface FinishedBuild {
  config: ImageConfig;
  /** As an image names them, the bottom one first: as they came where an image did, plain tars where a step made them, which need not be blobs. */
  layers: readonly Descriptor[];
  /** The top of the unpacked stack; undefined for an image without layers. */
  chain: Digest | undefined;
  /** Of the manifest. */
  annotations: ReadonlyMap<string, string>;
  /** Seconds since 1970 that SOURCE_DATE_EPOCH says. */
  epoch: number | undefined;
  hold: ResultHold;
  /** How many layers are the base image's: with `rewrite-timestamp` they stay as they are. */
  baseLayers: number;
  /** How many lines of the history are the base image's: they keep their times. */
  baseHistory: number;
  /** More for the configuration of images: a cache inside it, by its key. */
  extra?: Readonly<Record<string, unknown>>;
}

export interface ExportContext {
  request: Pick<BuildRequest, 'id' | 'secrets' | 'platform'>;
  emit: (event: BuildEvent) => void;
}

/** What clients are told. */
export interface Exported {
  /** The digest of the image's configuration, which is its id in the store; undefined for outputs that are no image. */
  image: Digest | undefined;
  /** Its manifest's, where one was made. */
  manifest: Digest | undefined;
  /** As an archive's index has it. */
  descriptor?: Descriptor;
}

export interface Exporter {
  /** Reads what is asked of the output, for a mistake to be told before anything is built. @throws Fault invalid, not-implemented */
  check(output: BuildOutput): void;
  /** Does one output whole or not at all; tells its progress as vertices of its own. @throws Fault */
  export(build: FinishedBuild, output: BuildOutput, context: ExportContext, signal: AbortSignal): Promise<Exported>;
}
