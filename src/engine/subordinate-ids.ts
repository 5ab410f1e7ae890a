/** `userns-remap`: whose subordinate ids (subuid(5), subgid(5)) containers run as. */
import { readFileSync } from 'node:fs';
import type { IdMapping, IdRange } from '../linux/index.ts';
import { errorCode, Fault, writeFileAtomic } from '../std/index.ts';

/** dockerd's name for "some ids of its own". */
const standardOwner = 'dockremap';
const standardSize = 65_536;

export interface SubordinateFiles {
  subuid: string;
  subgid: string;
  passwd: string;
  group: string;
}

/**
 * @param setting "default", "user", "user:group", with names or numbers
 * @throws Fault invalid that says which line is missing
 */
export function idMappingFor(setting: string, files: SubordinateFiles): IdMapping {
  const [user = '', named] = (setting === 'default' ? standardOwner : setting).split(':');
  // Without a group it is the user's name that /etc/subgid goes by.
  const [group, groups] = named === undefined ? [user, files.passwd] : [named, files.group];
  return {
    uids: rangesOf(user, files.subuid, files.passwd, '/etc/subuid'),
    gids: rangesOf(group, files.subgid, groups, '/etc/subgid'),
  };
}

function rangesOf(owner: string, ranges: string, names: string, file: string): IdRange[] {
  const lines = names.split('\n').map((line) => line.split(':'));
  const aliases = new Set([
    owner,
    ...lines.flatMap(([name, , id]) => (name === owner ? [id] : id === owner ? [name] : [])),
  ]);
  let next = 0;
  const found: IdRange[] = [];
  for (const line of ranges.split('\n')) {
    const match = /^([^:#]+):(\d{1,10}):(\d{1,10})\s*$/.exec(line);
    if (match === null || !aliases.has(match[1]) || Number(match[3]) === 0) continue;
    found.push({ container: next, host: Number(match[2]), size: Number(match[3]) });
    next += Number(match[3]);
  }
  if (found.length === 0) {
    throw new Fault(
      'invalid',
      `Cannot use userns-remap: ${file} has no ids for ${owner}. Add some: echo ${owner}:${freeStart(ranges)}:${standardSize} >>${file}`,
    );
  }
  return found;
}

/** The first id after all ranges that are given away. Exported for tests. */
export function freeStart(ranges: string): number {
  const ends = [...ranges.matchAll(/^[^:#\n]+:(\d+):(\d+)/gm)].map((match) => Number(match[1]) + Number(match[2]));
  return Math.max(100_000, ...ends);
}

/** As dockerd: for "default" the ranges are made where there are none. @throws Fault invalid */
export async function resolveUsernsRemap(setting: string): Promise<IdMapping> {
  if (setting === 'default') {
    const start = Math.max(freeStart(textOf('/etc/subuid')), freeStart(textOf('/etc/subgid')));
    for (const file of ['/etc/subuid', '/etc/subgid']) {
      const text = textOf(file);
      if (new RegExp(`^${standardOwner}:`, 'm').test(text)) continue;
      const ended = text === '' || text.endsWith('\n') ? text : `${text}\n`;
      await writeFileAtomic(file, `${ended}${standardOwner}:${start}:${standardSize}\n`, { mode: 0o644 });
    }
  }
  return idMappingFor(setting, {
    subuid: textOf('/etc/subuid'),
    subgid: textOf('/etc/subgid'),
    passwd: textOf('/etc/passwd'),
    group: textOf('/etc/group'),
  });
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return '';
    throw error;
  }
}
