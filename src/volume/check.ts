/** Volumes and their trash against the disk. What is in them is people's: nothing here offers to delete it. */
import { lstatSync, readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { foreignFile, type Problem, strayFile } from '../api/index.ts';
import { diskUsage } from '../linux/index.ts';
import { DATA, RECORD } from './folder.ts';
import { isTrashName } from './trash.ts';

export interface VolumeFolders {
  volumes: string;
  trash: string;
  /** The volumes there are. */
  known: ReadonlyMap<string, unknown>;
  /** Whether work on the volume goes on. */
  busy: (name: string) => boolean;
  writeRecord: (name: string) => Promise<void>;
}

/** A volume that is being made is younger than this. */
const makingMs = 60_000;
const parts = new Set([DATA, RECORD, '.populate', '.moving']);

export async function* checkVolumes(folders: VolumeFolders): AsyncGenerator<Problem, void, void> {
  for (const name of readdirSync(folders.volumes)) {
    const path = join(folders.volumes, name);
    const stat = lstatSync(path, { throwIfNoEntry: false });
    if (stat === undefined || folders.known.has(name)) continue;
    if (name.startsWith('.new-')) {
      if (Date.now() - stat.mtimeMs > makingMs)
        yield strayFile(path, await diskUsage(path), 'a volume that was never made');
    } else
      yield foreignFile(
        path,
        await diskUsage(path),
        'no volume of the daemon; the next start takes in what is a folder',
      );
  }
  for (const name of folders.known.keys()) if (!folders.busy(name)) yield* checkVolume(folders, name);
  for (const name of readdirSync(folders.trash)) {
    const path = join(folders.trash, name);
    if (!isTrashName(name)) yield foreignFile(path, await diskUsage(path), 'no removed volume');
  }
}

async function* checkVolume(folders: VolumeFolders, name: string): AsyncGenerator<Problem, void, void> {
  const folder = join(folders.volumes, name);
  const found = { Kind: 'volume', Name: name, Size: 0 } as const;
  if (lstatSync(join(folder, DATA), { throwIfNoEntry: false })?.isDirectory() !== true) {
    const Action = `bring an older one back: wherry volume rm ${name}; wherry volume restore ${name}`;
    yield { ...found, Problem: 'missing', Detail: 'its data is gone', Path: join(folder, DATA), Action };
    return;
  }
  if (!(await hasRecord(join(folder, RECORD)))) {
    yield {
      ...found,
      Problem: 'damaged',
      Detail: 'its record (labels, options) is missing or cannot be read',
      Path: join(folder, RECORD),
      Action: 'write it again: wherry system verify --repair',
      repair: async () => {
        await folders.writeRecord(name);
        return 'written again';
      },
    };
  }
  for (const part of readdirSync(folder)) {
    const path = join(folder, part);
    const stat = lstatSync(path, { throwIfNoEntry: false });
    if (stat === undefined || parts.has(part) || Date.now() - stat.mtimeMs < makingMs) continue;
    if (part.endsWith('.tmp')) yield strayFile(path, stat.size, 'a record half written');
    else yield foreignFile(path, await diskUsage(path), `no part of volume ${name}`);
  }
}

async function hasRecord(path: string): Promise<boolean> {
  try {
    return typeof JSON.parse(await readFile(path, 'utf8')) === 'object';
  } catch {
    return false;
  }
}
