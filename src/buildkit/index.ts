/** BuildKit's wire, both ends: what `docker buildx` and the clients of build sessions speak, and what asks for a build as they do. */
export { askBuild, type Attributed, type BuildAnswer, type BuildAsk, type Connect } from './client/build.ts';
export { layoutDigest, storeName, tagInLayout } from './client/content-store.ts';
export { uploadUrl } from './client/lend.ts';
export type { AgentSource, Loans, OutputTarget, SecretSource } from './client/loans.ts';
export { type FailedSource, SolveFault } from './client/solve-fault.ts';
export { parsePrivateKey, type SshKey } from './client/ssh/private-key.ts';
export type {
  SolveStatus,
  SolveVertex,
  SourceRange,
  SourceText,
  VertexLog,
  VertexStatus,
  VertexWarning,
} from './client/status.ts';
export { askHistory, askProgress, forgetBuilds, type PastBuild } from './client/history.ts';
export { askUsage, askWorker, type UsageRecord, type WorkerTold } from './client/asks.ts';
export type { WorkerFacts } from './control/control.ts';
export type { BuildLine } from './control/session-build.ts';
export { vertexName } from './control/status.ts';
export { Buildkit, type BuildkitOptions, h2cHead } from './door.ts';
export { duplexOf, type RawConnection } from './raw-duplex.ts';
export type { TreeVerbs } from './session/receive-tree.ts';
export type { TreeStat } from './session/tree-stat.ts';
