import type { BuildPlatform } from '../../dockerfile/index.ts';
import type { ImageConfig } from '../../oci/index.ts';

/** What a build asks for; `resolvePlanOptions` fills in the rest. */
export interface PlanOptions {
  /** What the image is for. */
  readonly platform: BuildPlatform;
  /** What it is built on; the same unless said. */
  readonly buildPlatform?: BuildPlatform;
  /** A stage's name; the last one unless said. */
  readonly target?: string;
  readonly buildArgs?: ReadonlyMap<string, string>;
  readonly labels?: ReadonlyMap<string, string>;
  /** `--build-context`: `docker-image://ref`, a URL, or anything else for a folder of the client. */
  readonly contexts?: ReadonlyMap<string, string>;
  /** All stages, or these. */
  readonly noCache?: 'all' | ReadonlySet<string>;
  readonly network?: 'default' | 'none' | 'host';
  /** Else the build argument BUILDKIT_SANDBOX_HOSTNAME. */
  readonly hostname?: string;
  /** Else the build argument BUILDKIT_CACHE_MOUNT_NS. Set before the ids of cache mounts: builds of one namespace share them. */
  readonly cacheNamespace?: string;
}

export interface ResolvedPlanOptions {
  readonly platform: BuildPlatform;
  readonly buildPlatform: BuildPlatform;
  readonly target: string | undefined;
  readonly buildArgs: ReadonlyMap<string, string>;
  readonly labels: ReadonlyMap<string, string>;
  readonly contexts: ReadonlyMap<string, string>;
  readonly noCache: 'all' | ReadonlySet<string>;
  readonly network: 'default' | 'none' | 'host';
  readonly hostname: string | undefined;
  readonly cacheNamespace: string;
}

export function resolvePlanOptions(options: PlanOptions): ResolvedPlanOptions {
  return {
    platform: options.platform,
    buildPlatform: options.buildPlatform ?? options.platform,
    target: options.target === '' ? undefined : options.target,
    buildArgs: options.buildArgs ?? new Map(),
    labels: options.labels ?? new Map(),
    contexts: options.contexts ?? new Map(),
    noCache: options.noCache ?? new Set(),
    network: options.network ?? 'default',
    hostname: options.hostname ?? options.buildArgs?.get('BUILDKIT_SANDBOX_HOSTNAME'),
    cacheNamespace: options.cacheNamespace ?? options.buildArgs?.get('BUILDKIT_CACHE_MOUNT_NS') ?? '',
  };
}

/** An image as the solver's resolver finds it. */
export interface ResolvedImage {
  /** With the digest it was found by, where it has one. */
  readonly reference: string;
  readonly config: ImageConfig;
}

/** Finds an image's configuration. `reference` is fully qualified, with a tag or a digest. @throws Fault with the registry's words */
export type ImageResolver = (reference: string, platform: BuildPlatform, signal: AbortSignal) => Promise<ResolvedImage>;
