/** The `filters` query parameter (API §1.1): JSON in two encodings, unknown keys refused, values of a key ORed. */
import { Fault } from '../std/index.ts';
import { PatternBudget } from './pattern-budget.ts';
import type { Filters } from './types.ts';

export const noFilters: Filters = new Map();

/** Parses `{"label":["a=b"]}` and `{"label":{"a=b":true}}`. @throws Fault invalid for bad JSON. */
export function parseFilters(text: string | undefined): Filters {
  if (text === undefined || text === '') return noFilters;
  const bad = (): Fault => new Fault('invalid', 'invalid filter');
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw bad();
  }
  if (parsed === null) return noFilters;
  if (typeof parsed !== 'object' || Array.isArray(parsed)) throw bad();
  const filters = new Map<string, ReadonlySet<string>>();
  for (const [key, value] of Object.entries(parsed as Record<string, unknown>)) {
    if (Array.isArray(value)) filters.set(key, new Set(value.map((each) => textOf(each, bad))));
    else if (typeof value === 'object' && value !== null) {
      filters.set(
        key,
        new Set(
          Object.entries(value)
            .filter(([, on]) => on === true)
            .map(([name]) => name),
        ),
      );
    } else throw bad();
  }
  return filters;
}

/** Numbers and the like as they are printed; what has parts is no value. */
function textOf(value: unknown, bad: () => Fault): string {
  if (typeof value === 'object' && value !== null) throw bad();
  return String(value);
}

/** @throws Fault invalid naming the first key that is not in `accepted`. */
export function acceptFilters(filters: Filters, accepted: readonly string[]): void {
  for (const key of filters.keys()) {
    if (!accepted.includes(key)) throw new Fault('invalid', `invalid filter '${key}'`);
  }
}

/** No filter of that key, or one of its values equals `value`. */
export function matchesExact(filters: Filters, key: string, value: string): boolean {
  const wanted = filters.get(key);
  return wanted === undefined || wanted.size === 0 || wanted.has(value);
}

/**
 * No filter of that key, or one of its values is contained in, or as a regular expression matches, one of `candidates`.
 * @throws Fault invalid for an expression that takes too long
 */
export function matchesPattern(filters: Filters, key: string, candidates: readonly string[]): boolean {
  const wanted = filters.get(key);
  if (wanted === undefined || wanted.size === 0) return true;
  return [...wanted].some((pattern) => {
    if (candidates.some((candidate) => candidate.includes(pattern))) return true;
    return matchesInTime(filters, `${key}=${pattern}`, pattern, candidates);
  });
}

/** Time spent on the expressions of one request's filters. */
const budgets = new WeakMap<Filters, PatternBudget>();

function matchesInTime(filters: Filters, name: string, pattern: string, candidates: readonly string[]): boolean {
  const budget = budgets.get(filters) ?? new PatternBudget();
  budgets.set(filters, budget);
  const matches = budget.test(pattern, candidates);
  if (matches !== undefined) return matches;
  const shown = name.length > 100 ? `${name.slice(0, 100)}…` : name;
  throw new Fault('invalid', `invalid filter '${shown}': this expression takes too long`);
}

/** Every `label` filter ("k" or "k=v") must hold, and no `label!` filter may. */
export function matchesLabels(filters: Filters, labels: Readonly<Record<string, string>> | null | undefined): boolean {
  const holds = (wanted: string): boolean => {
    const equals = wanted.indexOf('=');
    const key = equals < 0 ? wanted : wanted.slice(0, equals);
    if (labels === null || labels === undefined || !Object.hasOwn(labels, key)) return false;
    return equals < 0 || labels[key] === wanted.slice(equals + 1);
  };
  for (const wanted of filters.get('label') ?? []) if (!holds(wanted)) return false;
  for (const unwanted of filters.get('label!') ?? []) if (holds(unwanted)) return false;
  return true;
}

/** A filter with one boolean value (`dangling`). @throws Fault invalid when it is neither true nor false. */
export function booleanFilter(filters: Filters, key: string): boolean | undefined {
  const wanted = filters.get(key);
  if (wanted === undefined || wanted.size === 0) return undefined;
  const [value] = wanted;
  if (wanted.size === 1 && (value === 'true' || value === '1')) return true;
  if (wanted.size === 1 && (value === 'false' || value === '0')) return false;
  throw new Fault('invalid', `invalid filter '${key}=[${[...wanted].join(' ')}]'`);
}
