/**
 * The engine as the server sees it: one object, a noun each, in the API's own types (newest version). The server turns HTTP
 * into these calls and applies the deltas of older API versions; `engine/open.ts` makes the real one, tests make small ones.
 * Every `ref` is an id, a unique id prefix, a name or `/name`. All methods throw `Fault`; its message is Docker's text.
 */
import type {
  ContainerCreateBody,
  ContainerInspect,
  ContainerStats,
  ContainerSummary,
  ContainerTop,
  ContainerUpdateBody,
  ContainerConfig,
  DiskUsage,
  EndpointConfig,
  EventMessage,
  ExecCreateBody,
  ExecInspect,
  FilesystemChange,
  Filters,
  ImageDeleteEntry,
  ImageDifference,
  ImageHistoryEntry,
  ImageInspect,
  ImageLayer,
  ImageSummary,
  NetworkCreateBody,
  NetworkInspect,
  ProgressMessage,
  PruneReport,
  RegistryAuth,
  SystemInfo,
  SystemVersion,
  Volume,
  VolumeCreateBody,
} from './types.ts';
import type { MetricFamily } from '../std/index.ts';
import type { BaseImages } from './bootstrap.ts';
import type { Builds } from './build.ts';
import type { SpaceReport } from './space.ts';
import type { VerifyMessage } from './verify.ts';

export type Bytes = AsyncIterable<Uint8Array>;

/** One piece of a container's output. */
export interface StdioFrame {
  stream: 'stdout' | 'stderr';
  data: Uint8Array;
}

/** A live connection to a process's stdio. Whoever receives it must call `detach` (idempotent) when the client is gone. */
export interface StdioSession {
  readonly tty: boolean;
  /** Ends when the process has closed its output, or after `detach`. With a TTY everything is 'stdout'. */
  readonly output: AsyncIterable<StdioFrame>;
  /** Sends to the process's stdin; resolves when there is room for more, or after `detach`. Does nothing if stdin is not attached. */
  write(data: Uint8Array): Promise<void>;
  /** The client's input ended: closes the process's stdin where Docker would (StdinOnce and no TTY, or exec). */
  closeInput(): void;
  detach(): void;
}

export interface AttachOptions {
  stream: boolean;
  stdin: boolean;
  stdout: boolean;
  stderr: boolean;
  logs: boolean;
  /** Docker's notation ("ctrl-p,ctrl-q"); undefined means the default. */
  detachKeys?: string | undefined;
}

export interface LogOptions {
  follow: boolean;
  stdout: boolean;
  stderr: boolean;
  since?: bigint | undefined;
  until?: bigint | undefined;
  timestamps: boolean;
  /** Lines from the end; undefined is all. */
  tail?: number | undefined;
  details: boolean;
}

export type WaitCondition = 'not-running' | 'next-exit' | 'removed';

export interface PathStat {
  name: string;
  size: number;
  /** Go os.FileMode. */
  mode: number;
  mtime: string;
  linkTarget: string;
}

