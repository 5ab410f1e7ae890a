/** The dictionary of the wire: Engine API types, the engine's shape, endpoints, versions, filters. Pure. */
export { type Access, type Endpoint, type EndpointKey, endpoints, swarmRoots } from './endpoints.ts';
export { restartUnhealthyAnnotation } from './annotations.ts';
export type * from './bootstrap.ts';
export type * from './build.ts';
export { buildFailureOf } from './build-failure.ts';
export type * from './engine.ts';
export {
  acceptFilters,
  booleanFilter,
  matchesExact,
  matchesLabels,
  matchesPattern,
  noFilters,
  parseFilters,
} from './filters.ts';
export type * from './space.ts';
export type * from './types.ts';
export {
  foreignFile,
  type Problem,
  recordProblem,
  strayFile,
  type VerifyFinding,
  type VerifyMessage,
  type VerifySummary,
} from './verify.ts';
export { isPortProtocol, parsePortRange, parsePublish, type PublishedPort, splitProtocol } from './port-spec.ts';
export { keptBytes, type PruneSpace } from './prune-space.ts';
export { latestVersion, minimumVersion, parseVersion, versionText } from './versions.ts';
