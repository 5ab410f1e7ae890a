/** What YAML says, before it is known to be a project, and tables of rules by path. */

export type Tree = null | boolean | number | bigint | string | Tree[] | TreeMap;

export interface TreeMap {
  [key: string]: Tree;
}

export type Path = readonly (string | number)[];

export function isMap(value: Tree | undefined): value is TreeMap {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A key such as `__proto__` is one like any other. */
export function emptyMap(): TreeMap {
  return Object.create(null) as TreeMap;
}

export function mapOf(entries: Iterable<readonly [string, Tree]>): TreeMap {
  const map = emptyMap();
  for (const [key, value] of entries) map[key] = value;
  return map;
}

export function cloneTree(value: Tree): Tree {
  if (Array.isArray(value)) return value.map(cloneTree);
  if (isMap(value)) return mapOf(Object.entries(value).map(([key, each]) => [key, cloneTree(each)]));
  return value;
}

/** Keys by name, all the way down. */
export function sortedTree<T extends Tree>(value: T): T {
  if (Array.isArray(value)) return value.map(sortedTree) as T;
  if (!isMap(value)) return value;
  const entries = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return mapOf(entries.map(([key, each]) => [key, sortedTree(each)])) as T;
}

/** `services.web.ports[0]`. */
export function pathText(path: Path): string {
  return path.map((part, index) => (typeof part === 'number' ? `[${part}]` : index === 0 ? part : `.${part}`)).join('');
}

/** The rules at a place of the tree, and below it: a step down costs one look-up, however many rules there are. */
export class Rules<Rule> {
  readonly rule: Rule | undefined;
  readonly #children: Map<string, Rules<Rule>>;

  private constructor(rule: Rule | undefined, children: Map<string, Rules<Rule>>) {
    this.rule = rule;
    this.#children = children;
  }

  /** @param table by path, `services.*.ports`; `*` is any key or index. */
  static of<Rule>(table: Readonly<Record<string, Rule>>): Rules<Rule> {
    return Rules.#node(Object.entries(table).map(([path, rule]) => ({ parts: path.split('.'), rule })));
  }

  static #node<Rule>(entries: readonly { parts: string[]; rule: Rule }[]): Rules<Rule> {
    const children = new Map<string, Rules<Rule>>();
    const here = entries.find(({ parts }) => parts.length === 0)?.rule;
    const heads = new Set(entries.flatMap(({ parts }) => parts.slice(0, 1)));
    for (const head of heads) {
      // What is said of any key is said of each that is named, too.
      const below = entries.filter(({ parts }) => parts[0] === head || (parts[0] === '*' && head !== '*'));
      const nearest = below.toSorted((a, b) => Number(a.parts[0] === '*') - Number(b.parts[0] === '*'));
      children.set(head, Rules.#node(nearest.map(({ parts, rule }) => ({ parts: parts.slice(1), rule }))));
    }
    return new Rules(here, children);
  }

  /** Undefined where no rule is below. */
  below(part: string | number): Rules<Rule> | undefined {
    return (typeof part === 'string' ? this.#children.get(part) : undefined) ?? this.#children.get('*');
  }
}

/** Each value that a rule is for is replaced by what `change` makes of it; what a rule was for is not looked into. */
export function rewrite<Rule>(
  value: Tree,
  rules: Rules<Rule> | undefined,
  change: (value: Tree, rule: Rule, path: Path) => Tree,
  path: Path = [],
): Tree {
  if (rules === undefined) return value;
  if (rules.rule !== undefined && path.length > 0) return change(value, rules.rule, path);
  return rewriteBelow(value, rules, change, path);
}

export function rewriteBelow<Rule>(
  value: Tree,
  rules: Rules<Rule>,
  change: (value: Tree, rule: Rule, path: Path) => Tree,
  path: Path,
): Tree {
  if (Array.isArray(value)) {
    for (const [index, each] of value.entries())
      value[index] = rewrite(each, rules.below(index), change, [...path, index]);
  } else if (isMap(value)) {
    for (const [key, each] of Object.entries(value))
      value[key] = rewrite(each, rules.below(key), change, [...path, key]);
  }
  return value;
}

/** A scalar as Go's `%v` has it: how Compose makes strings of numbers. */
export function scalarText(value: Tree): string {
  if (value === null) return '<nil>';
  if (typeof value === 'number') return numberText(value);
  if (Array.isArray(value)) return `[${value.map(scalarText).join(' ')}]`;
  if (isMap(value)) {
    const entries = Object.keys(value).toSorted();
    return `map[${entries.map((key) => `${key}:${scalarText(value[key]!)}`).join(' ')}]`;
  }
  return String(value);
}

/** Whole numbers are taken for integers, whichever way they were written. */
function numberText(value: number): string {
  if (Number.isInteger(value)) return BigInt(value).toString();
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  const [mantissa, power] = value.toExponential().split('e') as [string, string];
  const exponent = Number(power);
  if (exponent >= -4 && exponent < 6) return String(value);
  return `${mantissa}e${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`;
}
