/** Dockerfiles to images. The plan so far: what to do, as data; doing it is the solver's. */
export { type InputDigests, sourceKey, stepKey } from './plan/cache-key.ts';
export { type ContainerConfig, settledConfig } from './plan/container-config.ts';
export type { PlannedHistory, PlannedImage } from './plan/image-fold.ts';
export type { ImageResolver, PlanOptions, ResolvedImage } from './plan/options.ts';
export { type Plan, planBuild, type PlannedStage } from './plan/plan.ts';
export { printPlan } from './plan/print.ts';
export type { PlannedInstruction } from './plan/stage-planner.ts';
export type * from './plan/step.ts';
export { inputsOf } from './plan/step.ts';
