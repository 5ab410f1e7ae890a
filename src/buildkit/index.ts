/** BuildKit's wire: what `docker buildx` and the clients of build sessions speak. */
export type { WorkerFacts } from './control/control.ts';
export type { BuildLine } from './control/session-build.ts';
export { Buildkit, type BuildkitOptions, h2cHead } from './door.ts';
export { duplexOf, type RawConnection } from './raw-duplex.ts';
export type { TreeVerbs } from './session/receive-tree.ts';
export type { TreeStat } from './session/tree-stat.ts';
