/** `Builds` for the doors: every build as a run of its own, over one cache. */
import { randomUUID } from 'node:crypto';
import { mkdirSync, rmSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import {
  type BuildCacheRecord,
  type BuildRequest,
  type BuildResult,
  type BuildRun,
  type Builds,
  type FailedBuild,
  keptBytes,
  type Problem,
} from '../../api/index.ts';
import type { StepRequest, StepResult } from '../../container/index.ts';
import type { Content } from '../../content/index.ts';
import type { ImageStore } from '../../image/index.ts';
import type { Snapshots } from '../../snapshot/index.ts';
import { Background, Fault, freeSpace, type Logger, messageOf, nowNanos, Shared, Slots } from '../../std/index.ts';
import { type BuiltRoot, rootChain } from '../result/root.ts';
import { Results } from '../result/results.ts';
import type { CacheTransfer } from '../cache/door.ts';
import type { Exporter } from '../export/door.ts';
import type { Sources } from '../fetch/door.ts';
import { CacheMounts } from '../solve/cache-mounts.ts';
import { KnownDigests } from '../solve/known-digests.ts';
import { clearUnfinished, newStepId } from '../solve/step-id.ts';
import type { BuilderContext } from './builder-context.ts';
import { cacheEntries, cacheUsage, pruneCache } from './cache-records.ts';
import { FailedBuilds } from './failed-builds.ts';
import { HeldBuilds } from './held-builds.ts';
import type { GcRule } from './gc-policy.ts';
import { isRunnable } from './foreign.ts';
import { Progress } from './progress.ts';
import { runBuild } from './run-build.ts';
import { checkCache } from './verify.ts';

const collectEveryMs = 600_000;

export interface BuilderOptions {
  /** A folder of the data root. */
  root: string;
  content: Content;
  snapshots: Snapshots;
  images: ImageStore;
  runStep: (request: StepRequest, signal: AbortSignal) => Promise<StepResult>;
  sources: Sources;
  exporter: Exporter;
  caches: CacheTransfer;
  /** Steps at once, over all builds; undefined goes by the number of processors. */
  parallelSteps?: number | undefined;
  /** What the cache is cut down to after builds; none keep all of it. */
  gc: readonly GcRule[];
  log: Logger;
}

export class Builder implements Builds, AsyncDisposable {
  readonly #context: BuilderContext;
  readonly #gc: readonly GcRule[];
  #collected = -Infinity;
  readonly #failed = new FailedBuilds();
  readonly #running = new Map<string, { controller: AbortController; ended: Promise<unknown> }>();
  readonly #background = new Background((error) =>
    this.#context.log.error('the build cache could not be cut down', { error: messageOf(error) }),
  );

  private constructor(context: BuilderContext, gc: readonly GcRule[]) {
    this.#context = context;
    this.#gc = gc;
  }

  /** Before the first collection of content and snapshots, of which the cache is an owner, and before containers are looked for. */
  static async open(options: BuilderOptions): Promise<Builder> {
    const { root, content, snapshots, images, runStep, sources, exporter, caches, log } = options;
    mkdirSync(root, { recursive: true, mode: 0o700 });
    // What a killed daemon received and did not finish.
    rmSync(join(root, 'contexts'), { recursive: true, force: true });
    await clearUnfinished(snapshots);
    const now = nowNanos;
    const solving = {
      content,
      snapshots,
      results: await Results.open({ root: join(root, 'results'), content, snapshots, log, now }),
      running: new Shared<BuiltRoot>(),
      slots: new Slots(options.parallelSteps ?? Math.max(4, cpus().length)),
      sources,
      cacheMounts: await CacheMounts.open(join(root, 'cache-mounts'), { log, now }),
      digests: new KnownDigests(),
      run: runStep,
      newId: newStepId,
      now,
    };
    const context: BuilderContext = {
      folder: root,
      content,
      snapshots,
      images,
      solving,
      held: new HeldBuilds({ content, snapshots }),
      sources,
      exporter,
      caches,
      runnable: isRunnable,
      now,
      log,
    };
    return new Builder(context, options.gc);
  }

  run(request: BuildRequest, signal: AbortSignal): BuildRun {
    const { dockerfile } = request;
    const file = 'text' in dockerfile ? 'Dockerfile' : (dockerfile.path.split('/').at(-1) ?? dockerfile.path);
    const progress = new Progress(file, this.#context.now);
    const controller = new AbortController();
    const both = AbortSignal.any([signal, controller.signal]);
    const result = this.#run(request, progress, both).finally(() => progress.events.close());
    const key = randomUUID();
    const ended = result.then(
      () => {},
      () => {},
    );
    this.#running.set(key, { controller, ended });
    void ended.then(() => this.#running.delete(key));
    return { events: progress.events, result };
  }

  async #run(request: BuildRequest, progress: Progress, signal: AbortSignal): Promise<BuildResult> {
    const failed = (build: FailedBuild, state: Parameters<FailedBuilds['add']>[1]): void =>
      this.#failed.add(build, state);
    try {
      return await runBuild(this.#context, { request, progress, failed }, signal);
    } finally {
      this.#collectSoon();
    }
  }

  /** Weighing the cache takes a walk over it: not after each of many builds. */
  #collectSoon(): void {
    const now = performance.now();
    if (this.#gc.length === 0 || now - this.#collected < collectEveryMs) return;
    this.#collected = now;
    this.#background.run(this.collect());
  }

  /** Applies the rules now. */
  async collect(): Promise<void> {
    for (const { all, filters, space } of this.#gc) {
      const used = (await this.cache()).reduce((sum, { size }) => sum + size, 0);
      const free = freeSpace(this.#context.folder).available;
      await pruneCache(this.#context, { all, keepBytes: keptBytes(space, { used, free }), filters }, new Date());
    }
  }

  release(id: string): void {
    this.#context.held.release(id);
  }

  async cache(): Promise<readonly BuildCacheRecord[]> {
    return (await cacheEntries(this.#context)).map(({ record }) => record);
  }

  async prune(options: Parameters<Builds['prune']>[0]): ReturnType<Builds['prune']> {
    return pruneCache(this.#context, options, new Date());
  }

  /** What of the disk is the cache's alone. */
  usage(): ReturnType<typeof cacheUsage> {
    return cacheUsage(this.#context);
  }

  /** What is wrong with the cache on disk. */
  check(options: { quick: boolean }, signal: AbortSignal): AsyncIterable<Problem> {
    return checkCache(this.#context, options, signal);
  }

  async failed(): Promise<readonly FailedBuild[]> {
    return this.#failed.list();
  }

  async debugImage(id: string | undefined): ReturnType<Builds['debugImage']> {
    const { build, state } = this.#failed.get(id);
    const chain = rootChain(state.root);
    if (chain !== undefined && !this.#context.snapshots.has(chain))
      throw new Fault('not-found', `The state of build ${build.id} was pruned: build again`);
    const config = Buffer.from(JSON.stringify(state.config));
    const image = await this.#context.images.addBuilt({ config, layers: state.root.layers, names: [] });
    return { image, failed: build };
  }

  /** Cancels what goes on, and waits for it. */
  async [Symbol.asyncDispose](): Promise<void> {
    const running = [...this.#running.values()];
    for (const { controller } of running) controller.abort(new Fault('unavailable', 'the engine is stopping'));
    await Promise.all(running.map(({ ended }) => ended));
    await this.#background.settled();
  }
}
