/**
 * Shapes of JSON bodies: each reads a value of one type and names the path of what does not fit. Rules are Go's decoder's:
 * null is absence, unknown keys are ignored, keys match in any letter case.
 */
import { Fault } from '../../std/index.ts';

export type Shape<T> = (value: unknown, path: string) => T;
/** The shape of every field of T; a field whose shape is missing does not compile. */
export type Fields<T> = { readonly [K in keyof Required<T>]: Shape<NonNullable<T[K]>> };

/** Without NUL: below us texts end there, and what was checked would not be what is done. */
export const text: Shape<string> = (value, path) => {
  if (typeof value !== 'string') throw unfit(path, 'a string', value);
  if (value.includes('\0')) throw unfit(path, 'a string without NUL bytes', value);
  return value;
};

export const boolean: Shape<boolean> = (value, path) => {
  if (typeof value !== 'boolean') throw unfit(path, 'true or false', value);
  return value;
};

/** Of 64 bits, as Go's: the runtimes read no larger one. */
export const integer: Shape<number> = (value, path) => {
  if (typeof value !== 'number' || !Number.isInteger(value)) throw unfit(path, 'an integer', value);
  if (Math.abs(value) > 2 ** 63) throw unfit(path, 'an integer of 64 bits', value);
  // The ends of their range are printed as numbers beyond it; these are the ones before.
  return Math.abs(value) === 2 ** 63 ? Math.sign(value) * (2 ** 63 - 1024) : value;
};

export function list<T>(item: Shape<T>): Shape<T[]> {
  return (value, path) => {
    if (!Array.isArray(value)) throw unfit(path, 'an array', value);
    return value.map((each: unknown, index) => item(each, `${path}[${index}]`));
  };
}

export const texts: Shape<string[]> = list((value, path) => (value === null ? '' : text(value, path)));

/** A string stands for an array of one (`Cmd`, `Entrypoint`). */
export const command: Shape<string[]> = (value, path) => {
  if (typeof value === 'string') return [value];
  if (!Array.isArray(value)) throw unfit(path, 'a string or an array of strings', value);
  return texts(value, path);
};

export function map<T>(item: Shape<T>): Shape<Record<string, T>> {
  return (value, path) => {
    const result: Record<string, T> = {};
    for (const [key, each] of Object.entries(record(value, path))) {
      if (key.includes('\0')) throw unfit(path, 'keys without NUL bytes', key);
      define(result, key, item(each, `${path}[${JSON.stringify(key)}]`));
    }
    return result;
  };
}

export const textMap: Shape<Record<string, string>> = map((value, path) => (value === null ? '' : text(value, path)));

/** A set written as an object: `{"80/tcp": {}}`; the values say nothing. */
export const keySet: Shape<Record<string, object>> = map((value, path) => (value === null ? {} : record(value, path)));

export function nullable<T>(shape: Shape<T>): Shape<T | null> {
  return (value, path) => (value === null ? null : shape(value, path));
}

/** `[height, width]`, as ConsoleSize is. */
export const pair: Shape<[number, number]> = (value, path) => {
  const numbers = list(integer)(value, path);
  return [numbers[0] ?? 0, numbers[1] ?? 0];
};

/** An object with known fields: null ones are left out, except those whose absence Docker shows as null (`nulls`). */
export function object<T extends object>(fields: Fields<T>): Shape<T> {
  const shapes = new Map(Object.entries<Shape<unknown>>(fields as Record<string, Shape<unknown>>));
  const names = new Map([...shapes.keys()].map((name) => [name.toLowerCase(), name]));
  return (value, path) => {
    const result: Record<string, unknown> = {};
    for (const [key, each] of Object.entries(record(value, path))) {
      if (each === null) continue;
      const name = shapes.has(key) ? key : names.get(key.toLowerCase());
      if (name !== undefined) result[name] = shapes.get(name)!(each, path === '' ? name : `${path}.${name}`);
    }
    return result as T;
  };
}

/** @throws Fault invalid unless the value is a plain object. */
export function record(value: unknown, path: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw unfit(path, 'an object', value);
  return value as Record<string, unknown>;
}

/** Sets a key that came from outside, "__proto__" included, without touching prototypes. */
function define(target: object, key: string, value: unknown): void {
  Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true });
}

function unfit(path: string, wanted: string, value: unknown): Fault {
  const got = describe(value);
  const shown = got.length > 60 ? `${got.slice(0, 60)}…` : got;
  return new Fault('invalid', `invalid JSON: ${path === '' ? 'the body' : path}: want ${wanted}, got ${shown}`);
}

/** The beginning of its JSON. Nothing that came from outside is printed whole: it can be deeper than the stack and longer than the memory. */
function describe(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 60));
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'nothing';
  const isSmall = Object.values(value).every((each) => typeof each !== 'object' || each === null);
  if (isSmall && Object.keys(value).length <= 8) return JSON.stringify(value);
  return Array.isArray(value) ? `an array of ${value.length}` : 'an object';
}
