/**
 * A Dockerfile to a plan: the steps of the target stage and of what it needs, and the image they make. Nothing is fetched or run; the one
 * thing asked from outside is the configuration of base images.
 */
import {
  didYouMean,
  type Dockerfile,
  DockerfileFault,
  type GlobalScope,
  globalScope,
  isProxyVariable,
  parseTrigger,
  platformVariables,
  type Problem,
  StageScope,
  SyntaxProblem,
} from '../../dockerfile/index.ts';
import { gather } from '../../std/index.ts';
import { BaseImages } from './base-images.ts';
import { settledConfig } from './container-config.ts';
import { environmentOf, type PlannedImage } from './image-fold.ts';
import { type ImageResolver, type PlanOptions, type ResolvedPlanOptions, resolvePlanOptions } from './options.ts';
import { reachableFrom, refuseCycles } from './reachable.ts';
import { type NodeInstruction, StageGraph, type StageNode } from './stage-node.ts';
import { type PlannedInstruction, type PlannedRoot, StagePlanner } from './stage-planner.ts';
import type { Root, Step } from './step.ts';
import { StepList } from './step-list.ts';
import { StepNames } from './step-name.ts';

export interface PlannedStage {
  /** As progress shows it; '' where there is only one. */
  readonly label: string;
  readonly index: number;
  readonly isTarget: boolean;
  /** Its FROM line, and the image or stage that names. */
  readonly text: string;
  readonly from: string;
  /** What it begins with. */
  readonly base: Root;
  readonly root: Root;
  readonly instructions: readonly PlannedInstruction[];
}

export interface Plan {
  /** Each after those it needs. */
  readonly steps: readonly Step[];
  /** Those the target needs, in the file's order. */
  readonly stages: readonly PlannedStage[];
  /** What SOURCE_DATE_EPOCH says, as a build argument or as a global ARG's default; not checked. */
  readonly sourceDateEpoch: string | undefined;
  /** Build arguments that no needed stage declares and that mean nothing by themselves. */
  readonly unusedBuildArgs: readonly string[];
  /** The target's filesystem. */
  readonly root: Root;
  readonly image: PlannedImage;
}

/** @throws DockerfileFault with every problem of the stages that are needed; what `resolveImage` throws becomes one, at its FROM */
export async function planBuild(
  file: Dockerfile,
  options: PlanOptions,
  resolveImage: ImageResolver,
  signal?: AbortSignal,
): Promise<Plan> {
  const planner = new Planner(file, resolvePlanOptions(options), resolveImage);
  return planner.plan(signal);
}

class Planner {
  readonly #file: Dockerfile;
  readonly #options: ResolvedPlanOptions;
  readonly #images: BaseImages;
  readonly #steps = new StepList();
  readonly #problems: Problem[] = [];
  readonly #planned = new Map<StageNode, PlannedRoot & { base: Root; scope: StageScope; planner: StagePlanner }>();
  readonly #triggered = new Set<StageNode>();

  constructor(file: Dockerfile, options: ResolvedPlanOptions, resolveImage: ImageResolver) {
    this.#file = file;
    this.#options = options;
    this.#images = new BaseImages({ options, resolveImage, steps: this.#steps });
  }

