/**
 * The Engine API as types: by the key of each endpoint, the query it takes, the body it is posted and what it answers. `calls.ts` makes
 * them; `true` in a query is sent as 1. Doors to other protocols (`session`, `grpc`, the attach socket) are no calls.
 */
import type {
  BaseImage,
  ContainerCreateBody,
  ContainerInspect,
  ContainerStats,
  ContainerSummary,
  ContainerTop,
  ContainerUpdateBody,
  DiskUsage,
  EndpointConfig,
  EndpointKey,
  endpoints,
  ExecCreateBody,
  ExecInspect,
  FailedBuild,
  FilesystemChange,
  ImageDeleteEntry,
  ImageDifference,
  ImageHistoryEntry,
  ImageInspect,
  ImageLayer,
  ImageSummary,
  NetworkCreateBody,
  NetworkInspect,
  ProgressMessage,
  RegistryAuth,
  SpaceReport,
  SystemInfo,
  SystemVersion,
  VerifyMessage,
  Volume,
  VolumeCreateBody,
  WaitCondition,
} from '../api/index.ts';
import type { FilterValues, QueryValue } from './caller.ts';
import type { AttachQuery, ContainerPruned, Created, LogQuery, WaitResult } from './containers.ts';
import type { ExecStartBody } from './execs.ts';
import type { ImagesPruned, SearchResult } from './images.ts';
import type { LoginResult, WireEvent } from './system.ts';
import type { Hijacked } from './transport.ts';
import type { VolumesPruned } from './volumes.ts';

export type CallKey = Exclude<EndpointKey, 'containerAttachSocket' | 'session' | 'grpc'>;

interface Row<Answer, Query = never, Body = never> {
  query: Query;
  body: Body;
  answer: Answer;
}

type Bytes = AsyncIterable<Uint8Array>;
type StopQuery = { t?: number | undefined; signal?: string | undefined };
type Platform = { platform?: string | undefined };
type Verify = Row<VerifyMessage & { error?: string }, { quick?: boolean }>;
/** Names change as builders do: "t", "dockerfile", "target", "buildargs", … */
type BuildQuery = Record<string, QueryValue>;

export interface CallTypes {
  ping: Row<string>;
  pingHead: Row<Readonly<Record<string, string>>>;
  version: Row<SystemVersion>;
  info: Row<SystemInfo>;
  events: Row<WireEvent, { since?: string | undefined; until?: string | undefined }>;
  diskUsage: Row<DiskUsage & { BuilderSize?: number }, { type?: readonly string[] }>;
  auth: Row<LoginResult, never, RegistryAuth>;
  /** Prometheus' text. */
  metrics: Row<string>;
  metricsHead: Row<Readonly<Record<string, string>>>;
  space: Row<SpaceReport>;
  verify: Verify;
  verifyRepair: Verify;

  containerList: Row<ContainerSummary[], { all?: boolean; limit?: number; size?: boolean }>;
  containerCreate: Row<Created, { name?: string | undefined } & Platform, ContainerCreateBody>;
  containerPrune: Row<ContainerPruned>;
  containerInspect: Row<ContainerInspect, { size?: boolean }>;
  containerStart: Row<void, { detachKeys?: string }>;
  containerStop: Row<void, StopQuery>;
  containerRestart: Row<void, StopQuery>;
  containerKill: Row<void, { signal?: string | undefined }>;
  containerPause: Row<void>;
  containerUnpause: Row<void>;
  containerWait: Row<WaitResult, { condition?: WaitCondition }>;
  containerAttach: Row<Hijacked, AttachQuery>;
  containerResize: Row<void, { h: number; w: number }>;
  containerLogs: Row<Bytes, LogQuery>;
  containerStats: Row<ContainerStats, { stream?: 'true' | 'false'; 'one-shot'?: 'true' | 'false' }>;
  containerTop: Row<ContainerTop, { ps_args?: string }>;
  containerChanges: Row<FilesystemChange[] | null>;
  containerExport: Row<Bytes>;
  containerRename: Row<void, { name: string }>;
  containerUpdate: Row<{ Warnings: string[] | null }, never, ContainerUpdateBody>;
  containerRemove: Row<void, { force?: boolean; v?: boolean; link?: boolean }>;
  archiveStat: Row<Readonly<Record<string, string>>, { path: string }>;
  archiveGet: Row<Bytes, { path: string }>;
  archivePut: Row<void, { path: string; noOverwriteDirNonDir?: boolean; copyUIDGID?: boolean }, Bytes>;
  checkpointList: Row<{ Name: string }[], { dir?: string }>;
  checkpointCreate: Row<void, never, { CheckpointID: string; CheckpointDir?: string; Exit?: boolean }>;
  checkpointRemove: Row<void, { dir?: string }>;
  commit: Row<
    { Id: string },
    {
      container: string;
      repo?: string;
      tag?: string;
      comment?: string;
      author?: string;
      pause?: '0' | '1';
      changes?: string;
    },
    object
  >;

