/** The OCI runtime (crun or runc) behind one set of verbs. */
export { type DetectOptions, describeRuntime, detectRuntimes, findProgram } from './detect.ts';
export type { ExecProcess } from './exec-process.ts';
export { type ProcessOptions, Runtime, type RuntimeOptions, type RuntimeProgram } from './runtime.ts';
export type { RunProcess } from './run-process.ts';
