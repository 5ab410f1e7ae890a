/** What all builds share. */
import type { Content } from '../../content/index.ts';
import type { BuildPlatform } from '../../dockerfile/index.ts';
import type { ImageStore } from '../../image/index.ts';
import type { Snapshots } from '../../snapshot/index.ts';
import type { Logger, Nanos } from '../../std/index.ts';
import type { CacheTransfer } from '../cache/door.ts';
import type { Exporter } from '../export/door.ts';
import type { Sources } from '../fetch/door.ts';
import type { HeldBuilds } from './held-builds.ts';
import type { SolveContext } from '../solve/context.ts';

export interface BuilderContext {
  /** A folder of the data root, for what builds receive. */
  folder: string;
  content: Content;
  snapshots: Snapshots;
  images: ImageStore;
  solving: SolveContext;
  held: HeldBuilds;
  sources: Sources;
  exporter: Exporter;
  caches: CacheTransfer;
  /** Whether this machine runs programs of that platform. */
  runnable: (platform: BuildPlatform) => boolean;
  now: () => Nanos;
  log: Logger;
}