  execCreate: Row<{ Id: string }, never, ExecCreateBody>;
  execStart: Row<Hijacked, never, ExecStartBody>;
  execResize: Row<void, { h: number; w: number }>;
  execInspect: Row<ExecInspect>;

  imageList: Row<ImageSummary[], { all?: boolean; digests?: boolean; 'shared-size'?: boolean; manifests?: boolean }>;
  imageSearch: Row<SearchResult[] | null, { term: string; limit?: number }>;
  imageSaveMany: Row<Bytes, { names: readonly string[] } & Platform>;
  imageSave: Row<Bytes, Platform>;
  imageInspect: Row<ImageInspect, Platform>;
  imageHistory: Row<ImageHistoryEntry[], Platform>;
  imageCreate: Row<
    ProgressMessage,
    {
      fromImage?: string;
      fromSrc?: string;
      repo?: string;
      tag?: string | undefined;
      message?: string;
      changes?: readonly string[];
    } & Platform,
    Bytes
  >;
  imageLoad: Row<ProgressMessage, { quiet?: '0' | '1' } & Platform, Bytes>;
  imagePrune: Row<ImagesPruned>;
  imagePush: Row<ProgressMessage, { tag?: string | undefined } & Platform>;
  imageTag: Row<void, { repo: string; tag?: string }>;
  imageRemove: Row<ImageDeleteEntry[], { force?: boolean; noprune?: boolean; platforms?: readonly string[] }>;
  imageDiff: Row<ImageDifference | { error: string }, { from: string; to: string } & Platform>;
  baseImages: Row<BaseImage[]>;
  baseImagesMake: Row<ProgressMessage, { name: readonly string[]; refresh?: boolean }>;
  imageLayers: Row<ImageLayer[], Platform>;
  distribution: Row<{ Descriptor: { digest: string } }>;

  build: Row<ProgressMessage, BuildQuery, Bytes>;
  buildPrune: Row<{ CachesDeleted: string[] | null; SpaceReclaimed: number }, Record<string, QueryValue>>;
  buildCancel: Row<void, { id: string }>;
  buildFailed: Row<FailedBuild[]>;
  buildDebugImage: Row<{ image: string; failed: FailedBuild }, { id?: string }>;

  networkList: Row<NetworkInspect[]>;
  networkListSlash: Row<NetworkInspect[]>;
  networkCreate: Row<{ Id: string; Warning?: string }, never, NetworkCreateBody>;
  networkPrune: Row<{ NetworksDeleted: string[] | null }>;
  networkInspect: Row<NetworkInspect, { verbose?: boolean }>;
  networkConnect: Row<void, never, { Container: string; EndpointConfig?: EndpointConfig }>;
  networkDisconnect: Row<void, never, { Container: string; Force?: boolean }>;
  networkRemove: Row<void>;

  volumeList: Row<{ Volumes: Volume[] | null; Warnings: string[] | null }>;
  volumeCreate: Row<Volume, never, VolumeCreateBody>;
  volumePrune: Row<VolumesPruned>;
  volumeRename: Row<void, { name: string }>;
  volumeTrash: Row<{ Name: string; RemovedAt: string; Size: number }[]>;
  volumeRestore: Row<void>;
  volumeInspect: Row<Volume>;
  volumeUpdate: Row<void, { version: number }, object>;
  volumeRemove: Row<void, { force?: boolean }>;

  pluginList: Row<unknown[]>;
}

/** How an answer is read. */
export type AnswerKind = 'json' | 'none' | 'text' | 'headers' | 'lines' | 'bytes' | 'stream';

type Named<K extends CallKey> = (typeof endpoints)[K]['path'] extends `${string}{name}${string}`
  ? { /** What the path names: an id or a name. */ name: string }
  : object;
type Checkpoint<K extends CallKey> = K extends 'checkpointRemove' ? { checkpoint: string } : object;
type Queried<Q> = [Q] extends [never] ? object : Record<string, never> extends Q ? { query?: Q } : { query: Q };
type Posted<B> = [B] extends [never]
  ? object
  : [B] extends [Bytes]
    ? { /** Sent as it comes. */ stream?: Bytes }
    : { /** Sent as JSON. */ body: B };

export type CallOptionsOf<K extends CallKey> = Named<K> &
  Checkpoint<K> &
  Queried<CallTypes[K]['query']> &
  Posted<CallTypes[K]['body']> & {
    filters?: FilterValues;
    headers?: Record<string, string>;
    signal?: AbortSignal | undefined;
  };
