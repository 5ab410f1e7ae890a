/**
 * Kinds of attributes: how a settled value is read from a tree, and how Compose prints it as JSON and as YAML. Keys are printed in
 * the order they are declared: the configuration hash of docker compose is over exactly that text.
 */
import { formatGoDuration, parseBytes, parseGoDuration } from '../../std/index.ts';
import { isMap, mapOf, type Path, pathText, scalarText, type Tree, type TreeMap } from '../tree.ts';

import { splitWords } from './words.ts';

/** What is printed: a tree whose numbers may have a text of their own. */
export type Printed = Tree | undefined;
export type PrintAs = 'json' | 'yaml';

export interface Kind<T> {
  readonly absent?: Printed;
  /** @throws Unfit */
  readonly read: (value: Tree, path: Path) => T | undefined;
  /** Undefined: left out. */
  readonly print: (value: T, as: PrintAs) => Printed;
}

/** A value of another type than the attribute's. */
export class Unfit extends Error {
  readonly path: Path;

  constructor(path: Path, message: string) {
    super(message);
    this.path = path;
  }
}

function unfit(path: Path, what: string): Unfit {
  return new Unfit(path, `${pathText(path)} must be ${what}`);
}

const text: Kind<string> = {
  read: (value, path) => {
    if (value === null) return undefined;
    if (typeof value === 'object') throw unfit(path, 'a string');
    return scalarText(value);
  },
  print: (value) => (value === '' ? undefined : value),
};

