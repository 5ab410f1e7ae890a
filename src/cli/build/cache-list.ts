/** The build cache as people read it (`docker buildx du`). */
import type { UsageRecord } from '../../buildkit/index.ts';
import { Fault, formatNanosPadded, humanDuration, humanSize, parseGoDuration } from '../../std/index.ts';
import { formatList, type ListShape, type Row } from '../output/list.ts';

const shape: ListShape = {
  type: 'diskUsageContext',
  headers: {
    ID: 'ID',
    Parents: 'PARENTS',
    CreatedAt: 'CREATED AT',
    Mutable: 'MUTABLE',
    Reclaimable: 'RECLAIMABLE',
    Shared: 'SHARED',
    Size: 'SIZE',
    Description: 'DESCRIPTION',
    UsageCount: 'USAGE COUNT',
    LastUsedAt: 'LAST ACCESSED',
    Type: 'TYPE',
  },
  columns: ['ID', 'Reclaimable', 'Size', 'LastUsedAt'],
};

/** @param now milliseconds since 1970; `withSums` adds what all take together */
export async function cacheTable(
  records: readonly UsageRecord[],
  { format, now, withSums }: { format: string; now: number; withSums: boolean },
): Promise<string> {
  const isTable = /^table\b/.test(format) || format === '';
  // In tables a star is a mutable record, or a size that others share.
  const rows = records.map((record) => {
    const row = rowOf(record, now);
    return isTable
      ? {
          ...row,
          ID: `${record.id}${record.mutable ? '*' : ''}`,
          Size: `${humanSize(record.size)}${record.shared ? '*' : ''}`,
        }
      : row;
  });
  const list = await formatList(shape, rows, format);
  return withSums && (format === '' || format === 'table') ? list + sumsText(records) : list;
}

export function cacheDetails(records: readonly UsageRecord[], now: number, withSums: boolean): string {
  const blocks = records.map((record) => {
    const row = rowOf(record, now);
    const last = String(row['LastUsedAt']);
    const lines = [
      ['ID', record.id],
      ...(record.parents.length === 0 ? [] : [['Parents', record.parents.map((id) => `\n - ${id}`).join('')]]),
      ['Created at', row['CreatedAt']],
      ['Mutable', record.mutable],
      ['Reclaimable', !record.inUse],
      ['Shared', record.shared],
      ['Size', row['Size']],
      ...(record.description === '' ? [] : [['Description', record.description]]),
      ['Usage count', record.usageCount],
      ...(last === '' ? [] : [['Last used', last]]),
      ...(record.recordType === '' ? [] : [['Type', record.recordType]]),
    ];
    return lines
      .map(([name, value]) => `${`${String(name)}:`.padEnd(String(value).startsWith('\n') ? 0 : 14)}${String(value)}\n`)
      .join('');
  });
  return `${blocks.map((block) => `${block}\n`).join('')}${withSums ? sumsText(records) : ''}`;
}

function rowOf(record: UsageRecord, now: number): Row {
  const { id, parents, createdAt, lastUsedAt } = record;
  return {
    ID: id,
    Parents: parents.length === 0 ? null : parents,
    CreatedAt: createdAt === undefined ? '' : goInstant(createdAt),
    Mutable: record.mutable,
    Reclaimable: !record.inUse,
    Shared: record.shared,
    Size: humanSize(record.size),
    Description: record.description,
    UsageCount: record.usageCount,
    LastUsedAt:
      lastUsedAt === undefined ? '' : `${humanDuration(now - Number(lastUsedAt / 1_000_000n)).toLowerCase()} ago`,
    Type: record.recordType,
  };
}

/** As Go prints an instant in UTC. */
function goInstant(at: bigint): string {
  const [day, time] = formatNanosPadded(at).replace('Z', '').split('T') as [string, string];
  return `${day} ${time.replace(/\.?0+$/, '')} +0000 UTC`;
}

function sumsText(records: readonly UsageRecord[]): string {
  const sum = (wanted: (record: UsageRecord) => boolean): number =>
    records.filter(wanted).reduce((total, { size }) => total + size, 0);
  const shared = sum((record) => record.shared);
  return [
    ...(shared > 0
      ? [`Shared:\t\t${humanSize(shared)}`, `Private:\t${humanSize(sum((record) => !record.shared))}`]
      : []),
    `Reclaimable:\t${humanSize(sum((record) => !record.inUse))}`,
    `Total:\t\t${humanSize(sum(() => true))}`,
    '',
  ].join('\n');
}

/** Those that `--filter` keeps: all must hold. @throws Fault invalid */
export function filterCache(
  records: readonly UsageRecord[],
  filters: Readonly<Record<string, readonly string[]>>,
  now: number,
): UsageRecord[] {
  const tests = Object.entries(filters).flatMap(([key, values]) => values.map((value) => filterTest(key, value, now)));
  return records.filter((record) => tests.every((test) => test(record)));
}

function filterTest(key: string, value: string, now: number): (record: UsageRecord) => boolean {
  const isTrue = !/^(?:0|f|false)$/i.test(value);
  switch (key) {
    case 'id':
      return ({ id }) => id.startsWith(value);
    case 'parent':
      return ({ parents }) => parents.some((id) => id.startsWith(value));
    case 'type':
      return ({ recordType }) => recordType === value;
    case 'description':
      return ({ description }) => description.includes(value);
    case 'inuse':
      return ({ inUse }) => inUse === isTrue;
    case 'mutable':
      return ({ mutable }) => mutable === isTrue;
    case 'immutable':
      return ({ mutable }) => mutable !== isTrue;
    case 'shared':
      return ({ shared }) => shared === isTrue;
    case 'private':
      return ({ shared }) => shared !== isTrue;
    case 'until':
    case 'unused-for': {
      const age = parseGoDuration(value);
      if (age === undefined) throw new Fault('invalid', `invalid filter ${key}=${value}: give a duration, as in 24h`);
      return ({ lastUsedAt, createdAt }) => now - Number((lastUsedAt ?? createdAt ?? 0n) / 1_000_000n) >= age / 1e6;
    }
    default:
      throw new Fault(
        'invalid',
        `invalid filter '${key}': known are id, parent, type, description, inuse, mutable, shared, private, until`,
      );
  }
}
