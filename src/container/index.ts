/** The lifecycle of one container, and Docker's verbs over all of them. */
export { TreeWriter, type TreeWriterOptions } from './archive-writer.ts';
export { openContainers, type ContainerRoom, type ContainerRoomOptions, untilLimit } from './containers.ts';
export type { Settings } from './context.ts';
export { hasBlockWeight, hasSwapLimit, ownCapabilities } from './host-facts.ts';
export { type HostFacts, logDrivers } from './validate.ts';
export type { ContainerUsage, RunningUsage } from './usage.ts';
export { runStep, type StepContext, type StepRequest, type StepResult } from './step.ts';
export { clearSteps } from './step-leftovers.ts';
export type { StepMount } from './step-mounts.ts';