function toNumber(value: Tree, path: Path): number | undefined {
  if (value === null) return undefined;
  if (typeof value === 'number') return value;
  if (typeof value === 'bigint') return Number(value);
  if (typeof value !== 'string' || !/^[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?$/i.test(value))
    throw unfit(path, 'a number');
  return Number(value);
}

const number: Kind<number> = {
  read: (value, path) => toNumber(value, path) || undefined,
  print: (value) => (value === 0 ? undefined : value),
};

function toBoolean(value: Tree, path: Path): boolean | undefined {
  if (value === null || typeof value === 'boolean') return value ?? undefined;
  const word = typeof value === 'string' ? value.toLowerCase() : '';
  if (['true', 'y', 'yes', 'on'].includes(word)) return true;
  if (['false', 'n', 'no', 'off'].includes(word)) return false;
  throw unfit(path, 'a boolean');
}

const boolean: Kind<boolean> = {
  read: (value, path) => toBoolean(value, path) || undefined,
  print: (value) => value || undefined,
};

/** Where zero is another thing than nothing. */
const optional = <T>(
  kind: { read: (value: Tree, path: Path) => T | undefined },
  print: (value: T) => Printed,
): Kind<T> => ({
  read: kind.read,
  print,
});

const bytes: Kind<number> = {
  read: (value, path) => {
    if (typeof value === 'number' || typeof value === 'bigint') return Number(value) || undefined;
    if (value === null) return undefined;
    const size = typeof value === 'string' ? (value === '-1' ? -1 : parseBytes(value)) : undefined;
    if (size === undefined) throw unfit(path, `a size like 512m or 2gb, and not ${JSON.stringify(scalarText(value))}`);
    return size || undefined;
  },
  print: (value) => (value === 0 ? undefined : String(value)),
};

function toDuration(value: Tree, path: Path): number | undefined {
  if (value === null) return undefined;
  const nanoseconds = parseDuration(scalarText(value));
  if (nanoseconds === undefined)
    throw unfit(path, `a duration like 1m30s, and not ${JSON.stringify(scalarText(value))}`);
  return nanoseconds;
}

/** Go's durations, and days and weeks. */
function parseDuration(value: string): number | undefined {
  const days = /^(?:(\d+)w)?(?:(\d+)d)?(.*)$/.exec(value)!;
  const rest = days[3] === '' && (days[1] ?? days[2]) !== undefined ? 0 : parseGoDuration(days[3]!);
  if (rest === undefined) return undefined;
  return (Number(days[1] ?? 0) * 7 + Number(days[2] ?? 0)) * 86_400e9 + rest;
}

const strings: Kind<string[]> = {
  read: (value, path) => {
    if (value === null) return undefined;
    const list = Array.isArray(value) ? value : [value];
    const read = list.map((each, index) => {
      if (typeof each === 'object') throw unfit([...path, index], 'a string');
      return scalarText(each);
    });
    return read.length === 0 ? undefined : read;
  },
  print: (value) => (value.length === 0 ? undefined : value),
};

/** A command: null is none, which is printed; empty is another thing. */
const command: Kind<string[] | null> = {
  absent: null,
  read: (value, path) => {
    if (value === null) return null;
    if (typeof value === 'string') return splitWords(value);
    if (!Array.isArray(value)) throw unfit(path, 'a string or a list');
    return value.map(scalarText);
  },
  print: (value, as) => (value === null && as === 'yaml' ? undefined : value),
};

const test: Kind<string[]> = {
  read: (value, path) => (typeof value === 'string' ? ['CMD-SHELL', value] : strings.read(value, path)),
  print: strings.print,
};

/** `key=value` words, or a map. */
function entries(value: Tree, path: Path): [string, Tree][] {
  if (isMap(value)) return Object.entries(value);
  if (!Array.isArray(value)) throw unfit(path, 'a mapping or a list');
  return value.map((each) => {
    const word = scalarText(each);
    const equals = word.indexOf('=');
    return equals < 0 ? [word, null] : [word.slice(0, equals), word.slice(equals + 1)];
  });
}

function filled<T>(record: Record<string, T>): Record<string, T> | undefined {
  return Object.keys(record).length === 0 ? undefined : record;
}

function sorted(record: Readonly<Record<string, Tree>>): TreeMap | undefined {
  const keys = Object.keys(record).toSorted(byBytes);
  return keys.length === 0 ? undefined : mapOf(keys.map((key) => [key, record[key]!]));
}

/** Go sorts keys by their bytes. */
export function byBytes(a: string, b: string): number {
  return a === b ? 0 : Buffer.compare(Buffer.from(a), Buffer.from(b));
}

const mapping: Kind<Record<string, string>> = {
  read: (value, path) =>
    value === null
      ? undefined
      : filled(
          Object.fromEntries(entries(value, path).map(([key, each]) => [key, each === null ? '' : scalarText(each)])),
        ),
  print: sorted,
};

const environment: Kind<Record<string, string | null>> = {
  read: (value, path) => {
    if (value === null) return undefined;
    const read = entries(value, path).map(([key, each]): [string, string | null] => {
      if (/\s$/.test(key)) throw new Unfit(path, `environment variable ${key} is declared with a trailing space`);
      return [key, each === null ? null : scalarText(each)];
    });
    return filled(Object.fromEntries(read));
  },
  print: sorted,
};

/** Several values by key. */
const lists: Kind<Record<string, string[]>> = {
  read: (value, path) => {
    if (value === null) return undefined;
    if (!isMap(value)) throw unfit(path, 'a mapping');
    return filled(Object.fromEntries(Object.entries(value).map(([key, each]) => [key, [each].flat().map(scalarText)])));
  },
  print: sorted,
};

const hosts: Kind<Record<string, string[]>> = {
  read: (value, path) => {
    if (value === null) return undefined;
    const read: Record<string, string[]> = {};
    for (const [host, address] of hostEntries(value, path)) {
      if (host === '' || /[:=]/.test(host)) throw new Unfit(path, `bad host name '${host}'`);
      (read[host] ??= []).push(/^\[.+\]$/.test(address) ? address.slice(1, -1) : address);
    }
    return filled(read);
  },
  print: (value) => {
    const words = Object.entries(value).flatMap(([host, each]) => each.map((address) => `${host}=${address}`));
    return words.length === 0 ? undefined : words.toSorted(byBytes);
  },
};

function hostEntries(value: Tree, path: Path): [string, string][] {
  if (isMap(value))
    return Object.entries(value).flatMap(([host, each]) =>
      [each].flat().map((address): [string, string] => [host, address === null ? '' : scalarText(address)]),
    );
  if (!Array.isArray(value)) throw unfit(path, 'a mapping or a list');
  return value.flatMap((each) => {
    const word = scalarText(each);
    const at = word.includes('=') ? word.indexOf('=') : word.indexOf(':');
    if (at < 0) throw new Unfit(path, `invalid additional host, missing IP: ${word}`);
    return word
      .slice(at + 1)
      .split(',')
      .map((address): [string, string] => [word.slice(0, at), address]);
  });
}

const mode: Kind<number> = {
  read: (value, path) => {
    if (value === null || typeof value === 'number') return value ?? undefined;
    if (typeof value !== 'string' || !/^[0-7]+$/.test(value)) throw unfit(path, 'a file mode like 0440');
    return Number.parseInt(value, 8);
  },
  print: (value) => `0${value.toString(8)}`,
};

const count: Kind<number> = {
  read: (value, path) =>
    typeof value === 'string' && value.toLowerCase() === 'all' ? -1 : toNumber(value, path) || undefined,
  print: number.print,
};

const ssh: Kind<Record<string, string>> = {
  read: mapping.read,
  print: (value, as) => {
    const keys = Object.keys(value).toSorted(byBytes);
    if (keys.length === 0) return undefined;
    return keys.map((id): Tree => {
      if (value[id] === '') return id;
      return as === 'yaml' ? `${id}: ${value[id]!}` : mapOf([[id, value[id]!]]);
    });
  },
};

const ulimit: Kind<{ single?: number; soft?: number; hard?: number }> = {
  read: (value, path) => {
    if (!isMap(value)) return withoutZeros({ single: toNumber(value, path) });
    return withoutZeros({
      soft: toNumber(value['soft'] ?? null, [...path, 'soft']),
      hard: toNumber(value['hard'] ?? null, [...path, 'hard']),
    });
  },
  print: ({ single, soft, hard }, as) => {
    if (single !== undefined) return single;
    const both = [
      ['soft', soft],
      ['hard', hard],
    ] as const;
    return mapOf(
      both.flatMap(([key, each]) => (each === undefined && as === 'json' ? [] : [[key, each ?? 0] as const])),
    );
  },
};

function withoutZeros<T extends Record<string, number | undefined>>(value: T): T {
  return Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined && each !== 0)) as T;
}

