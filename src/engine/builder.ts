/** The builder over the engine's rooms. */
import { join } from 'node:path';
import { Builder, type CacheTransfer, type Exporter, gcPolicy, type Sources } from '../build/index.ts';
import { clearSteps, runStep, type StepContext } from '../container/index.ts';
import type { Content } from '../content/index.ts';
import type { ImageStore } from '../image/index.ts';
import type { Snapshots } from '../snapshot/index.ts';
import type { Logger } from '../std/index.ts';
import { freeSpace } from '../std/index.ts';
import type { Config } from './config.ts';

export interface BuilderParts {
  config: Config;
  content: Content;
  snapshots: Snapshots;
  images: ImageStore;
  steps: StepContext;
  sources: Sources;
  exporter: Exporter;
  caches: CacheTransfer;
  log: Logger;
}

/** Call it before containers are looked for: what a killed daemon left of its builds is none. */
export async function openBuilder({ config, steps, ...parts }: BuilderParts): Promise<Builder> {
  await clearSteps(steps);
  const { total } = freeSpace(config.dataRoot);
  return Builder.open({
    ...parts,
    root: join(config.dataRoot, 'build'),
    runStep: (request, signal) => runStep(steps, request, signal),
    gc: gcPolicy(config.builder, total),
  });
}
