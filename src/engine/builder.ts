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

/** What builds can make again, the least recently used first. */
export function cacheSpace(builder: Pick<Builder, 'cache' | 'prune'>): { freeSpace(bytes: number): Promise<number> } {
  return {
    freeSpace: async (bytes) => {
      const size = (await builder.cache()).reduce((sum, record) => sum + record.size, 0);
      if (size === 0) return 0;
      const options = {
        all: true,
        keepBytes: Math.max(0, size - bytes),
        filters: new Map<string, ReadonlySet<string>>(),
      };
      return (await builder.prune(options)).reclaimed;
    },
  };
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
