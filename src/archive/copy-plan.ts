/** Where a copied tree goes, and what its root is called there: Docker's rules for `cp`, pure. */
import { Fault } from '../std/index.ts';
import type { TarHeader } from '../client/index.ts';

export interface CopySource {
  /** As given: a trailing slash or `/.` matters. */
  path: string;
  isDirectory: boolean;
  /** The name of a link that was followed. */
  rebaseName?: string | undefined;
}

export interface CopyTarget {
  path: string;
  exists: boolean;
  isDirectory: boolean;
}

export interface CopyPlan {
  /** Where the archive is unpacked. */
  folder: string;
  /** The first part of every name in it changes so; undefined leaves names alone. */
  rename: { from: string; to: string } | undefined;
}

/** @throws Fault invalid where the copy makes no sense. */
export function planCopy(source: CopySource, target: CopyTarget): CopyPlan {
  if (target.exists && target.isDirectory) return { folder: target.path, rename: undefined };
  const { folder, name } = splitEntry(target.path);
  if (target.exists && source.isDirectory) throw new Fault('invalid', 'cannot copy directory');
  const from = source.rebaseName ?? splitEntry(source.path).name;
  if (target.exists || source.isDirectory) return { folder, rename: { from, to: name } };
  if (/(^|\/)\.?$/.test(target.path)) throw new Fault('invalid', 'no such directory');
  return { folder, rename: { from, to: name } };
}

/** Folder and last name; `a/.` is the contents of a: its last name is ".". */
export function splitEntry(path: string): { folder: string; name: string } {
  const clean = path.replace(/\/+/g, '/');
  if (/(^|\/)\.$/.test(clean)) return { folder: clean.slice(0, -1).replace(/(.)\/$/, '$1') || '.', name: '.' };
  const bare = clean.replace(/(.)\/$/, '$1');
  const slash = bare.lastIndexOf('/');
  if (bare === '/') return { folder: '/', name: '/' };
  return { folder: slash < 0 ? '.' : bare.slice(0, slash) || '/', name: bare.slice(slash + 1) };
}

/** A header with its first name changed as the plan says. */
export function renamed<T extends TarHeader>(entry: T, rename: CopyPlan['rename']): T {
  if (rename === undefined) return entry;
  const from = rename.from === '/' ? '' : rename.from;
  const swap = (path: string): string => {
    if (from === '') return `${rename.to}/${path}`;
    return path === from || path.startsWith(`${from}/`) ? rename.to + path.slice(from.length) : path;
  };
  return {
    ...entry,
    path: swap(entry.path),
    ...(entry.type === 'hardlink' && entry.link !== undefined ? { link: swap(entry.link) } : {}),
  };
}

const goDirectory = 2 ** 31;
const goSymlink = 2 ** 27;

/** Go's os.FileMode. */
export function isGoDirectory(mode: number): boolean {
  return Math.trunc(mode / goDirectory) % 2 === 1;
}

export function isGoSymlink(mode: number): boolean {
  return Math.trunc(mode / goSymlink) % 2 === 1;
}
