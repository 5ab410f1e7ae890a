/** The functions of a template: Go's own, and Docker's. */
import { Fault } from '../../std/index.ts';
import { sprintf } from './printf.ts';
import { formatJson, formatValue, isTrue, Nil } from './value.ts';

export type TemplateFunction = (...args: unknown[]) => unknown;

const fail = (message: string): never => {
  throw new Fault('invalid', message);
};

function basicEquals(a: unknown, b: unknown): boolean {
  if ((typeof a === 'object' && a !== null) || (typeof b === 'object' && b !== null)) {
    if (a instanceof Nil || b instanceof Nil)
      return (a instanceof Nil || a === null) && (b instanceof Nil || b === null);
    return fail('non-comparable type');
  }
  if (typeof a !== typeof b && a !== null && b !== null) return fail('incompatible types for comparison');
  return a === b;
}

function less(a: unknown, b: unknown): boolean {
  if (typeof a !== typeof b) return fail('incompatible types for comparison');
  if (typeof a === 'number' || typeof a === 'string') return a < (b as typeof a);
  return fail('invalid type for comparison');
}

function lengthOf(value: unknown): number {
  if (typeof value === 'string') return Buffer.byteLength(value);
  if (Array.isArray(value)) return value.length;
  if (value instanceof Map) return value.size;
  if (value instanceof Nil && value.of !== 'pointer') return 0;
  if (typeof value === 'object' && value !== null) return Object.keys(value).length;
  return fail(`len of type ${value === null ? 'nil' : typeof value === 'number' ? 'int' : typeof value}`);
}

function indexOnce(container: unknown, key: unknown): unknown {
  if (container instanceof Nil) return container.of === 'slice' ? fail(`index out of range: ${formatValue(key)}`) : '';
  if (Array.isArray(container) || typeof container === 'string') {
    if (typeof key !== 'number') return fail(`cannot index slice/array with type ${typeof key}`);
    if (key < 0 || key >= container.length) return fail(`index out of range: ${key}`);
    return typeof container === 'string' ? container.charCodeAt(key) : (container[key] as unknown);
  }
  if (container instanceof Map) return container.has(key) ? (container.get(key) as unknown) : zeroLike(container);
  if (typeof container === 'object' && container !== null) {
    const name = formatValue(key);
    return Object.hasOwn(container, name) ? (container as Record<string, unknown>)[name] : null;
  }
  return fail("can't index item of this type");
}

/** What Go's map would give for a missing key: nothing, of the kind of its values. */
function zeroLike(map: ReadonlyMap<unknown, unknown>): unknown {
  const [first] = map.values();
  if (Array.isArray(first)) return new Nil('slice');
  return typeof first === 'number' ? 0 : typeof first === 'object' ? new Nil('pointer') : '';
}

function joined(args: unknown[]): string {
  return args
    .map(
      (each, index) =>
        (index > 0 && typeof each !== 'string' && typeof args[index - 1] !== 'string' ? ' ' : '') + formatValue(each),
    )
    .join('');
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&#34;',
  "'": '&#39;',
};

export const templateFunctions: Readonly<Record<string, TemplateFunction>> = {
  // `and` and `or` are evaluated lazily; these serve them at the end of a pipe.
  and: (...args) => args.find((each) => !isTrue(each)) ?? args.at(-1),
  or: (...args) => args.find((each) => isTrue(each)) ?? args.at(-1),
  not: (value) => !isTrue(value),
  len: lengthOf,
  index: (container, ...keys) => keys.reduce(indexOnce, container),
  slice: (value, from = 0, to) =>
    typeof value === 'string' || Array.isArray(value)
      ? value.slice(from as number, to as number | undefined)
      : fail("can't slice item of this type"),
  print: (...args) => joined(args),
  println: (...args) => `${args.map(formatValue).join(' ')}\n`,
  printf: (format, ...args) => sprintf(formatValue(format), args),
  html: (...args) => joined(args).replace(/[&<>"']/g, (each) => entities[each]!),
  js: (...args) => JSON.stringify(joined(args)).slice(1, -1),
  urlquery: (...args) => encodeURIComponent(joined(args)).replaceAll('%20', '+'),
  eq: (first, ...others) =>
    others.length === 0 ? fail('missing argument for comparison') : others.some((each) => basicEquals(first, each)),
  ne: (a, b) => !basicEquals(a, b),
  lt: less,
  le: (a, b) => less(a, b) || basicEquals(a, b),
  gt: (a, b) => less(b, a),
  ge: (a, b) => less(b, a) || basicEquals(a, b),

  json: formatJson,
  split: (text, separator) => formatValue(text).split(formatValue(separator)),
  join: (list, separator) =>
    Array.isArray(list)
      ? list.map(formatValue).join(formatValue(separator))
      : list instanceof Nil
        ? ''
        : fail('join: not a list'),
  title: (text) => formatValue(text).replace(/(^|[^\p{L}\p{N}_'])(\p{L})/gu, (whole) => whole.toUpperCase()),
  lower: (text) => formatValue(text).toLowerCase(),
  upper: (text) => formatValue(text).toUpperCase(),
  pad: (text, before, after) =>
    formatValue(text) === '' ? '' : ' '.repeat(before as number) + formatValue(text) + ' '.repeat(after as number),
  truncate: (text, length) => formatValue(text).slice(0, length as number),
};
