/** Command lines as Go's pflag reads them: clusters, `-p80:80`, `-m=1g`, `--x=false`, `--`, stopping at the first argument. */
import { parseBytes, parseGoDuration } from '../../std/index.ts';
import { UsageFault } from '../usage-fault.ts';
import { type FlagSpec, isRepeatable } from './table.ts';
import { complaint, parseBoolean } from './value.ts';

export interface ParseRules {
  specs: readonly FlagSpec[];
  /** Whether flags may come after arguments. */
  interspersed: boolean;
  /** Checks of single flags beyond their type: what is wrong with a value, or undefined. */
  checks?: Readonly<Record<string, (value: string) => string | undefined>> | undefined;
}

export interface ParsedLine {
  flags: Flags;
  args: string[];
  /** How many arguments came before `--`; undefined without one. */
  dash: number | undefined;
  help: boolean;
  /** Sentences about deprecated flags, for stderr. */
  notices: string[];
}

/** @throws UsageFault (exit code 125) for what pflag refuses. */
export function parseLine(words: readonly string[], rules: ParseRules): ParsedLine {
  const byName = new Map(rules.specs.map((spec) => [spec.name, spec]));
  const byShort = new Map(
    rules.specs.flatMap((spec) => (spec.short === undefined ? [] : [[spec.short, spec] as const])),
  );
  const result: ParsedLine = {
    flags: new Flags(rules.specs),
    args: [],
    dash: undefined,
    help: false,
    notices: [],
  };

  const set = (spec: FlagSpec, value: string): void => {
    const target = byName.get(spec.target) ?? spec;
    const wrong = complaint(target.type, value) ?? rules.checks?.[target.name]?.(value);
    if (wrong !== undefined) {
      const shown = spec.short === undefined ? `--${spec.name}` : `-${spec.short}, --${spec.name}`;
      throw new UsageFault(`invalid argument "${value}" for "${shown}" flag: ${wrong}`);
    }
    if (spec.deprecated !== undefined) {
      result.notices.push(`Flag --${spec.name} has been deprecated, ${spec.deprecated}`);
    }
    result.flags.set(target, value);
  };

  const rest = [...words];
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    if (word === '--') {
      result.dash = result.args.length;
      result.args.push(...rest);
      break;
    }
    if (word === '-' || !word.startsWith('-')) {
      result.args.push(word);
      if (rules.interspersed) continue;
      result.args.push(...rest);
      break;
    }
    if (word.startsWith('--')) takeLong(word, rest);
    else takeShorts(word, rest);
    if (result.help) break;
  }
  return result;

  function takeLong(word: string, rest: string[]): void {
    const equals = word.indexOf('=');
    const name = equals < 0 ? word.slice(2) : word.slice(2, equals);
    if (name === '' || name.startsWith('-')) throw new UsageFault(`bad flag syntax: ${word}`);
    const spec = byName.get(name);
    if (spec === undefined) {
      if (name === 'help') {
        result.help = true;
        return;
      }
      throw new UsageFault(`unknown flag: --${name}`);
    }
    if (equals >= 0) set(spec, word.slice(equals + 1));
    else if (spec.type === '') set(spec, 'true');
    else set(spec, rest.shift() ?? needsArgument(`--${name}`));
  }

  function takeShorts(word: string, rest: string[]): void {
    let left = word.slice(1);
    while (left !== '') {
      const short = left[0]!;
      const after = left.slice(1);
      const spec = byShort.get(short);
      if (spec === undefined) {
        if (short === 'h') {
          result.help = true;
          return;
        }
        throw new UsageFault(`unknown shorthand flag: '${short}' in -${left}`);
      }
      if (after.length > 1 && after.startsWith('=')) {
        set(spec, after.slice(1));
        return;
      }
      if (spec.type === '') {
        set(spec, 'true');
        left = after;
      } else {
        set(spec, after === '' ? (rest.shift() ?? needsArgument(`'${short}' in -${left}`)) : after);
        return;
      }
    }
  }
}

function needsArgument(where: string): never {
  throw new UsageFault(`flag needs an argument: ${where}`);
}

/** The flags of one command line, read by name. Names that the command does not declare are a programming error. */
export class Flags {
  readonly #specs: ReadonlyMap<string, FlagSpec>;
  readonly #values = new Map<string, string[]>();

  constructor(specs: readonly FlagSpec[]) {
    this.#specs = new Map(specs.map((spec) => [spec.name, spec]));
  }

  set(spec: FlagSpec, value: string): void {
    const held = this.#values.get(spec.name);
    const values = spec.type === 'strings' ? value.split(',') : [value];
    if (held === undefined || !isRepeatable(spec)) this.#values.set(spec.name, values);
    else held.push(...values);
  }

  /** Whether the command declares it. */
  knows(name: string): boolean {
    return this.#specs.has(name);
  }

  /** Whether it was given at all. */
  changed(name: string): boolean {
    this.#spec(name);
    return this.#values.has(name);
  }

  bool(name: string): boolean {
    return parseBoolean(this.#last(name) ?? this.#spec(name).initial ?? 'false') ?? false;
  }

  string(name: string): string {
    return this.#last(name) ?? this.#spec(name).initial ?? '';
  }

  /** undefined when not given. */
  optional(name: string): string | undefined {
    this.#spec(name);
    return this.#last(name);
  }

  integer(name: string): number {
    const text = (this.#last(name) ?? this.#spec(name).initial ?? '0').replaceAll('_', '');
    if (/^[+-]?0[0-7]+$/.test(text)) return Number.parseInt(text, 8);
    return text.startsWith('-') ? -Number(text.slice(1)) : Number(text);
  }

  /** Bytes; -1 stays -1. */
  bytes(name: string): number {
    const text = this.#last(name) ?? '0';
    return text === '-1' ? -1 : (parseBytes(text) ?? 0);
  }

  /** Nanoseconds. */
  duration(name: string): number {
    return parseGoDuration(this.#last(name) ?? '0') ?? 0;
  }

  list(name: string): readonly string[] {
    this.#spec(name);
    return this.#values.get(name) ?? [];
  }

  /** Repeated `key=value`; a key alone has an empty value. */
  map(name: string): Record<string, string> {
    return keyValues(this.list(name));
  }

  /** Repeated `--filter name=value`, as the API wants them: names in lower case, trimmed. */
  filters(name = 'filter'): Record<string, string[]> {
    const filters: Record<string, string[]> = {};
    for (const each of this.list(name)) {
      const equals = each.indexOf('=');
      const key = each.slice(0, equals).trim().toLowerCase();
      (filters[key] ??= []).push(each.slice(equals + 1).trim());
    }
    return filters;
  }

  #last(name: string): string | undefined {
    this.#spec(name);
    return this.#values.get(name)?.at(-1);
  }

  #spec(name: string): FlagSpec {
    const spec = this.#specs.get(name);
    if (spec === undefined) throw new TypeError(`flag --${name} is not declared`);
    return spec;
  }
}

export function keyValues(values: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    values.map((each) => {
      const equals = each.indexOf('=');
      return equals < 0 ? [each, ''] : [each.slice(0, equals), each.slice(equals + 1)];
    }),
  );
}