export interface Containers {
  list(options: { all: boolean; limit: number; size: boolean; filters: Filters }): Promise<ContainerSummary[]>;
  create(options: {
    name: string | undefined;
    platform: string | undefined;
    body: ContainerCreateBody;
    /** As "1.51": some defaults depend on it. */
    apiVersion: string;
  }): Promise<{ Id: string; Warnings: string[] }>;
  inspect(ref: string, options: { size: boolean }): Promise<ContainerInspect>;
  start(ref: string): Promise<void>;
  stop(ref: string, options: { signal?: string | undefined; timeoutSeconds?: number | undefined }): Promise<void>;
  restart(ref: string, options: { signal?: string | undefined; timeoutSeconds?: number | undefined }): Promise<void>;
  kill(ref: string, signal: string | undefined): Promise<void>;
  pause(ref: string): Promise<void>;
  unpause(ref: string): Promise<void>;
  rename(ref: string, name: string): Promise<void>;
  update(ref: string, body: ContainerUpdateBody): Promise<{ Warnings: string[] | null }>;
  remove(ref: string, options: { volumes: boolean; force: boolean; link: boolean }): Promise<void>;
  prune(filters: Filters): Promise<PruneReport>;
  /** Resolves when the waiter is registered; `result` settles when the condition is met. Aborting drops the waiter. */
  wait(
    ref: string,
    condition: WaitCondition,
    signal: AbortSignal,
  ): Promise<{ result: Promise<{ StatusCode: number; Error: { Message: string } | null }> }>;
  attach(ref: string, options: AttachOptions): Promise<StdioSession>;
  resize(ref: string, size: { height: number; width: number }): Promise<void>;
  /** Frames carry their final payload: timestamp and details are already in `data` when asked for. */
  logs(
    ref: string,
    options: LogOptions,
    signal: AbortSignal,
  ): Promise<{ tty: boolean; frames: AsyncIterable<StdioFrame> }>;
  stats(
    ref: string,
    options: { stream: boolean; oneShot: boolean },
    signal: AbortSignal,
  ): Promise<AsyncIterable<ContainerStats>>;
  top(ref: string, psArgs: string): Promise<ContainerTop>;
  changes(ref: string): Promise<FilesystemChange[]>;
  export(ref: string, signal: AbortSignal): Promise<Bytes>;
  statPath(ref: string, path: string): Promise<PathStat>;
  getArchive(ref: string, path: string, signal: AbortSignal): Promise<{ stat: PathStat; tar: Bytes }>;
  putArchive(
    ref: string,
    path: string,
    tar: Bytes,
    options: { noOverwriteDirNonDir: boolean; copyUidGid: boolean },
  ): Promise<void>;
  commit(options: {
    ref: string;
    repo: string | undefined;
    tag: string | undefined;
    comment: string;
    author: string;
    pause: boolean;
    changes: string[];
    config: ContainerConfig | undefined;
  }): Promise<{ Id: string }>;
}

export interface Execs {
  create(containerRef: string, body: ExecCreateBody): Promise<{ Id: string }>;
  /** Starts it. Without `detach`, `session` carries its stdio; a start failure arrives as text in it (exit code 126/127). */
  start(
    id: string,
    options: { detach: boolean; tty: boolean; consoleSize: { height: number; width: number } | undefined },
  ): Promise<{ session: StdioSession | undefined }>;
  resize(id: string, size: { height: number; width: number }): Promise<void>;
  inspect(id: string): Promise<ExecInspect>;
  /** Whether the exec was created with a TTY. @throws Fault not-found */
  tty(id: string): Promise<boolean>;
}

/** An archive on its way out; `size` is what `tar` will come to in bytes. */
export interface SavedArchive {
  size: number;
  tar: Bytes;
}

export interface Images {
  /** With `manifests`, each image tells of its platforms. */
  list(options: { all: boolean; filters: Filters; sharedSize: boolean; manifests: boolean }): Promise<ImageSummary[]>;
  inspect(ref: string, options: { platform?: string | undefined }): Promise<ImageInspect>;
  history(ref: string, options: { platform?: string | undefined }): Promise<ImageHistoryEntry[]>;
  /** Wherry's own (GET /wherry/images/{name}/layers), bottom first. */
  layers(ref: string, options: { platform?: string | undefined }): Promise<ImageLayer[]>;
  /** Wherry's own (GET /wherry/image-diff?from=&to=): streamed, and told without running or mounting anything. @throws Fault not-found */
  diff(
    from: string,
    to: string,
    options: { platform?: string | undefined },
    signal: AbortSignal,
  ): Promise<AsyncIterable<ImageDifference>>;
  /** Throws before the first message when nothing was found; a later failure is thrown by the iterator. */
  pull(
    options: {
      image: string;
      tag: string | undefined;
      platform: string | undefined;
      auth: RegistryAuth | undefined;
      /** Wherry's own: make it where no registry can be reached; undefined goes by the daemon's setting. */
      bootstrap?: boolean | undefined;
    },
    signal: AbortSignal,
  ): Promise<AsyncIterable<ProgressMessage>>;
  push(
    options: { image: string; tag: string | undefined; platform: string | undefined; auth: RegistryAuth | undefined },
    signal: AbortSignal,
  ): Promise<AsyncIterable<ProgressMessage>>;
  import(
    options: {
      /** "-" when the tar is the body, else an http(s) URL. */
      source: string;
      body: Bytes;
      repo: string | undefined;
      tag: string | undefined;
      message: string;
      changes: string[];
      platform: string | undefined;
    },
    signal: AbortSignal,
  ): Promise<AsyncIterable<ProgressMessage>>;
  load(
    body: Bytes,
    options: { quiet: boolean; platform: string | undefined },
    signal: AbortSignal,
  ): Promise<AsyncIterable<ProgressMessage>>;
  /** Wherry's own: without the layers that the images `since` have, for a machine that has those. @throws Fault not-found */
  save(
    refs: string[],
    options: { platform: string | undefined; since: readonly string[] },
    signal: AbortSignal,
  ): Promise<SavedArchive>;
  tag(ref: string, options: { repo: string; tag: string | undefined }): Promise<void>;
  /** With `platforms`, only an image that is for one of them. */
  remove(
    ref: string,
    options: { force: boolean; noPrune: boolean; platforms?: readonly string[] },
  ): Promise<ImageDeleteEntry[]>;
  prune(filters: Filters): Promise<{ deleted: ImageDeleteEntry[]; reclaimed: number }>;
  search(options: { term: string; limit: number; filters: Filters }): Promise<object[]>;
  distribution(ref: string, auth: RegistryAuth | undefined, signal: AbortSignal): Promise<object>;
}

