/**
 * `RUN --mount`: read in two steps, as BuildKit does. The fields are cut when the file is read; their values are looked at when variables
 * are known, so an unused stage may hold what could not run.
 */
import { parseBytes } from '../../std/index.ts';
import { SyntaxProblem } from '../source/problem.ts';
import type { Range, Word } from '../source/range.ts';
import { didYouMean } from '../suggest.ts';
import { goQuote } from '../text/characters.ts';
import type { Flag } from '../text/split-command.ts';
import { readCsv } from './csv.ts';

export interface MountField {
  /** In lower case. */
  readonly key: string;
  /** `undefined` where there is no `=`. */
  readonly value: string | undefined;
  readonly word: Word;
}

export interface MountFlag {
  readonly word: Word;
  readonly fields: readonly MountField[];
}

export type MountType = 'bind' | 'cache' | 'tmpfs' | 'secret' | 'ssh';
export type CacheSharing = 'shared' | 'private' | 'locked';

/** A mount as asked for: what is not said is absent, but `readOnly`, which every type has its own default for. */
export interface Mount {
  readonly type: MountType;
  readonly from?: string;
  readonly source?: string;
  readonly target?: string;
  readonly readOnly: boolean;
  readonly id?: string;
  readonly sharing?: CacheSharing;
  readonly required: boolean;
  /** Bytes of a tmpfs. */
  readonly size?: number;
  readonly env?: string;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly range: Range;
}

const types: readonly MountType[] = ['bind', 'cache', 'secret', 'ssh', 'tmpfs'];
const sharings: readonly CacheSharing[] = ['locked', 'private', 'shared'];
/** BuildKit's list, in its order: it suggests from these. */
const keys =
  'type from source target readonly id sharing required size mode uid gid src dst destination ro rw readwrite env'.split(
    ' ',
  );

/** @throws SyntaxProblem for what is no list of fields, and for a variable in `from` */
export function parseMountFlag(flag: Flag): MountFlag {
  const fields = readCsv(flag.value ?? '', 'mounts', flag.valueRange).map((field) => {
    const equals = field.indexOf('=');
    const key = (equals < 0 ? field : field.slice(0, equals)).toLowerCase();
    return { key, value: equals < 0 ? undefined : field.slice(equals + 1), word: fieldWord(flag, field) };
  });
  const variable = fields.find(({ key, value }) => key === 'from' && value !== undefined && /\$./.test(value));
  if (variable !== undefined) {
    const message = "'from' doesn't support variable expansion, define alias stage instead";
    throw new SyntaxProblem('bad-mount', message, variable.word.range);
  }
  return { word: flag.word, fields };
}

/** The field's own place, where the flag was written without quotes and escapes around it. */
function fieldWord({ valueFragment, valueRange }: Flag, field: string): Word {
  // Between commas, and found without cutting the whole flag up again for each of its fields.
  const at = `,${valueFragment.text},`.indexOf(`,${field},`);
  if (at < 0) return { text: field, range: valueRange };
  return valueFragment.slice(at, at + field.length).word();
}

/** The mount of a flag, its values put through `expand`. @throws SyntaxProblem at the field that is wrong */
export function resolveMount(flag: MountFlag, expand: (word: Word) => string): Mount {
  const mount: MountDraft = { type: 'bind', required: false, range: flag.word.range };
  for (const field of flag.fields) {
    if (field.value === undefined) setSwitch(mount, field);
    else setValue(mount, field, expand({ text: field.value, range: field.word.range }));
  }
  checkCombination(mount);
  const isWritable = mount.type === 'cache' || mount.type === 'tmpfs';
  return { ...mount, readOnly: mount.readOnly ?? !isWritable };
}

type MountDraft = { -readonly [Key in keyof Mount]?: Mount[Key] } & Pick<Mount, 'range' | 'required'> & {
    type: MountType;
  };

function setSwitch(mount: MountDraft, { key, word }: MountField): void {
  if (key === 'readonly' || key === 'ro') mount.readOnly = true;
  else if (key === 'readwrite' || key === 'rw') mount.readOnly = false;
  else if (key === 'required') {
    onlyFor(mount, ['secret', 'ssh'], key, word);
    mount.required = true;
  } else throw bad(`invalid field '${word.text}' must be a key=value pair`, word);
}

