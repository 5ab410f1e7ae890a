/** `docker build --check`: every rule over a file. What makes a build fail is reported beside the findings, not instead of them. */
import type { Instruction } from '../instruction/types.ts';
import { parseTrigger } from '../onbuild.ts';
import type { Dockerfile, Stage } from '../parse.ts';
import { settledFrom } from '../scope/from-line.ts';
import { type GlobalScope, globalScope } from '../scope/global-scope.ts';
import { baseStages } from '../scope/stage-links.ts';
import { StageScope } from '../scope/stage-scope.ts';
import { type Problem, SyntaxProblem } from '../source/problem.ts';
import { at, checkFile } from './file-checks.ts';
import { type Finding, Findings } from './finding.ts';
import { checkDefaultImages, checkFrom, type FromChecks } from './from-checks.ts';
import { type CheckOptions, noCheckOptions, parseCheckOptions } from './options.ts';
import { checkStage, type StageState } from './stage-checks.ts';

/** What the checks ask of a base image. */
export interface CheckedImage {
  readonly env: ReadonlyMap<string, string>;
  readonly onbuild: readonly string[];
  readonly hasShell: boolean;
  /** Where it is for another platform than the stage's: both, as `linux/amd64`. */
  readonly mismatch?: { readonly expected: string; readonly actual: string };
}

export interface CheckContext extends Pick<FromChecks, 'isReference' | 'parsePlatform'> {
  /** `platformVariables` of the build. */
  readonly platform: ReadonlyMap<string, string>;
  readonly buildArgs: ReadonlyMap<string, string>;
  /** `undefined` where the image's configuration is not known: then no variable is called undefined in that stage. */
  readonly baseImage: (reference: string, platform: string | undefined) => CheckedImage | undefined;
  /** Whether a source of the build context is left out; always false where patterns that include again make it hard to say. */
  readonly isIgnored: (path: string) => boolean;
  /** Only these stages; all of them where not said. */
  readonly stages?: ReadonlySet<number>;
  /** In place of the file's own `check` directive. */
  readonly options?: CheckOptions;
}

export interface CheckReport {
  readonly findings: readonly Finding[];
  readonly problems: readonly Problem[];
  /** `lint violation found for rules: …`, where the file wants findings to be errors and there are some. */
  readonly violation: string | undefined;
}

const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export function check(file: Dockerfile, context: CheckContext): CheckReport {
  const problems: Problem[] = [...file.problems];
  const onProblem = (error: unknown): void => {
    if (!(error instanceof SyntaxProblem)) throw error;
    problems.push({ code: error.code, message: error.message, range: error.range });
  };
  const attempt = <Result>(work: () => Result): Result | undefined => {
    try {
      return work();
    } catch (error) {
      onProblem(error);
      return undefined;
    }
  };
  const options = context.options ?? attempt(() => fileOptions(file)) ?? noCheckOptions;
  const findings = new Findings(options);
  checkFile(file, findings);
  const global = attempt(() => scopeOf(file, context, context.buildArgs));
  if (global !== undefined) new StageWalk(file, context, global, { findings, onProblem, attempt }).run();
  const names = [...new Set(findings.all.map(({ rule }) => rule))].sort();
  const violation = `lint violation found for rules: ${names.join(', ')}`;
  return { findings: findings.all, problems, violation: options.isError && names.length > 0 ? violation : undefined };
}

interface Reporting {
  readonly findings: Findings;
  readonly onProblem: (error: unknown) => void;
  readonly attempt: <Result>(work: () => Result) => Result | undefined;
}

class StageWalk {
  readonly #file: Dockerfile;
  readonly #context: CheckContext;
  readonly #global: GlobalScope;
  readonly #reporting: Reporting;
  readonly #bases: ReadonlyMap<Stage, Stage>;
  readonly #ended = new Map<Stage, StageState & { isKnown: boolean }>();

