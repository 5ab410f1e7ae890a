/** Caches of builds that live elsewhere: what a build takes from them, and what it leaves there. */
import type { BuildEvent, BuildRequest } from '../../api/index.ts';
import type { Descriptor, Platform } from '../../oci/index.ts';
import type { ResultHold } from '../result/commit-layer.ts';
import type { Results } from '../result/results.ts';
import type { BuiltRoot } from '../result/root.ts';
import type { CacheMount, CacheMounts } from '../solve/cache-mounts.ts';
import type { ImportedResults, SolvedStep } from '../solve/context.ts';

export interface CacheTransfer {
  /** Reads what is asked for, for a mistake to be told before anything is built. @throws Fault invalid, not-implemented */
  check(request: Pick<BuildRequest, 'cacheTo'>): void;
  /** Reads the tables of what is to be imported. One that cannot be read is told of, and is none. @throws the signal's reason */
  begin(
    request: Pick<BuildRequest, 'cacheFrom' | 'cacheTo' | 'secrets'>,
    around: CacheSurroundings,
    signal: AbortSignal,
  ): Promise<BuildCaches>;
}

export interface CacheSurroundings {
  platform: Platform;
  results: Results;
  cacheMounts: CacheMounts;
  /** Of the build. */
  hold: ResultHold;
  emit: (event: BuildEvent) => void;
}

/** The caches of one build. */
export interface BuildCaches {
  /** For solving; undefined where nothing is imported. */
  readonly imported: ImportedResults | undefined;
  /** To be told while solving; undefined where nothing is exported. */
  readonly solved: ((step: SolvedStep) => void) | undefined;
  /** More for the configuration of the image of that root: the cache inside it, where one is asked for. */
  inline(root: BuiltRoot): Readonly<Record<string, unknown>> | undefined;
  /**
   * Sends what was asked for; `mounts` are the cache mounts of the build. Returns the manifest of the last, for the client.
   * @throws Fault of the first that failed, unless its errors are to be ignored
   */
  export(root: BuiltRoot, mounts: readonly CacheMount[], signal: AbortSignal): Promise<Descriptor | undefined>;
}
