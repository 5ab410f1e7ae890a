/** What solving works with: the rooms below, and what one build brings along. */
import type { BuildEvent, BuildFailure, BuildRequest, BuildSecrets } from '../../api/index.ts';
import type { StepRequest, StepResult } from '../../container/index.ts';
import type { Content } from '../../content/index.ts';
import type { PatternMatcher } from '../../dockerfile/index.ts';
import type { Snapshots } from '../../snapshot/index.ts';
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
  /** A RUN's process has failed on that root. */
  failed?: (step: ExecStep, root: BuiltRoot, failure: BuildFailure) => void;
}