  async plan(signal: AbortSignal | undefined): Promise<Plan> {
    this.#problems.push(...this.#file.problems);
    this.#throwProblems();
    const global = this.#global();
    const onProblem = (error: unknown): void => this.#report(error);
    const graph = new StageGraph({ file: this.#file, global, contexts: this.#options.contexts, onProblem });
    this.#throwProblems();
    const target = this.#target(graph);
    await this.#resolve(graph, target, signal);
    const reachable = reachableFrom(target);
    const nodes = graph.nodes.filter((node) => reachable.has(node));
    for (const node of nodes) if (node.context === undefined) this.#planStage(node, global, graph);
    this.#throwProblems();
    return this.#result(target, nodes, global);
  }

  #global(): GlobalScope {
    const { platform: target, buildPlatform: build, buildArgs } = this.#options;
    const { directives, stages, globalArgs } = this.#file;
    const stage = this.#options.target ?? stages.at(-1)?.name;
    const platform = platformVariables({ target, build, stage, buildArgs });
    return this.#must(() => globalScope(globalArgs, { platform, buildArgs, escape: directives.escape }));
  }

  #target({ nodes }: StageGraph): StageNode {
    const { target } = this.#options;
    if (target === undefined) return nodes.at(-1)!;
    const found = nodes.findLast(({ stage }) => stage?.name === target.toLowerCase());
    if (found !== undefined) return found;
    const hint = didYouMean(
      target,
      nodes.map(({ label }) => label),
    );
    return this.#must(() => {
      throw new SyntaxProblem('no-target', `target stage ${JSON.stringify(target)} could not be found${hint}`);
    });
  }

  /** Base images side by side, again as long as their ONBUILD brings in new ones. */
  async #resolve(graph: StageGraph, target: StageNode, signal: AbortSignal | undefined): Promise<void> {
    for (;;) {
      this.#must(() => refuseCycles(graph.nodes));
      const reachable = [...reachableFrom(target)];
      const open = reachable.filter((node) => !this.#images.isResolved(node));
      const tasks = open.map((node) => async (signal: AbortSignal): Promise<void> => {
        try {
          await this.#images.resolve(node, graph.nodes, signal);
        } catch (error) {
          this.#report(error);
        }
      });
      await gather(tasks, { limit: 8, ...(signal === undefined ? {} : { signal }) });
      this.#throwProblems();
      const isNew = reachable.map((node) => this.#addTriggers(graph, node)).includes(true);
      if (!isNew) return;
    }
  }

  /** @returns whether any was added */
  #addTriggers(graph: StageGraph, node: StageNode): boolean {
    if (node.stage === undefined || node.context !== undefined || this.#triggered.has(node)) return false;
    this.#triggered.add(node);
    const { from } = node.stage;
    const kept = node.base === undefined ? this.#images.triggersOf(node) : ownTriggers(node.base);
    return this.#must(() => {
      graph.addTriggers(
        node,
        kept.map((expression) => parseTrigger(expression, from)),
      );
      return kept.length > 0;
    });
  }

  #planStage(node: StageNode, global: GlobalScope, graph: StageGraph): void {
    const stage = node.stage!;
    const { escape } = this.#file.directives;
    const { buildArgs, noCache } = this.#options;
    const label = graph.count === 1 ? '' : node.label;
    const names = new StepNames(label, countSteps(node));
    const before = node.base === undefined ? undefined : this.#begin(node.base);
    const begin = before ?? this.#images.begin(node, names);
    const known = this.#planned.get(node.base!);
    const scope = known?.scope.inherit() ?? new StageScope({ global, buildArgs, escape }, new Map());
    // What the image says wins again over an ARG of the stage before.
    for (const [key, value] of environmentOf(begin.image)) scope.setEnv(key, value);
    const planner = new StagePlanner(
      {
        node,
        prefix: `${stage.index}.`,
        steps: this.#steps,
        names,
        scope,
        escape,
        options: this.#options,
        ignoreCache: noCache === 'all' || (stage.name !== undefined && noCache.has(stage.name)),
        rootOf: (source, instruction) => this.#rootOf(source, node, instruction),
        onProblem: (error) => this.#report(error),
      },
      begin,
    );
    planner.run();
    const { root } = planner;
    this.#planned.set(node, { base: begin.root, root, image: planner.image.image(), scope, planner });
  }

  /** What a stage built on this one begins with. */
  #begin(base: StageNode): PlannedRoot | undefined {
    return base.context === undefined ? this.#planned.get(base) : this.#images.begin(base, undefined);
  }

  #rootOf(source: StageNode, reader: StageNode, { instruction }: NodeInstruction): Root {
    if (source.stage === undefined || source.context !== undefined) return this.#images.begin(source, undefined).root;
    const planned = this.#planned.get(source);
    if (planned !== undefined) return planned.root;
    const from = instruction.kind === 'COPY' ? instruction.from!.text : source.label;
    const message = `cannot copy from stage ${JSON.stringify(from)}, it needs to be defined before current stage ${JSON.stringify(reader.label)}`;
    throw new SyntaxProblem('stage-order', message, instruction.range);
  }

  #result(target: StageNode, nodes: readonly StageNode[], global: GlobalScope): Plan {
    const end = this.#begin(target)!;
    const image = withLabels(end.image, this.#options.labels);
    const stages = nodes.flatMap((node) => {
      const planned = this.#planned.get(node);
      if (planned === undefined) return [];
      const { label, stage, image: from } = node;
      const { base, root, planner } = planned;
      return [
        {
          label,
          index: stage!.index,
          isTarget: node === target,
          text: stage!.from.original,
          from,
          base,
          root,
          instructions: planner.instructions,
        },
      ];
    });
    const { buildArgs } = this.#options;
    const sourceDateEpoch = buildArgs.get('SOURCE_DATE_EPOCH') ?? global.variables.get('SOURCE_DATE_EPOCH');
    const scopes = [...this.#planned.values()].map(({ scope }) => scope);
    const isUsed = (name: string): boolean =>
      global.declared.has(name) || scopes.some((scope) => scope.isDeclared(name));
    const unusedBuildArgs = [...buildArgs.keys()].filter((name) => !isBuiltIn(name) && !isUsed(name)).sort();
    return { steps: this.#steps.all(), stages, sourceDateEpoch, unusedBuildArgs, root: end.root, image };
  }

  #must<Result>(work: () => Result): Result {
    try {
      return work();
    } catch (error) {
      this.#report(error);
      this.#throwProblems();
      throw error;
    }
  }

  #report(error: unknown): void {
    if (!(error instanceof SyntaxProblem)) throw error;
    const { code, message, range } = error;
    this.#problems.push({ code, message, range });
  }

  #throwProblems(): void {
    const [first, ...more] = this.#problems;
    if (first !== undefined) throw new DockerfileFault(this.#file.source, [first, ...more]);
  }
}

/** Build arguments that need no ARG to have their effect. */
function isBuiltIn(name: string): boolean {
  const isPlatform = /^(?:TARGET|BUILD)(?:PLATFORM|OS|OSVERSION|ARCH|VARIANT)$/.test(name) || name === 'TARGETSTAGE';
  return isPlatform || isProxyVariable(name) || name.startsWith('BUILDKIT_') || name === 'SOURCE_DATE_EPOCH';
}

/** BuildKit's count: what has a step, and WORKDIR even where it has none, and all that ONBUILD brought. */
function countSteps({ image, base, instructions }: StageNode): number {
  const counted = instructions.filter(
    ({ instruction, isTrigger }) => isTrigger || ['ADD', 'COPY', 'RUN', 'WORKDIR'].includes(instruction.kind),
  );
  return counted.length + (image !== 'scratch' && base === undefined ? 1 : 0);
}

function ownTriggers({ stage }: StageNode): string[] {
  return (stage?.instructions ?? []).flatMap((one) => (one.kind === 'ONBUILD' ? [one.expression] : []));
}

function withLabels(image: PlannedImage, labels: ReadonlyMap<string, string>): PlannedImage {
  const config = { ...image.config, Labels: { ...image.config.Labels, ...Object.fromEntries(labels) } };
  return { ...image, config: settledConfig(config) };
}
