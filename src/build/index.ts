/** Dockerfiles to images: the plan is what to do, as data; the solver does it. */
export { type InputDigests, sourceKey, stepKey } from './plan/cache-key.ts';
export { type ContainerConfig, settledConfig } from './plan/container-config.ts';
export type { PlannedHistory, PlannedImage } from './plan/image-fold.ts';
export type { ImageResolver, PlanOptions, ResolvedImage } from './plan/options.ts';
export { type Plan, planBuild, type PlannedStage } from './plan/plan.ts';
export { printPlan } from './plan/print.ts';
export type { PlannedInstruction } from './plan/stage-planner.ts';
export type * from './plan/step.ts';
export { inputsOf } from './plan/step.ts';
export { PostedContext, type PostedContextOptions } from './local/posted-context.ts';
export type { ResultHold } from './result/commit-layer.ts';
export { builtConfig } from './result/image-config.ts';
export { Results, type ResultsOptions, type StepRecord } from './result/results.ts';
export { type BuiltRoot, rootChain, scratch } from './result/root.ts';
export { CacheMounts } from './solve/cache-mounts.ts';
export type { BuildInputs, LocalFolder, SolveContext } from './solve/context.ts';
export { solve } from './solve/solve.ts';
export { clearUnfinished, newStepId } from './solve/step-id.ts';
