/** The engine from programs: typed, with disposables; on any Docker daemon. `import { connect } from 'wherry'`. */
export type { BuildOptions, BuildStep, Built } from './build.ts';
export type { Condition } from './condition.ts';
export { connect, type ConnectOptions } from './connect.ts';
export { Container, type LogOptions, type StopOptions } from './container.ts';
export { Containers } from './containers.ts';
export { Engine } from './engine.ts';
export type { EngineEvent, EventOptions } from './events.ts';
export type { FileOptions } from './files.ts';
export { Images } from './images.ts';
export type { LogLine } from './log-lines.ts';
export { Network, type NetworkOptions, Networks } from './networks.ts';
export type { Outcome } from './outcome.ts';
export { type ExecOptions, type ExecResult, type Input, Process } from './process.ts';
export type { TransferStep } from './progress.ts';
export type { PublishedAddress } from './published.ts';
export type { PullOptions, PullStep } from './pull.ts';
export type {
  CommandLine,
  HealthcheckOption,
  Limits,
  MountOption,
  NetworkOption,
  PortOption,
  RunOptions,
} from './run-options.ts';
export { Volume, type VolumeOptions, Volumes } from './volumes.ts';
export { ReadinessFault } from './wait-until.ts';
export { Work } from './work.ts';
export {
  ApiFault,
  type Call,
  type CallKey,
  type CallTypes,
  type Figures,
  type FilterValues,
  type Frame,
} from '../client/index.ts';
export type {
  ContainerInspect,
  ContainerSummary,
  ImageInspect,
  ImageSummary,
  NetworkInspect,
  RegistryAuth,
  Volume as VolumeInspect,
} from '../api/index.ts';
export { Fault, type FaultKind } from '../std/index.ts';
