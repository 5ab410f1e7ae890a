/** One build from its request to its outputs. */
import type { BuildEvent, BuildRequest, BuildResult, FailedBuild, LocalSource } from '../../api/index.ts';
import {
  type BuildPlatform,
  cleanPath,
  type Dockerfile,
  DockerfileFault,
  parse,
  PatternMatcher,
} from '../../dockerfile/index.ts';
import { hostPlatform, type ImageConfig, parsePlatform, type Platform } from '../../oci/index.ts';
import { explainDiskError, Fault, formatNanos } from '../../std/index.ts';
import type { Exported, FinishedBuild } from '../export/door.ts';
import { buildScheme } from '../plan/named-context.ts';
import { type Plan, planBuild } from '../plan/plan.ts';
import { printPlan } from '../plan/print.ts';
import type { ExecMount, ExecStep, LocalStep } from '../plan/step.ts';
import type { ResultHold } from '../result/commit-layer.ts';
import { builtConfig } from '../result/image-config.ts';
import { type BuiltRoot, rootChain } from '../result/root.ts';
import type { CacheMount } from '../solve/cache-mounts.ts';
import type { BuildInputs, LocalFolder } from '../solve/context.ts';
import { solve } from '../solve/solve.ts';
import { vertexOf } from '../solve/vertex.ts';
import { BaseImages } from './base-images.ts';
import { type BuildFiles, contextIgnore, readBuildFiles } from './build-files.ts';
import type { BuilderContext } from './builder-context.ts';
import { checkAnswer, checkBuild, warningOf } from './checks.ts';
import { type RemoteContext, remoteContext } from './remote-context.ts';
import { buildFailure } from './failure.ts';
import type { FailedState } from './failed-builds.ts';
import { refuseForeignPrograms } from './foreign.ts';
import { Progress, taskVertex } from './progress.ts';
import { answerOutline, answerTargets } from './questions.ts';

export interface BuildRunOptions {
  request: BuildRequest;
  progress: Progress;
  /** Told when a RUN fails. */
  failed: (build: FailedBuild, state: FailedState) => void;
}

/** @throws Fault, with a `BuildFailure` as its cause where the Dockerfile is to blame; the signal's reason */
export async function runBuild(
  context: BuilderContext,
  options: BuildRunOptions,
  signal: AbortSignal,
): Promise<BuildResult> {
  using blobs = context.content.hold();
  using layers = context.snapshots.hold();
  await using loans = new AsyncDisposableStack();
  return await new BuildRunner(context, options, { blobs, layers }, loans).run(signal);
}

class BuildRunner {
  readonly #context: BuilderContext;
  readonly #request: BuildRequest;
  readonly #progress: Progress;
  readonly #options: BuildRunOptions;
  readonly #hold: ResultHold;
  readonly #loans: AsyncDisposableStack;
  readonly #bases: BaseImages;
  readonly #configs = new Map<string, ImageConfig>();
  #files: BuildFiles | undefined;
  #remote: RemoteContext | undefined;

  constructor(context: BuilderContext, options: BuildRunOptions, hold: ResultHold, loans: AsyncDisposableStack) {
    const { request, progress } = options;
    this.#context = context;
    this.#request = request;
    this.#progress = progress;
    this.#options = options;
    this.#hold = hold;
    this.#loans = loans;
    const { secrets, pull, bootstrap } = request;
    const { images, held } = context;
    this.#bases = new BaseImages({ images, held, hold, secrets, progress, pull, bootstrap });
  }

