/**
 * `--filter` of `buildx history ls` (buildkit, solver/llbsolver/history.go): `status==error`, `startedAt>2026-01-02`, `repository~=pkc`,
 * several with commas; all of one text must hold, one of several texts must.
 */
import { Fault, type Nanos, nowNanos, parseGoDuration, parseRfc3339 } from '../../std/index.ts';
import type { BuildRecord } from './record.ts';

type Test = (record: BuildRecord) => boolean;

const canceled = 1;

/** @throws Fault invalid naming the filter */
export function historyFilter(texts: readonly string[]): Test {
  const alternatives = texts.map((text) => {
    const tests = text.split(',').map(readOne);
    return (record: BuildRecord): boolean => tests.every((test) => test(record));
  });
  return (record) => alternatives.length === 0 || alternatives.some((test) => test(record));
}

export function statusOf({ completedAt, error }: BuildRecord): 'running' | 'completed' | 'canceled' | 'error' {
  if (completedAt === null) return 'running';
  if (error === null) return 'completed';
  return error.code === canceled ? 'canceled' : 'error';
}

function readOne(text: string): Test {
  const [, field = '', operator = '', value = ''] =
    /^\s*(\w+)\s*(==|!=|~=|>=|<=|>|<|=)\s*"?([^"]*)"?\s*$/.exec(text) ?? [];
  switch (field) {
    case 'ref':
      return words(text, operator, value, ({ ref }) => ref);
    case 'status':
      return words(text, operator, value, statusOf);
    case 'repository':
      return words(text, operator, value, repositoryOf);
    case 'startedAt':
      return numbers(text, operator, instant(text, value), ({ createdAt }) => parseRfc3339(createdAt));
    case 'completedAt':
      return numbers(text, operator, instant(text, value), ({ completedAt }) =>
        completedAt === null ? undefined : parseRfc3339(completedAt),
      );
    case 'duration': {
      const wanted = parseGoDuration(value);
      if (wanted === undefined) throw unknown(text);
      return numbers(text, operator, BigInt(Math.round(wanted)), durationOf);
    }
    default:
      throw unknown(text);
  }
}

export function durationOf({ createdAt, completedAt }: BuildRecord): Nanos | undefined {
  const begun = parseRfc3339(createdAt);
  const ended = completedAt === null ? nowNanos() : parseRfc3339(completedAt);
  return begun === undefined || ended === undefined ? undefined : ended - begun;
}

/** As buildx tells it of a checkout. */
function repositoryOf({ attributes }: BuildRecord): string {
  return (
    attributes['vcs:source'] ??
    (/^(https?:\/\/|git@|git:\/\/)/.test(attributes['context'] ?? '') ? attributes['context']! : '')
  );
}

function words(text: string, operator: string, value: string, of: (record: BuildRecord) => string): Test {
  if (operator === '==' || operator === '=') return (record) => of(record) === value;
  if (operator === '!=') return (record) => of(record) !== value;
  if (operator === '~=') return (record) => of(record).includes(value);
  throw unknown(text);
}

function numbers(text: string, operator: string, wanted: Nanos, of: (record: BuildRecord) => Nanos | undefined): Test {
  const compare: Readonly<Record<string, (found: Nanos) => boolean>> = {
    '>': (found) => found > wanted,
    '>=': (found) => found >= wanted,
    '<': (found) => found < wanted,
    '<=': (found) => found <= wanted,
  };
  const test = compare[operator];
  if (test === undefined) throw unknown(text);
  return (record) => {
    const found = of(record);
    return found !== undefined && test(found);
  };
}

/** A time, a day, or how long ago. */
function instant(text: string, value: string): Nanos {
  const ago = parseGoDuration(value);
  const found =
    ago === undefined
      ? parseRfc3339(/^\d{4}-\d\d-\d\d$/.test(value) ? `${value}T00:00:00Z` : value)
      : nowNanos() - BigInt(Math.round(ago));
  if (found === undefined) throw unknown(text);
  return found;
}

function unknown(text: string): Fault {
  return new Fault('invalid', `invalid filter ${JSON.stringify(text)}`);
}
