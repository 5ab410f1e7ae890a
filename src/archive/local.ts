/** The local file system at either end of a copy: files into an archive, an archive into files. */
import type { Stats } from 'node:fs';
import { createReadStream, createWriteStream } from 'node:fs';
import { chmod, link, lstat, lutimes, mkdir, readdir, readlink, rm, stat, symlink } from 'node:fs/promises';
import { dirname, join, normalize, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { errorCode, Fault } from '../std/index.ts';
import { type CopyPlan, type CopySource, type CopyTarget, renamed, splitEntry } from './copy-plan.ts';
import type { PackEntry, ReadEntry } from '../client/index.ts';

/** @param follow copies what a link points to, under the link's name. */
export async function describeSource(path: string, follow: boolean): Promise<CopySource> {
  const absolute = keepEnd(path, resolve(path));
  const found = await lstat(absolute).catch((error: unknown) => {
    if (errorCode(error) !== 'ENOENT') throw error;
    throw new Fault('not-found', `lstat ${resolve(path)}: no such file or directory`, { cause: error });
  });
  if (!follow || !found.isSymbolicLink()) {
    if (/\/\.?$/.test(path) && !(await stat(absolute)).isDirectory()) throw new Fault('invalid', 'not a directory');
    return { path: absolute, isDirectory: found.isDirectory() };
  }
  const { realpath } = await import('node:fs/promises');
  const real = await realpath(absolute);
  return {
    path: real,
    isDirectory: (await lstat(real)).isDirectory(),
    rebaseName: splitEntry(absolute).name,
  };
}

export async function describeTarget(path: string): Promise<CopyTarget> {
  const absolute = keepEnd(path, resolve(path));
  const found = await stat(absolute).catch(() => undefined);
  if (found === undefined) {
    const folder = splitEntry(absolute).folder;
    const above = await stat(folder).catch(() => undefined);
    if (above === undefined) {
      throw new Fault('invalid', `invalid output path: directory "${folder}" does not exist`);
    }
  }
  return { path: absolute, exists: found !== undefined, isDirectory: found?.isDirectory() === true };
}

/** Resolving drops a trailing slash or `/.`, which mean something. */
function keepEnd(given: string, absolute: string): string {
  if (/(^|\/)\.$/.test(given)) return `${absolute}/.`;
  return given.endsWith('/') && absolute !== '/' ? `${absolute}/` : absolute;
}

/** The entries of a tree, parents first, named from its root's last name. */
export async function* localEntries(source: CopySource, rename: CopyPlan['rename']): AsyncGenerator<PackEntry, void> {
  const { name } = splitEntry(source.path);
  const root = source.path.replace(/\/\.?$/, '') || '/';
  const rootName = source.rebaseName ?? (name === '/' ? '' : name);
  const links = new Map<string, string>();
  yield* walk(root, rootName);

  async function* walk(path: string, shown: string): AsyncGenerator<PackEntry, void> {
    const found = await lstat(path);
    const entry = await entryFor(path, shown === '' ? '.' : shown, found, links);
    if (entry === undefined) return;
    yield renamed(entry, rename);
    if (!found.isDirectory()) return;
    for (const child of (await readdir(path)).sort()) {
      yield* walk(join(path, child), shown === '' ? child : `${shown}/${child}`);
    }
  }
}

async function entryFor(
  path: string,
  shown: string,
  found: Stats,
  links: Map<string, string>,
): Promise<PackEntry | undefined> {
  const common = {
    path: shown,
    mode: found.mode & 0o7777,
    uid: found.uid,
    gid: found.gid,
    mtime: found.mtimeMs / 1000,
  };
  if (found.isDirectory()) return { ...common, path: `${shown}/`, type: 'directory' };
  if (found.isSymbolicLink()) return { ...common, type: 'symlink', link: await readlink(path) };
  if (found.isFIFO()) return { ...common, type: 'fifo' };
  if (!found.isFile()) return undefined;
  const identity = `${found.dev}:${found.ino}`;
  const first = links.get(identity);
  if (found.nlink > 1 && first !== undefined) return { ...common, type: 'hardlink', link: first };
  if (found.nlink > 1) links.set(identity, shown);
  const body = createReadStream(path, { highWaterMark: 1 << 18, end: Math.max(0, found.size - 1) });
  if (found.size === 0) {
    body.destroy();
    return { ...common, type: 'file', size: 0 };
  }
  return { ...common, type: 'file', size: found.size, body: body as AsyncIterable<Uint8Array> };
}

/** Unpacks below `folder`, never outside it. @returns the bytes of files written. */
export async function unpackLocally(
  entries: AsyncIterable<ReadEntry>,
  folder: string,
  rename: CopyPlan['rename'],
  archive: boolean,
): Promise<number> {
  let total = 0;
  const folders: { path: string; mode: number; mtime: number }[] = [];
  for await (const given of entries) {
    const entry = renamed({ ...given, path: given.path.replace(/\/$/, '') || '.' }, rename);
    const path = await inside(folder, entry.path);
    await mkdir(dirname(path), { recursive: true });
    const existing = await lstat(path).catch(() => undefined);
    if (existing !== undefined && !(existing.isDirectory() && entry.type === 'directory')) {
      if (existing.isDirectory())
        throw new Fault('conflict', `cannot overwrite directory "${path}" with non-directory "${entry.path}"`);
      if (entry.type === 'directory')
        throw new Fault('conflict', `cannot overwrite non-directory "${path}" with directory "${entry.path}"`);
      await rm(path);
    }
    if (entry.type === 'directory') {
      await mkdir(path, { recursive: true });
      folders.push({ path, mode: entry.mode, mtime: entry.mtime });
      continue;
    }
    if (entry.type === 'symlink') await symlink(entry.link, path);
    else if (entry.type === 'hardlink') await link(await inside(folder, entry.link), path);
    else if (entry.type === 'file') {
      total += entry.size;
      await pipeline(entry.body, createWriteStream(path, { mode: entry.mode & 0o7777 }));
      await chmod(path, entry.mode & 0o7777);
    } else continue;
    if (archive) await chown(path, entry);
    await lutimes(path, entry.mtime, entry.mtime);
  }
  for (const { path, mode, mtime } of folders.reverse()) {
    await chmod(path, mode & 0o7777);
    await lutimes(path, mtime, mtime);
  }
  return total;
}

async function chown(path: string, { uid, gid }: ReadEntry): Promise<void> {
  const { lchown } = await import('node:fs/promises');
  await lchown(path, uid, gid);
}

/** A path below the folder. A link in the archive must not lead out of it. @throws Fault invalid. */
async function inside(folder: string, name: string): Promise<string> {
  const path = normalize(join(folder, name));
  const base = folder.endsWith('/') ? folder : `${folder}/`;
  if (path !== normalize(folder) && !path.startsWith(normalize(base))) {
    throw new Fault('invalid', `the archive wants to write outside of ${folder}: ${name}`);
  }
  let at = normalize(folder).replace(/\/$/, '');
  for (const part of path.slice(at.length).split('/').filter(Boolean).slice(0, -1)) {
    at = `${at}/${part}`;
    const found = await lstat(at).catch(() => undefined);
    if (found?.isSymbolicLink() === true)
      throw new Fault('invalid', `the archive wants to write through a link: ${name}`);
  }
  return path;
}