  async run(signal: AbortSignal): Promise<BuildResult> {
    try {
      return await this.#run(signal);
    } catch (error) {
      signal.throwIfAborted();
      const file =
        this.#files === undefined ? undefined : { name: this.#files.name, text: this.#files.text.toString() };
      throw buildFailure(explainDiskError(error), { file, step: this.#progress.failed });
    }
  }

  async #run(signal: AbortSignal): Promise<BuildResult> {
    for (const output of this.#request.outputs) this.#context.exporter.check(output);
    this.#context.caches.check(this.#request);
    const platform = wantedPlatform(this.#request.platform);
    this.#remote = await remoteContext(this.#context, this.#request, this.#progress, this.#loans, signal);
    const files = await readBuildFiles(this.#remote?.request ?? this.#request, this.#source(), this.#progress, signal);
    this.#files = files;
    const file = parse(files.text, { name: files.name });
    const { call } = this.#request;
    if (call === 'targets') return answered(answerTargets(file));
    if (call === 'check') return answered(await this.#check(file, platform, signal));
    const plan = await this.#plan(file, platform, signal);
    if (call === 'outline') return answered(answerOutline(file, plan, this.#buildArgs()));
    if (call === 'plan') return answered({ text: printPlan(plan), json: JSON.stringify(plan), status: 0 });
    this.#warn(file, platform, plan);
    this.#tellInstructions(plan);
    refuseForeignPrograms(plan, this.#context.runnable);
    return this.#build(plan, platform, signal);
  }

  /** The context as a folder of files; undefined where there is none. */
  #source(): LocalSource | undefined {
    if (this.#remote !== undefined) return this.#remote.source;
    const { context } = this.#request;
    return context !== undefined && 'fetch' in context ? context : undefined;
  }

  async #plan(file: Dockerfile, platform: BuildPlatform, signal: AbortSignal): Promise<Plan> {
    const { target, labels, noCache, network, namedContexts } = this.#request;
    const contexts = new Map(
      [...namedContexts].map(([name, value]) => {
        if ('fetch' in value) return [name, 'local'] as const;
        if ('build' in value) return [name, `${buildScheme}${value.build}`] as const;
        return [name, 'url' in value ? value.url : `docker-image://${value.image}`] as const;
      }),
    );
    return planBuild(
      file,
      {
        platform,
        buildPlatform: hostPlatform(),
        ...(target === undefined ? {} : { target }),
        buildArgs: this.#buildArgs(),
        labels,
        contexts,
        ...(noCache === false ? {} : { noCache: noCache === true ? 'all' : new Set(noCache) }),
        // A network by name is for the solver to put in place of the default.
        network: (['none', 'host'] as const).find((each) => each === network) ?? 'default',
      },
      async (reference, wanted, inner) => {
        const found = await this.#bases.resolve(reference, wanted, inner);
        this.#configs.set(reference, found.config);
        return found;
      },
      signal,
    );
  }

  #buildArgs(): ReadonlyMap<string, string> {
    return new Map(
      [...this.#request.buildArgs].flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
    );
  }

  #checked(file: Dockerfile, platform: BuildPlatform, stages?: ReadonlySet<number>): ReturnType<typeof checkBuild> {
    return checkBuild({
      file,
      platform,
      buildPlatform: hostPlatform(),
      target: this.#request.target,
      buildArgs: this.#buildArgs(),
      ignore: this.#files!.ignore,
      image: (reference) => this.#configs.get(reference),
      ...(stages === undefined ? {} : { stages }),
    });
  }

  async #check(
    file: Dockerfile,
    platform: BuildPlatform,
    signal: AbortSignal,
  ): Promise<NonNullable<BuildResult['answer']>> {
    let problem: DockerfileFault | undefined;
    try {
      await this.#plan(file, platform, signal);
    } catch (error) {
      if (!(error instanceof DockerfileFault)) throw error;
      problem = error;
    }
    return checkAnswer(file, this.#checked(file, platform), problem);
  }

  /** @throws Fault invalid where the file wants findings to be errors */
  #warn(file: Dockerfile, platform: BuildPlatform, plan: Plan): void {
    const { dockerfile } = this.#request;
    const path = 'text' in dockerfile ? file.source.name : dockerfile.path;
    const vertex = taskVertex(`[internal] load build definition from ${path}`);
    const stages = new Set(plan.stages.map(({ index }) => index));
    const report = this.#checked(file, platform, stages);
    for (const finding of report.findings) this.#progress.emit(warningOf(finding, file, vertex));
    if (plan.unusedBuildArgs.length > 0) {
      const short = `One or more build-args ${JSON.stringify(plan.unusedBuildArgs)} were not consumed`;
      this.#progress.emit({
        kind: 'warning',
        vertex,
        level: 1,
        short,
        detail: [],
        url: '',
        range: undefined,
        text: '',
      });
    }
    if (report.violation !== undefined) throw new Fault('invalid', report.violation);
  }

  #tellInstructions({ stages, steps }: Plan): void {
    const images = new Set(steps.flatMap((step) => (step.kind === 'image' ? [step.id] : [])));
    const instructions = stages.flatMap((stage) => [
      { text: stage.text, vertex: images.has(stage.base) ? vertexOf({ id: stage.base }) : undefined },
      ...stage.instructions.map(({ text, step, isTrigger }) => ({
        text,
        vertex: step === undefined ? undefined : vertexOf({ id: step }),
        ...(isTrigger ? { isTrigger } : {}),
      })),
    ]);
    this.#progress.emit({ kind: 'instructions', instructions });
  }

  async #build(plan: Plan, platform: Platform, signal: AbortSignal): Promise<BuildResult> {
    const { solving, caches } = this.#context;
    const { network } = this.#request;
    const { results, cacheMounts } = solving;
    // Past the progress's own eyes: that a cache is not there is nobody's failure.
    const emit = (event: BuildEvent): void => this.#progress.events.push(event);
    const around = { platform, results, cacheMounts, hold: this.#hold, emit };
    const cache = await caches.begin(this.#request, around, signal);
    const isNamed = !['default', 'none', 'host', ''].includes(network);
    const run: typeof solving.run = (step, inner) =>
      solving.run(isNamed && step.network === 'default' ? { ...step, network } : step, inner);
    const inputs = { ...this.#inputs(plan), imported: cache.imported, solved: cache.solved };
    const roots = await solve({ ...solving, run }, plan, inputs, signal);
    const root = roots.get(plan.root)!;
    const config = builtConfig(plan.image, root, roots);
    const exported = await this.#export(plan, { root, roots, config, extra: cache.inline(root) }, signal);
    const mounts = plan.steps.flatMap((step) => (step.kind === 'exec' ? step.mounts.filter(isCacheMount) : []));
    const cacheManifest = await cache.export(root, mounts, signal);
    if (this.#request.held === true) this.#context.held.add(this.#request.id, { root, config });
    return {
      image: exported.image,
      manifest: exported.manifest,
      descriptor: exported.descriptor,
      unusedArgs: plan.unusedBuildArgs,
      answer: undefined,
      cacheManifest,
    };
  }

  async #export(
    plan: Plan,
    {
      root,
      roots,
      config,
      extra,
    }: {
      root: BuiltRoot;
      roots: ReadonlyMap<string, BuiltRoot>;
      config: ImageConfig;
      extra: Readonly<Record<string, unknown>> | undefined;
    },
    signal: AbortSignal,
  ): Promise<Exported> {
    const build: FinishedBuild = {
      config,
      layers: root.layers,
      chain: rootChain(root),
      annotations: this.#request.annotations,
      epoch: epochOf(plan.sourceDateEpoch),
      hold: this.#hold,
      baseLayers: baseLayers(root, plan, roots),
      baseHistory: plan.image.history.filter(({ entry }) => entry.created !== undefined).length,
      ...(extra === undefined ? {} : { extra }),
    };
    let result: Exported = { image: undefined, manifest: undefined };
    for (const output of this.#request.outputs) {
      const { request, emit } = { request: this.#request, emit: this.#progress.emit };
      const made = await this.#context.exporter.export(build, output, { request, emit }, signal);
      if (made.image !== undefined) result = { ...result, ...made };
    }
    return result;
  }

  #inputs(plan: Plan): BuildInputs {
    const { secrets, extraHosts, limits, allowInsecure } = this.#request;
    return {
      hold: this.#hold,
      image: (step) => Promise.resolve(this.#bases.root(step)),
      local: (name, signal) => this.#local(name, plan, signal),
      secrets,
      extraHosts,
      limits,
      allowInsecure,
      emit: this.#progress.emit,
      failed: (step, root, failure) => {
        const { id } = this.#request;
        const failedAt = formatNanos(this.#context.now());
        const at = { ...failure, source: failure.source && { ...failure.source, file: this.#files!.name } };
        const build: FailedBuild = {
          id,
          failedAt,
          step: step.name,
          failure: { ...at, text: this.#files!.text.toString() },
        };
        this.#options.failed(build, { root, config: debugConfig(plan, step, root, failedAt) });
      },
    };
  }

  #applied(rules: readonly string[], { ignores }: LocalSource): readonly string[] {
    if (ignores === 'none' || rules.length === 0) return [];
    if (ignores === undefined) return rules;
    const { dockerfile } = this.#request;
    const own = ['.dockerignore', ...('text' in dockerfile ? [] : [cleanPath(dockerfile.path)])];
    const matcher = new PatternMatcher(rules);
    return own.filter((path) => matcher.matches(path));
  }

  async #local(name: string, plan: Plan, signal: AbortSignal): Promise<LocalFolder> {
    const step = plan.steps.find((one): one is LocalStep => one.kind === 'local' && one.context === name)!;
    const named = this.#request.namedContexts.get(name);
    const source = name === 'context' ? this.#source() : named !== undefined && 'fetch' in named ? named : undefined;
    if (source === undefined)
      throw new Fault('invalid', 'Cannot build: the Dockerfile wants files and there is no context');
    const rules =
      name === 'context'
        ? this.#files!.ignore
        : await contextIgnore(source, this.#progress, signal, `[context ${name}] load .dockerignore`);
    const excludes = this.#applied(rules, source);
    const tree = this.#loans.use(await source.fetch({ followPaths: step.paths ?? [], excludes }, signal));
    const timestamp = formatNanos(this.#context.now());
    this.#progress.emit({
      kind: 'status',
      vertex: vertexOf(step),
      id: 'transferring context:',
      name: 'transferring context:',
      current: tree.transferred,
      total: 0,
      timestamp,
      started: timestamp,
      completed: timestamp,
    });
    const version = tree.version === undefined ? undefined : JSON.stringify([tree.version, excludes]);
    return { path: tree.path, ignore: excludes.length === 0 ? undefined : new PatternMatcher(excludes), version };
  }
}

function answered(answer: NonNullable<BuildResult['answer']>): BuildResult {
  return { image: undefined, manifest: undefined, unusedArgs: [], answer };
}

/** @throws Fault invalid */
function wantedPlatform(text: string | undefined): BuildPlatform {
  if (text === undefined || text === '') return hostPlatform();
  if (text.includes(','))
    throw new Fault('invalid', `Cannot build for several platforms at once (${text}): build once for each`);
  return parsePlatform(text);
}

/** @throws Fault invalid */
function epochOf(text: string | undefined): number | undefined {
  if (text === undefined || text === '') return undefined;
  if (!/^\d{1,12}$/.test(text)) throw new Fault('invalid', `invalid SOURCE_DATE_EPOCH: ${text}`);
  return Number(text);
}

function isCacheMount(mount: ExecMount): mount is CacheMount {
  return mount.type === 'cache';
}

/** How many layers the image has of its base. */
function baseLayers(root: BuiltRoot, plan: Plan, roots: ReadonlyMap<string, BuiltRoot>): number {
  const bases = plan.steps.flatMap((step) => (step.kind === 'image' ? [roots.get(step.id)?.diffIds ?? []] : []));
  const isBelow = (diffIds: readonly string[]): boolean =>
    diffIds.length <= root.diffIds.length && diffIds.every((diffId, index) => diffId === root.diffIds[index]);
  return Math.max(0, ...bases.filter(isBelow).map((diffIds) => diffIds.length));
}

/** For a shell where the step would have run. */
function debugConfig(plan: Plan, step: ExecStep, root: BuiltRoot, created: string): ImageConfig {
  const { architecture, os, variant } = plan.image;
  return {
    architecture,
    os,
    ...(variant === undefined ? {} : { variant }),
    created,
    config: {
      Env: step.env.entries().map((pair) => pair.join('=')),
      Cmd: ['/bin/sh'],
      WorkingDir: step.workingDir === '' ? '/' : step.workingDir,
      ...(step.user === '' ? {} : { User: step.user }),
      Labels: { 'wherry.debug.step': step.name },
    },
    rootfs: { type: 'layers', diff_ids: [...root.diffIds] },
  };
}
