/** What solving works with: the rooms below, and what one build brings along. */
import type { BuildEvent, BuildFailure, BuildRequest, BuildSecrets } from '../../api/index.ts';
import type { StepRequest, StepResult } from '../../container/index.ts';
import type { Content } from '../../content/index.ts';
import type { PatternMatcher } from '../../dockerfile/index.ts';
import type { Snapshots } from '../../snapshot/index.ts';
import type { Digest } from '../../oci/index.ts';
import type { Nanos, Shared, Slots } from '../../std/index.ts';
import type { Sources } from '../fetch/door.ts';
import type { ExecStep, ImageStep } from '../plan/step.ts';
import type { ResultHold } from '../result/commit-layer.ts';
import type { Results } from '../result/results.ts';
import type { BuiltRoot } from '../result/root.ts';
import type { CacheMounts } from './cache-mounts.ts';
import type { KnownDigests } from './known-digests.ts';

/** One for all builds. */
export interface SolveContext {
  content: Content;
  snapshots: Snapshots;
  results: Results;
  sources: Sources;
  /** Steps that several builds want at once are done once. */
  running: Shared<BuiltRoot>;
  slots: Slots;
  cacheMounts: CacheMounts;
  digests: KnownDigests;
  run: (request: StepRequest, signal: AbortSignal) => Promise<StepResult>;
  /** A safe file name that is nobody's yet. */
  newId: () => string;
  now: () => Nanos;
}

export interface LocalFolder {
  path: string;
  /** Its `.dockerignore`. */
  ignore: PatternMatcher | undefined;
  /** Where it is said: the same version is the same files, less what is ignored. */
  version?: string | undefined;
}

/** Of one build. */
export interface BuildInputs {
  /** Keeps what its steps made until it ends, whatever is pruned meanwhile. */
  hold: ResultHold;
  /** The image's layers, unpacked and kept until the build ends; `resolved` is the digest that it is known by. */
  image(step: ImageStep, signal: AbortSignal): Promise<{ resolved: string; root: BuiltRoot }>;
  local(context: string, signal: AbortSignal): Promise<LocalFolder>;
  secrets: BuildSecrets;
  extraHosts: readonly string[];
  limits: BuildRequest['limits'];
  allowInsecure: boolean;
  emit: (event: BuildEvent) => void;
  /** What other builders made, and may be had. */
  imported?: ImportedResults | undefined;
  /** Told of each step that makes a root, whoever made it, and of those that nobody needed. */
  solved?: ((step: SolvedStep) => void) | undefined;
  /** A RUN's process has failed on that root. */
  failed?: (step: ExecStep, root: BuiltRoot, failure: BuildFailure) => void;
}

/** Results by keys, both of what steps read and of how it is made. Nothing is brought here before it is asked for. */
export interface ImportedResults {
  has(key: Digest): boolean;
  /** What is said of it: its key of what it read, and when it was made (RFC 3339), where that is known. */
  get(key: Digest): { key: Digest; createdAt: string | undefined } | undefined;
  /**
   * The root on `base`, which is an image's or nothing: its layers unpacked and held, those that are not here fetched. undefined where
   * that cannot be, which it tells of: the step has to be done then.
   */
  root(
    key: Digest,
    base: BuiltRoot,
    around: { hold: ResultHold; report: (id: string, current: number, total: number) => void },
    signal: AbortSignal,
  ): Promise<BuiltRoot | undefined>;
  /** What fills the folder of a new cache mount; undefined where it begins empty. Never fails: it tells, and leaves it empty. */
  cacheMount(id: string): ((folder: string, signal: AbortSignal) => Promise<void>) | undefined;
}

/** What became of a step. */
export interface SolvedStep {
  name: string;
  /** Of what it read; as its maker says where it came from elsewhere. */
  key: Digest;
  /** Of how it is made, up to the sources. */
  definition: Digest;
  /** undefined: nobody needed it. */
  result:
    | {
        /** What the step made: on its own for what stands on any base (`--link`). */
        made: BuiltRoot;
        /** On its base. */
        root: BuiltRoot;
        /** How many layers of `made` are the base image's. */
        baseLayers: number;
      }
    | undefined;
}