const setters: Readonly<Record<string, (mount: MountDraft, value: string, field: MountField) => void>> = {
  type: (mount, value, { word }) => {
    const found = types.find((type) => type === value.toLowerCase());
    if (found === undefined) throw bad(`unsupported mount type ${goQuote(value)}${didYouMean(value, types)}`, word);
    mount.type = found;
  },
  from: (mount, value) => {
    mount.from = value;
  },
  source: (mount, value) => {
    mount.source = value;
  },
  target: (mount, value) => {
    mount.target = value;
  },
  readonly: (mount, value, field) => {
    mount.readOnly = boolean(value, field);
  },
  readwrite: (mount, value, field) => {
    mount.readOnly = !boolean(value, field);
  },
  required: (mount, value, field) => {
    onlyFor(mount, ['secret', 'ssh'], field.key, field.word);
    mount.required = boolean(value, field);
  },
  size: (mount, value, { key, word }) => {
    onlyFor(mount, ['tmpfs'], key, word);
    const size = parseBytes(value);
    if (size === undefined) throw bad(`invalid value for ${key}: ${value}`, word);
    mount.size = size;
  },
  id: (mount, value) => {
    mount.id = value;
  },
  sharing: (mount, value, { word }) => {
    const found = sharings.find((sharing) => sharing === value.toLowerCase());
    if (found === undefined)
      throw bad(`unsupported sharing value ${goQuote(value)}${didYouMean(value, sharings)}`, word);
    mount.sharing = found;
  },
  mode: (mount, value, field) => {
    mount.mode = unsigned(value, 8, field);
  },
  uid: (mount, value, field) => {
    mount.uid = unsigned(value, 10, field);
  },
  gid: (mount, value, field) => {
    mount.gid = unsigned(value, 10, field);
  },
  env: (mount, value) => {
    mount.env = value;
  },
};

const aliases: Readonly<Record<string, string>> = {
  src: 'source',
  dst: 'target',
  destination: 'target',
  ro: 'readonly',
  rw: 'readwrite',
};

function setValue(mount: MountDraft, field: MountField, value: string): void {
  const name = Object.hasOwn(aliases, field.key) ? aliases[field.key]! : field.key;
  if (!Object.hasOwn(setters, name)) {
    throw bad(`unexpected key '${field.key}' in '${field.word.text}'${didYouMean(field.key, keys)}`, field.word);
  }
  setters[name]!(mount, value, field);
}

function checkCombination(mount: MountDraft): void {
  const whole = { text: '', range: mount.range };
  if (mount.type === 'bind' || mount.type === 'tmpfs') {
    for (const key of ['mode', 'uid', 'gid'] as const) {
      if (mount[key] !== undefined) throw bad(`${key} not allowed for ${goQuote(mount.type)} type mounts`, whole);
    }
  }
  if (mount.type === 'secret') {
    if (mount.from !== undefined) throw bad('secret mount should not have a from', whole);
    if (mount.sharing !== undefined) throw bad('secret mount should not define sharing', whole);
    const { source = '', target = '', id = '' } = mount;
    if (source === '' && target === '' && id === '') {
      throw bad('invalid secret mount. one of source, target required', whole);
    }
    if (source !== '' && id !== '') throw bad("both source and id can't be set", whole);
  }
  if (mount.sharing !== undefined && mount.type !== 'cache') {
    throw bad(`invalid cache sharing set for ${mount.type} mount`, whole);
  }
}

/** The type counts that has been named so far: fields are read in their order. */
function onlyFor(mount: MountDraft, allowed: readonly MountType[], key: string, word: Word): void {
  if (!allowed.includes(mount.type)) throw bad(`unexpected key '${key}' for mount type '${mount.type}'`, word);
}

/** Go's `strconv.ParseBool`. */
function boolean(value: string, { key, word }: MountField): boolean {
  if (/^(?:1|t|T|TRUE|true|True)$/.test(value)) return true;
  if (/^(?:0|f|F|FALSE|false|False)$/.test(value)) return false;
  throw bad(`invalid value for ${key}: ${value}`, word);
}

function unsigned(value: string, base: 8 | 10, { key, word }: MountField): number {
  const isNumber = (base === 8 ? /^[0-7]+$/ : /^\d+$/).test(value);
  const number = parseInt(value, base);
  if (!isNumber || number > 0xffffffff) throw bad(`invalid value ${value} for ${key}`, word);
  return number;
}

function bad(message: string, { range }: { range: Range }): SyntaxProblem {
  return new SyntaxProblem('bad-mount', message, range);
}
