/**
 * What the build cache is cut down to by itself: rules as dockerd's `builder.gc` in daemon.json has them (docs.docker.com, build/cache/
 * garbage-collection). Pure.
 */
import type { PruneSpace } from '../../api/index.ts';
import { Fault, parseBytes } from '../../std/index.ts';

export interface GcRule {
  /** What images share goes, too. */
  all: boolean;
  filters: ReadonlyMap<string, ReadonlySet<string>>;
  space: PruneSpace;
}

/** As far as this a cache is anybody's to use; Docker's default is the same share. */
const sharePercent = 10;
const defaultAge = '1440h';

/** `settings` is the value of `builder` in daemon.json. @throws Fault invalid, naming the key */
export function gcPolicy(settings: unknown, diskBytes: number): readonly GcRule[] {
  const { gc } = objectAt(settings, 'builder');
  const { enabled = true, defaultKeepStorage, defaultReservedSpace, policy } = objectAt(gc, 'builder.gc');
  if (typeof enabled !== 'boolean') throw wrong('builder.gc.enabled', 'true or false', enabled);
  if (!enabled) return [];
  if (Array.isArray(policy) && policy.length > 0) return policy.map(ruleOf);
  if (policy !== undefined && !Array.isArray(policy)) throw wrong('builder.gc.policy', 'a list', policy);
  const given = defaultKeepStorage ?? defaultReservedSpace;
  const maxUsed =
    given === undefined
      ? Math.floor(diskBytes / 100) * sharePercent
      : bytesAt(given, 'builder.gc.defaultKeepStorage', diskBytes);
  const nothing = { reserved: 0, maxUsed: 0, minFree: 0 };
  return [
    { all: true, filters: new Map([['unused-for', new Set([defaultAge])]]), space: nothing },
    // 0 means no bound to BuildKit's formula: a cache of nothing is meant.
    { all: true, filters: new Map(), space: { reserved: 0, maxUsed: Math.max(maxUsed, 1), minFree: 0 } },
  ];

  function ruleOf(value: unknown, index: number): GcRule {
    const at = `builder.gc.policy[${index}]`;
    const rule = objectAt(value, at);
    const { all = false, filter = [], keepDuration } = rule;
    if (typeof all !== 'boolean') throw wrong(`${at}.all`, 'true or false', all);
    const bytes = (...keys: string[]): number => {
      const key = keys.find((each) => rule[each] !== undefined);
      return key === undefined ? 0 : bytesAt(rule[key], `${at}.${key}`, diskBytes);
    };
    const filters = filtersAt(filter, `${at}.filter`);
    if (typeof keepDuration === 'string') add(filters, 'unused-for', keepDuration);
    const space = {
      reserved: bytes('reservedSpace', 'keepStorage'),
      maxUsed: bytes('maxUsedSpace'),
      minFree: bytes('minFreeSpace'),
    };
    return { all, filters, space };
  }
}

/** `["unused-for=48h", "type=source.local"]`, or an object of lists. */
function filtersAt(value: unknown, at: string): Map<string, Set<string>> {
  const filters = new Map<string, Set<string>>();
  const isText = (each: unknown): each is string => typeof each === 'string';
  if (Array.isArray(value) && value.every(isText)) {
    for (const each of value) {
      const equals = each.indexOf('=');
      if (equals < 1) throw wrong(at, 'entries as key=value', each);
      add(filters, each.slice(0, equals), each.slice(equals + 1).replace(/^=/, ''));
    }
    return filters;
  }
  throw wrong(at, 'a list of key=value', value);
}

function add(filters: Map<string, Set<string>>, key: string, value: string): void {
  filters.set(key, (filters.get(key) ?? new Set()).add(value));
}

function bytesAt(value: unknown, at: string, diskBytes: number): number {
  if (typeof value === 'number' && value >= 0) return value;
  const percent = typeof value === 'string' ? /^(\d{1,2}|100)%$/.exec(value)?.[1] : undefined;
  if (percent !== undefined) return Math.floor((diskBytes / 100) * Number(percent));
  const bytes = typeof value === 'string' ? parseBytes(value) : undefined;
  if (bytes === undefined) throw wrong(at, 'a size (20GB) or a share of the disk (10%)', value);
  return bytes;
}

function objectAt(value: unknown, at: string): Record<string, unknown> {
  if (value === undefined || value === null) return {};
  if (typeof value !== 'object' || Array.isArray(value)) throw wrong(at, 'an object', value);
  return value as Record<string, unknown>;
}

function wrong(at: string, wanted: string, value: unknown): Fault {
  return new Fault('invalid', `${at}: want ${wanted}, got ${JSON.stringify(value)}`);
}
