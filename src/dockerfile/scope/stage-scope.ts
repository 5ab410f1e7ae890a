/**
 * What names mean inside a stage. ENV and ARG share one namespace and the later wins, as in BuildKit; but only ENV reaches the image.
 * A stage built on a stage goes on from where that one ended.
 */
import { Expander } from '../expand/expand-instruction.ts';
import type { ArgInstruction } from '../instruction/types.ts';
import { SyntaxProblem } from '../source/problem.ts';
import type { EscapeToken } from '../text/read-lines.ts';
import { Environment } from './environment.ts';
import type { GlobalScope } from './global-scope.ts';

export interface StageScopeOptions {
  readonly global: GlobalScope;
  readonly buildArgs: ReadonlyMap<string, string>;
  readonly escape: EscapeToken;
}

export interface StageArg {
  readonly name: string;
  /** `undefined`: declared, and nobody gave a value. */
  readonly value: string | undefined;
}

/** Read by SBOM scanners only; never in the environment. */
const notInEnvironment = new Set(['BUILDKIT_SBOM_SCAN_CONTEXT', 'BUILDKIT_SBOM_SCAN_STAGE']);

/** Characters. Doubling a value thirty times is a line of text, and must not be a gigabyte. */
const largest = 8 * 1024 * 1024;

export class StageScope {
  readonly #options: StageScopeOptions;
  readonly #values: Map<string, string>;
  readonly #args: StageArg[];
  #size = 0;
  #environment = Environment.empty;

  constructor(options: StageScopeOptions, values: ReadonlyMap<string, string>, args: readonly StageArg[] = []) {
    this.#options = options;
    this.#values = new Map(values);
    this.#args = [...args];
    for (const [name, value] of values) {
      this.#size += value.length;
      this.#environment = this.#environment.with(name, value);
    }
  }

  /** The scope a stage built on this one begins with. */
  inherit(): StageScope {
    return new StageScope(this.#options, this.#values, this.#args);
  }

  /** All that RUN has in its environment, and expansion sees. */
  get values(): ReadonlyMap<string, string> {
    return this.#values;
  }

  /** The same as of now, to be kept. */
  get environment(): Environment {
    return this.#environment;
  }

  /** Every ARG so far, in order, a repeated one as often as it is declared. */
  get args(): readonly StageArg[] {
    return this.#args;
  }

  expander(): Expander {
    return new Expander(this.#values, this.#options.escape, this.#options.global.budget);
  }

  /** @throws SyntaxProblem where all values together are more than any system would pass on */
  setEnv(name: string, value: string): void {
    this.#size += value.length - (this.#values.get(name)?.length ?? 0);
    if (this.#size > largest) throw new SyntaxProblem('environment-too-large', 'the environment is larger than 8 MiB');
    this.#values.set(name, value);
    this.#environment = this.#environment.with(name, value);
  }

  /** One ARG instruction; its later names see its earlier ones. @throws SyntaxProblem where a default cannot be expanded */
  declare(instruction: ArgInstruction, expander: Expander): StageArg[] {
    return instruction.args.map(({ name, value }) => {
      const { buildArgs, global } = this.#options;
      const given = buildArgs.get(name.text);
      const fallback = value === undefined ? global.variables.get(name.text) : undefined;
      // A default that a build argument replaces is not even looked at.
      const settled = given ?? fallback ?? (value === undefined ? undefined : expander.word(value).text);
      if (settled !== undefined && !notInEnvironment.has(name.text)) this.setEnv(name.text, settled);
      const arg = { name: name.text, value: settled };
      this.#args.push(arg);
      return arg;
    });
  }

  isDeclared(name: string): boolean {
    return this.#args.some((arg) => arg.name === name);
  }
}
