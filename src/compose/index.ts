/** Compose: files to a project, a project to a plan, a plan to calls of the Engine API. A client of any Docker daemon. */
export { type LoadOptions, loadModel, loadProject } from './load/load.ts';
export { type ProjectRequest, type Surroundings } from './load/files.ts';
export { goJson } from './print/go-json.ts';
export { networkHash, serviceHash, volumeHash } from './print/hash.ts';
export { projectTree } from './print/project-tree.ts';
export type * from './project.ts';
