/** The scope of what stands before the first FROM: platform variables and global ARGs. It is what FROM lines see. */
import { Expander } from '../expand/expand-instruction.ts';
import { TextBudget } from '../expand/text-budget.ts';
import type { ArgInstruction } from '../instruction/types.ts';
import type { EscapeToken } from '../text/read-lines.ts';

export interface GlobalScope {
  /** Every name that has a value. */
  readonly variables: ReadonlyMap<string, string>;
  /** Every name an ARG declares, with or without a value. */
  readonly declared: ReadonlySet<string>;
  /** Names consulted by defaults, for who reports unused build arguments. */
  readonly used: ReadonlySet<string>;
  /** For all of the file's stages. */
  readonly budget: TextBudget;
}

export interface GlobalScopeOptions {
  readonly platform: ReadonlyMap<string, string>;
  readonly buildArgs: ReadonlyMap<string, string>;
  readonly escape: EscapeToken;
}

/** @throws SyntaxProblem where a default cannot be expanded */
export function globalScope(args: readonly ArgInstruction[], options: GlobalScopeOptions): GlobalScope {
  const variables = new Map(options.platform);
  const declared = new Set<string>();
  const budget = new TextBudget();
  const expander = new Expander(variables, options.escape, budget);
  for (const { name, value } of args.flatMap((instruction) => instruction.args)) {
    declared.add(name.text);
    const given = options.buildArgs.get(name.text);
    const settled = given ?? (value === undefined ? undefined : expander.word(value).text);
    if (settled !== undefined) variables.set(name.text, settled);
  }
  return { variables, declared, used: expander.used, budget };
}
