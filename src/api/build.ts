/**
 * Builds as the server's doors ask for them and as the build room runs them: one request whatever the door (a posted tar, a session, gRPC),
 * one stream of events in BuildKit's terms, so that each door renders its own wire form.
 */
import type { RegistryAuth } from './types.ts';

/** A directory tree that the client lends: "context", "dockerfile", or the name of a --build-context. */
export interface LocalSource {
  /**
   * Which of its files its own .dockerignore takes away; all that its rules name unless said. From an archive, which has in it what its
   * maker wants: `none`, or, as the classic builder has it, only the `own-files`, the Dockerfile and the ignore file.
   */
  readonly ignores?: 'none' | 'own-files';
  /**
   * Brings what is wanted to a directory of the daemon's and returns it; asked twice for the same, it may answer at once. Nothing in it
   * is to be trusted: links may lead anywhere. @throws Fault
   */
  fetch(
    wanted: {
      /** Paths (globs) with their links followed; none means everything. */
      followPaths: readonly string[];
      /** Rules of a .dockerignore. */
      excludes: readonly string[];
    },
    signal: AbortSignal,
  ): Promise<LocalTree>;
}

/** Disposing lets the builder delete or reuse the directory. */
export interface LocalTree extends AsyncDisposable {
  readonly path: string;
  /** Bytes that came over the wire for it. */
  readonly transferred: number;
  /** Where it is said: the same version is the same files, times aside. */
  readonly version?: string;
}

export interface BuildSecrets {
  /** undefined: the client does not have it. */
  secret(id: string, signal: AbortSignal): Promise<Uint8Array | undefined>;
  /** A connection to the client's SSH agent, as a socket path that lives until disposed. @throws Fault not-found */
  agent(id: string, signal: AbortSignal): Promise<{ socket: string } & AsyncDisposable>;
  /** Credentials for a registry; undefined: anonymous. */
  credentials(host: string, signal: AbortSignal): Promise<RegistryAuth | undefined>;
}

export interface BuildRequest {
  /** Names the build for events and cancelling. */
  id: string;
  context: LocalSource | { url: string } | undefined;
  /** Where the Dockerfile is: in the context, in a source of its own, or its text. */
  dockerfile: { path: string; source: LocalSource | undefined } | { text: string };
  /** `build`: the id of a build that is held. */
  namedContexts: ReadonlyMap<string, LocalSource | { url: string } | { image: string } | { build: string }>;
  target: string | undefined;
  /** undefined as a value: take the daemon's environment, or nothing. */
  buildArgs: ReadonlyMap<string, string | undefined>;
  labels: ReadonlyMap<string, string>;
  annotations: ReadonlyMap<string, string>;
  platform: string | undefined;
  /** true: no step; or the names of stages. */
  noCache: boolean | readonly string[];
  pull: boolean;
  /** Wherry's own: base images are made here when no registry can be reached; undefined goes by the daemon's setting. */
  bootstrap?: boolean;
  cacheFrom: readonly BuildCacheLocation[];
  cacheTo: readonly BuildCacheLocation[];
  network: 'default' | 'none' | 'host' | (string & {});
  extraHosts: readonly string[];
  limits: {
    memory: number;
    memorySwap: number;
    cpuShares: number;
    cpuPeriod: number;
    cpuQuota: number;
    cpusetCpus: string;
    cpusetMems: string;
    shmSize: number;
    ulimits: readonly { Name: string; Soft: number; Hard: number }[];
    cgroupParent: string;
  };
  allowInsecure: boolean;
  secrets: BuildSecrets;
  outputs: readonly BuildOutput[];
  /** Keeps what was built, for other builds to stand on, until `Builds.release` is called with this id. */
  held?: boolean;
  /** To build, or only to be told something of the Dockerfile: its checks, its plan, its stages and arguments. */
  call: 'build' | 'check' | 'plan' | 'outline' | 'targets';
}

export interface BuildCacheLocation {
  type: 'registry' | 'local' | 'inline' | (string & {});
  attributes: Readonly<Record<string, string>>;
  /** Of type `local`: the client's folder. */
  store?: ClientBlobs;
}

