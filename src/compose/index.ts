/** Compose: files to a project, a project to a plan, a plan to calls of the Engine API. A client of any Docker daemon. */
export { Applier } from './apply/apply.ts';
export type { Context, Progress } from './apply/context.ts';
export { WaitFault } from './apply/wait.ts';
export {
  changes,
  type ConvergeOptions,
  foresee,
  type ImageDoor,
  type Outlook,
  prepare,
  type Prepared,
} from './converge.ts';
export { failureReport } from './failure.ts';
export {
  attachOutput,
  exitText,
  type Happening,
  type LogQuery,
  type LogSink,
  monitor,
  showLog,
  showLogs,
  sinceStart,
} from './follow.ts';
export {
  type Build as ImageBuild,
  localImages,
  neededBuilds,
  neededPulls,
  type Pull,
  withBuildContexts,
} from './images.ts';
export { composeVersion, inProject, label } from './labels.ts';
export { Lines } from './lines.ts';
export { parseDotenv } from './load/dotenv.ts';
export { parseVolumeSpec } from './load/volume-spec.ts';
export { type LoadOptions, loadModel, loadProject } from './load/load.ts';
export { type ProjectRequest, type Surroundings } from './load/files.ts';
export { byName, imageNameOf, isOneOff, nameOf, numberOf, serviceOf, shortNameOf } from './names.ts';
export { type Container, listContainers, type Observed, observe, orUndefined, projectOfLabels } from './observe.ts';
export { type DownRequest, planDown, planRestart, planStart, planStop, type StopRequest } from './plan/down.ts';
export { containerSubject, isChange, type Step, verbOf } from './plan/step.ts';
export { isOrphan, type Plan, type Recreate } from './plan/up.ts';
export { type ConfigFormat, configText, treeText } from './print/config-text.ts';
export { goJson } from './print/go-json.ts';
export { networkHash, serviceHash, volumeHash } from './print/hash.ts';
export { projectTree } from './print/project-tree.ts';
export type * from './project.ts';
export { prepareRun, type RunRequest } from './run.ts';
export {
  dependentsOf,
  enableServices,
  noSuchService,
  reach,
  selectServices,
  withoutService,
  withoutUnused,
} from './select.ts';
export { hasWatch, watchProject, type WatchOptions } from './watch.ts';
export { sortedTree } from './tree.ts';