/** What is kept as it is written. */
const raw: Kind<Tree> = { read: (value) => value ?? undefined, print: (value) => value };

/** Some kind: what it reads, it prints. */
export interface AnyKind {
  /** What JSON has where there is nothing: Go leaves some of it out only in YAML. */
  readonly absent?: Printed;
  readonly read: (value: Tree, path: Path) => unknown;
  readonly print: (value: never, as: PrintAs) => Printed;
}

/** Attributes by name, in order. */
export type Fields = Readonly<Record<string, AnyKind>>;

/**
 * @param options.always printed though it is empty: in JSON, Go leaves no structure out
 * @param options.goNames in JSON its keys are those of Go's fields, which have no other names
 */
function struct(fields: Fields, options: { always?: boolean; goNames?: boolean } = {}): Kind<object> {
  return {
    ...(options.always === true ? { absent: printFields({}, fields, 'json') } : {}),
    read: (value, path) => {
      if (value === null) return options.always === true ? {} : undefined;
      if (!isMap(value)) throw unfit(path, 'a mapping');
      return readFields(value, fields, path);
    },
    print: (value, as) => {
      const printed = printFields(value as Record<string, unknown>, fields, as);
      if (Object.keys(printed).length === 0 && options.always === true && as === 'yaml') return undefined;
      return options.goNames === true && as === 'json' ? capitalized(printed) : printed;
    },
  };
}

export function readFields(value: TreeMap, fields: Fields, path: Path): Record<string, unknown> {
  const read: Record<string, unknown> = {};
  const extensions: Record<string, unknown> = {};
  for (const key in value) {
    const kind = fields[key];
    if (kind !== undefined) {
      const each = kind.read(value[key]!, [...path, key]);
      if (each !== undefined) read[key] = each;
    } else if (key.startsWith('x-')) extensions[key] = value[key];
  }
  if (Object.keys(extensions).length > 0) read['extensions'] = extensions;
  return read;
}

export function printFields(value: Readonly<Record<string, unknown>>, fields: Fields, as: PrintAs): TreeMap {
  const printed: [string, Tree][] = [];
  for (const key in fields) {
    const each = value[key];
    const kind = fields[key]!;
    const text = each !== undefined ? kind.print(each as never, as) : as === 'json' ? kind.absent : undefined;
    if (text !== undefined) printed.push([key, text]);
  }
  if (as === 'yaml')
    for (const [key, each] of Object.entries((value['extensions'] as TreeMap | undefined) ?? {}))
      printed.push([key, each]);
  return mapOf(printed);
}

function capitalized(map: TreeMap): TreeMap {
  return mapOf(Object.entries(map).map(([key, each]) => [key.charAt(0).toUpperCase() + key.slice(1), each]));
}

function listOf<T>(kind: Kind<T>): Kind<T[]> {
  return {
    read: (value, path) => {
      if (value === null) return undefined;
      if (!Array.isArray(value)) throw unfit(path, 'a list');
      const read = value.flatMap((each, index) => kind.read(each, [...path, index]) ?? []);
      return read.length === 0 ? undefined : read;
    },
    print: (value, as) => (value.length === 0 ? undefined : value.map((each) => kind.print(each, as) ?? null)),
  };
}

/** By key; `nullable`: a key without a value is kept. */
function mapOfKind<T>(kind: Kind<T>, options: { nullable?: boolean } = {}): Kind<Record<string, T | null>> {
  return {
    read: (value, path) => {
      if (value === null) return undefined;
      if (!isMap(value)) throw unfit(path, 'a mapping');
      const read: Record<string, T | null> = {};
      for (const [key, each] of Object.entries(value)) {
        if (each === null && options.nullable === true) read[key] = null;
        else {
          const found = kind.read(each, [...path, key]);
          if (found !== undefined) read[key] = found;
        }
      }
      return filled(read);
    },
    print: (value, as) =>
      sorted(
        Object.fromEntries(
          Object.entries(value).map(([key, each]) => [key, each === null ? null : (kind.print(each, as) ?? null)]),
        ),
      ),
  };
}

export const kinds = {
  text,
  number,
  boolean,
  bytes,
  strings,
  command,
  test,
  mapping,
  environment,
  lists,
  hosts,
  mode,
  count,
  ssh,
  ulimit,
  raw,
  maybeNumber: optional({ read: toNumber }, (value: number): Printed => value),
  maybeBoolean: optional({ read: toBoolean }, (value: boolean): Printed => value),
  duration: optional({ read: toDuration }, (value: number): Printed => formatGoDuration(value)),
  /** Always said. */
  plainBoolean: optional({ read: toBoolean }, (value: boolean): Printed => value),
  struct,
  listOf,
  mapOf: mapOfKind,
};