export interface Networks {
  list(filters: Filters): Promise<NetworkInspect[]>;
  inspect(ref: string, options: { verbose: boolean; scope: string | undefined }): Promise<NetworkInspect>;
  create(body: NetworkCreateBody): Promise<{ Id: string; Warning: string }>;
  connect(ref: string, containerRef: string, endpoint: EndpointConfig): Promise<void>;
  disconnect(ref: string, containerRef: string, options: { force: boolean }): Promise<void>;
  remove(ref: string): Promise<void>;
  prune(filters: Filters): Promise<PruneReport>;
}

export interface Volumes {
  list(filters: Filters): Promise<{ Volumes: Volume[]; Warnings: string[] | null }>;
  inspect(name: string): Promise<Volume>;
  create(body: VolumeCreateBody): Promise<Volume>;
  remove(name: string, options: { force: boolean }): Promise<void>;
  /** Wherry's own (POST /volumes/{name}/rename?name=): no other engine has it. */
  rename(name: string, to: string): Promise<Volume>;
  /** Removed volumes that can be brought back, newest first. */
  trash(): Promise<TrashedVolume[]>;
  /** Brings the newest removed volume of that name back. @throws Fault not-found, conflict (the name is taken) */
  restore(name: string): Promise<Volume>;
  /** `anonymousOnly` false removes unused named volumes too. */
  prune(filters: Filters, options: { anonymousOnly: boolean }): Promise<PruneReport>;
}

/** One removed volume. `size` in bytes. */
export interface TrashedVolume {
  name: string;
  removedAt: string;
  size: number;
}

export interface System {
  /** A client has come: what the kernel is slow to begin may begin. Cheap, and without a promise. */
  expect(): void;
  version(): Promise<SystemVersion>;
  info(): Promise<SystemInfo>;
  diskUsage(types: ReadonlySet<'container' | 'image' | 'volume' | 'build-cache'>): Promise<DiskUsage>;
  /** Past events since `since`, then live ones until `until` or abort. Registered when the promise resolves. */
  events(
    options: { since?: bigint | undefined; until?: bigint | undefined; filters: Filters },
    signal: AbortSignal,
  ): Promise<AsyncIterable<EventMessage>>;
  login(auth: RegistryAuth): Promise<{ Status: string; IdentityToken: string }>;
  /** Wherry's own: what takes the disk, to the last block. */
  space(): Promise<SpaceReport>;
  /**
   * Wherry's own: everything on disk against what should be there; `quick` leaves contents unread, `repair` mends what can be.
   * @throws Fault conflict while another one goes on
   */
  verify(options: { quick: boolean; repair: boolean }, signal: AbortSignal): Promise<AsyncIterable<VerifyMessage>>;
  /** Numbers for Prometheus, at most a second old; cheap enough to be asked every few seconds. */
  metrics(): Promise<readonly MetricFamily[]>;
}

export interface Engine {
  readonly containers: Containers;
  readonly execs: Execs;
  readonly images: Images;
  readonly networks: Networks;
  readonly volumes: Volumes;
  readonly builds: Builds;
  readonly baseImages: BaseImages;
  readonly system: System;
}
