/**
 * Copy-up of an image's folder into an empty volume. The copy is made beside the data; once it is whole and on disk it is
 * moved in entry by entry, which a later daemon finishes if this one is killed. So a volume is empty, or complete.
 */
import { closeSync, openSync } from 'node:fs';
import { mkdir, readdir, rename, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { copyAttributes, copyTreeContent, syncFilesystem } from '../linux/index.ts';
import { errorCode, syncDirectory } from '../std/index.ts';
import { DATA } from './folder.ts';

const COPYING = '.populate';
const MOVING = '.moving';

/** Copies `source` into the volume at `folder` unless it has content. `mounted`: the data is another filesystem. */
export async function populateFolder(folder: string, source: string, mounted: boolean): Promise<void> {
  const data = join(folder, DATA);
  if (!(await isEmpty(data))) return;
  if (mounted) return populateMounted(data, source);
  const copying = join(folder, COPYING);
  await rm(copying, { recursive: true, force: true });
  await mkdir(copying, 0o700);
  try {
    await copyTreeContent(source, copying);
    await copyAttributes(source, copying);
    await syncWhole(copying);
    await rename(copying, join(folder, MOVING));
  } catch (error) {
    await rm(copying, { recursive: true, force: true });
    throw error;
  }
  await syncDirectory(folder);
  await finishMoving(folder);
}

/** Ends what a crash interrupted: a half copy goes, a whole one is moved in. */
export async function recoverPopulate(folder: string): Promise<void> {
  await rm(join(folder, COPYING), { recursive: true, force: true });
  await finishMoving(folder);
}

async function finishMoving(folder: string): Promise<void> {
  const moving = join(folder, MOVING);
  const data = join(folder, DATA);
  let names: Buffer[];
  try {
    names = await readdir(moving, { encoding: 'buffer' });
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return;
    throw error;
  }
  for (const name of names) {
    await rename(Buffer.concat([Buffer.from(`${moving}/`), name]), Buffer.concat([Buffer.from(`${data}/`), name]));
  }
  await copyAttributes(moving, data);
  await rmdir(moving);
}

/** Onto another filesystem there is no rename: what was copied goes again when the copy fails. */
async function populateMounted(data: string, source: string): Promise<void> {
  try {
    await copyTreeContent(source, data);
    await copyAttributes(source, data);
  } catch (error) {
    for (const name of await readdir(data, { encoding: 'buffer' })) {
      await rm(Buffer.concat([Buffer.from(`${data}/`), name]), { recursive: true, force: true });
    }
    throw error;
  }
}

/** A fresh ext4 is empty although it has this folder. */
async function isEmpty(data: string): Promise<boolean> {
  return (await readdir(data)).every((name) => name === 'lost+found');
}

async function syncWhole(path: string): Promise<void> {
  const descriptor = openSync(path, 'r');
  try {
    await syncFilesystem(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
