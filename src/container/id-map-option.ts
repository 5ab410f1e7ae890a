/** `idmap` in a bind's mode, as Podman writes it: `-v /src:/dst:idmap=uids=0-1000-1#5-2000-10;gids=0-1000-1`. Pure. */
import type { IdRange } from '../linux/index.ts';
import { Fault } from '../std/index.ts';
import type { IdMapOption } from './record.ts';

const example = 'idmap=uids=<on disk>-<in the container>-<how many>#…;gids=…';

/** @param word "idmap" or "idmap=…" @throws Fault invalid */
export function parseIdMap(word: string): IdMapOption | 'container' {
  if (word === 'idmap') return 'container';
  const found: Partial<IdMapOption> = {};
  for (const part of word.slice('idmap='.length).split(';')) {
    const [key = '', ranges = ''] = part.split('=', 2);
    if ((key !== 'uids' && key !== 'gids') || found[key] !== undefined) throw wrong(word);
    found[key] = ranges.split('#').map((range) => parseRange(range, word));
  }
  if (found.uids === undefined && found.gids === undefined) throw wrong(word);
  const { uids = found.gids!, gids = found.uids! } = found;
  return { uids, gids };
}

function parseRange(text: string, word: string): IdRange {
  const match = /^(\d{1,10})-(\d{1,10})-(\d{1,10})$/.exec(text);
  if (match === null) throw wrong(word);
  const [container, host, size] = match.slice(1).map(Number) as [number, number, number];
  if (size === 0 || Math.max(container, host) + size > 0xffff_fffe) throw wrong(word);
  return { container, host, size };
}

function wrong(word: string): Fault {
  return new Fault('invalid', `invalid mode: ${word}: expected ${example}`);
}