/** A folder of the client's as a store of blobs, each by its digest. */
export interface ClientBlobs {
  /** undefined: it is not there. @throws Fault */
  size(digest: string, signal: AbortSignal): Promise<number | undefined>;
  /** @throws Fault */
  read(digest: string, signal: AbortSignal): AsyncIterable<Uint8Array>;
  /** There whole or not at all. @throws Fault */
  write(blob: { digest: string; size: number }, bytes: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<void>;
}

/**
 * `write` takes the bytes of a file that the client keeps (tar, oci, docker); `store` the blobs of an image that is to be a folder there;
 * `writeTree`, for `local`, the path of a folder with the tree. Every time in it is told as `modified`, nanoseconds since 1970, where that is given.
 */
export interface BuildOutput {
  type: 'image' | 'docker' | 'oci' | 'tar' | 'local' | 'cacheonly';
  /** Names, for `image`. */
  names: readonly string[];
  push: boolean;
  attributes: Readonly<Record<string, string>>;
  write: ((bytes: AsyncIterable<Uint8Array>) => Promise<void>) | undefined;
  store?: ClientBlobs;
  writeTree?: (folder: string, times?: { modified: bigint | undefined }) => Promise<void>;
}

/** A range in a file of the request; lines and columns from 1. */
export interface BuildSourceRange {
  file: string;
  start: { line: number; column: number };
  end: { line: number; column: number };
}

/** In BuildKit's terms (moby.buildkit.v1 StatusResponse); a vertex is told again at each change. Times are RFC 3339. */
export type BuildEvent =
  | {
      kind: 'vertex';
      /** sha256:… , unique in the build. */
      digest: string;
      name: string;
      inputs: readonly string[];
      cached: boolean;
      started: string | undefined;
      completed: string | undefined;
      error: string | undefined;
      /** Of the instruction, for classic progress and errors. */
      source: BuildSourceRange | undefined;
      /** Of a completed step: what is known of its result, sha256:…; no image has this id. */
      result?: string | undefined;
    }
  | {
      kind: 'status';
      vertex: string;
      id: string;
      name: string;
      current: number;
      total: number;
      timestamp: string;
      started: string | undefined;
      completed: string | undefined;
    }
  | { kind: 'log'; vertex: string; stream: 'stdout' | 'stderr'; data: Uint8Array; timestamp: string }
  | {
      kind: 'warning';
      vertex: string;
      level: number;
      short: string;
      detail: readonly string[];
      url: string;
      range: BuildSourceRange | undefined;
      /** The file's text, for the excerpt. */
      text: string;
    }
  /**
   * Once, before the first step: the instructions of the stages that are needed, in the file's order, for classic progress. `vertex`
   * is the step that does it; undefined for what only changes the configuration. What an image's ONBUILD brings comes after its FROM.
   */
  | {
      kind: 'instructions';
      instructions: readonly { text: string; vertex: string | undefined; isTrigger?: boolean }[];
    };

export interface BuildResult {
  /** The image's id (sha256 of its config); undefined when nothing was made but files. */
  image: string | undefined;
  /** Its manifest's digest. */
  manifest: string | undefined;
  /** The manifest's descriptor, of an archive's or a folder's image. */
  descriptor?: { mediaType: string; digest: string; size: number } | undefined;
  /** Build args that nothing consumed. */
  unusedArgs: readonly string[];
  /** What was asked for instead of a build (`call`); `status` is for the client to exit with. */
  answer: { text: string; json: string; status: number } | undefined;
  /** The manifest of the cache that was exported, for who keeps it in a folder of its own. */
  cacheManifest?: { mediaType: string; digest: string; size: number } | undefined;
}

/** A build that failed at a place in the Dockerfile. Doors attach `source` and the step's exit code to their own errors. */
export interface BuildFailure {
  message: string;
  source: BuildSourceRange | undefined;
  text: string | undefined;
  exitCode: number | undefined;
  vertex: string | undefined;
}

export interface BuildRun {
  readonly events: AsyncIterable<BuildEvent>;
  /** @throws Fault with a `BuildFailure` as its cause where the Dockerfile is to blame */
  readonly result: Promise<BuildResult>;
}

export interface BuildCacheRecord {
  id: string;
  type: 'regular' | 'source.local' | 'source.git.checkout' | 'exec.cachemount' | 'frontend' | 'internal';
  description: string;
  size: number;
  createdAt: string;
  lastUsedAt: string | undefined;
  usageCount: number;
  inUse: boolean;
  shared: boolean;
  parents: readonly string[];
}

/** A build that failed at a step, as long as the daemon remembers it. */
export interface FailedBuild {
  /** The request's id. */
  id: string;
  /** RFC 3339. */
  failedAt: string;
  /** The step as progress shows it. */
  step: string;
  failure: BuildFailure;
}

export interface Builds {
  /** The last builds that failed at a step, newest first. */
  failed(): Promise<readonly FailedBuild[]>;
  /**
   * An image without a name of the state before the step that failed, with its working directory, user and environment, for a look
   * inside; undefined is the last failure. The caller removes it. @throws Fault not-found
   */
  debugImage(id: string | undefined): Promise<{ image: string; failed: FailedBuild }>;
  /** Starts at once. Aborting cancels it and leaves no trace. */
  run(request: BuildRequest, signal: AbortSignal): BuildRun;
  /** Lets go of what a `held` build made; of one that is not held, nothing. */
  release(id: string): void;
  cache(): Promise<readonly BuildCacheRecord[]>;
  prune(options: {
    all: boolean;
    keepBytes: number | undefined;
    filters: ReadonlyMap<string, ReadonlySet<string>>;
  }): Promise<{ deleted: readonly string[]; reclaimed: number }>;
}