  constructor(file: Dockerfile, context: CheckContext, global: GlobalScope, reporting: Reporting) {
    this.#file = file;
    this.#context = context;
    this.#global = global;
    this.#reporting = reporting;
    this.#bases = baseStages(file.stages, (stage) => silently(() => this.#from(stage).image));
  }

  run(): void {
    const { findings, attempt } = this.#reporting;
    const checks: FromChecks = {
      ...this.#context,
      global: this.#global,
      defaults: silently(() => scopeOf(this.#file, this.#context, new Map())),
      escape: this.#file.directives.escape,
    };
    silently(() => checkDefaultImages(this.#file.stages, checks, findings));
    for (const stage of this.#file.stages) attempt(() => checkFrom(stage, checks, findings));
    for (const stage of this.#file.stages) {
      if (this.#context.stages?.has(stage.index) === false) continue;
      attempt(() => this.#checkStage(stage));
    }
  }

  #checkStage(stage: Stage): void {
    const { image, platform } = this.#from(stage);
    const base = this.#bases.get(stage);
    const found = base === undefined ? this.#image(stage, image, platform) : undefined;
    const begin = this.#begin(base, found);
    const { isKnown, state, triggers } = begin;
    const kept = triggers.map((expression) => parseTrigger(expression, stage.from));
    checkStage([...kept, ...stage.instructions], {
      state,
      findings: this.#reporting.findings,
      isEnvironmentKnown: isKnown,
      isIgnored: this.#context.isIgnored,
      onProblem: this.#reporting.onProblem,
    });
    this.#ended.set(stage, { ...state, isKnown });
  }

  #from(stage: Stage): { image: string; platform: string | undefined } {
    return settledFrom(stage.from, { variables: this.#global.variables, escape: this.#file.directives.escape });
  }

  #image({ from }: Stage, image: string, platform: string | undefined): CheckedImage | undefined {
    if (image === 'scratch') return emptyImage;
    const found = this.#context.baseImage(image, platform);
    if (found?.mismatch !== undefined) {
      const { expected, actual } = found.mismatch;
      this.#reporting.findings.report('InvalidBaseImagePlatform', at(from, from.image), image, expected, actual);
    }
    return found;
  }

  #begin(
    base: Stage | undefined,
    found: CheckedImage | undefined,
  ): { state: StageState; isKnown: boolean; triggers: readonly string[] } {
    const before = base === undefined ? undefined : this.#ended.get(base);
    if (base !== undefined && before !== undefined) {
      const { scope, hasShell, hasWorkdir, isKnown } = before;
      const state = { scope: scope.inherit(), hasShell, hasWorkdir };
      return { state, isKnown, triggers: triggersOf(base.instructions) };
    }
    const path = found?.env.has('PATH') === true ? [] : [['PATH', defaultPath] as const];
    const scope = new StageScope(
      { global: this.#global, buildArgs: this.#context.buildArgs, escape: this.#file.directives.escape },
      new Map([...(found?.env ?? []), ...path]),
    );
    const state = { scope, hasShell: found?.hasShell ?? false, hasWorkdir: false };
    return { state, isKnown: found !== undefined, triggers: found?.onbuild ?? [] };
  }
}

const emptyImage: CheckedImage = { env: new Map(), onbuild: [], hasShell: false };

function triggersOf(instructions: readonly Instruction[]): string[] {
  return instructions.flatMap((instruction) => (instruction.kind === 'ONBUILD' ? [instruction.expression] : []));
}

function fileOptions({ directives }: Dockerfile): CheckOptions {
  return parseCheckOptions(directives.check?.value ?? '', directives.check?.valueRange);
}

function scopeOf(file: Dockerfile, { platform }: CheckContext, buildArgs: ReadonlyMap<string, string>): GlobalScope {
  return globalScope(file.globalArgs, { platform, buildArgs, escape: file.directives.escape });
}

/** For what fails again, and is reported, where it matters. */
function silently<Result>(work: () => Result): Result | undefined {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof SyntaxProblem)) throw error;
    return undefined;
  }
}
