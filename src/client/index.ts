/** The Engine API, called: over a unix socket, TCP, TLS or ssh, on any Docker daemon. Refusals are `ApiFault`s. */
export { ApiFault } from './api-fault.ts';
export type { Call, CallResult } from './calls.ts';
export type { CallKey, CallOptionsOf, CallTypes } from './call-types.ts';
export { type FilterValues, type QueryValue } from './caller.ts';
export { type Client, type ClientOptions, createClient } from './client.ts';
export type { AttachQuery, ContainerPruned, Created, LogQuery, PathStat, WaitResult } from './containers.ts';
export { type Endpoint, parseEndpoint, type TlsSettings } from './endpoint.ts';
export { type Figures, figuresOf } from './figures.ts';
export { type Frame, rawFrames, readFrames } from './frames.ts';
export type { ImagesPruned, SearchResult } from './images.ts';
export type { LoginResult, WireEvent } from './system.ts';
export type { Hijacked } from './transport.ts';
export type { VolumesPruned } from './volumes.ts';
export type { Wire } from './wire.ts';
export {
  type EntryType,
  headerBlocks,
  packTar,
  type PackEntry,
  type ReadEntry,
  readTar,
  type TarHeader,
} from './tar.ts';
