/** Looks through the layers below, as overlayfs does: the topmost layer that knows a name decides what it is. */
import { type BigIntStats, lstatSync } from 'node:fs';
import { errorCode } from '../std/index.ts';
import { isOpaque, isWhiteout } from './whiteout.ts';

const slash = Buffer.from('/');

/** A directory as the merged view of the layers below shows it: its copies, topmost first. Empty: there is none. */
export type LowerDirectory = readonly Buffer[];

export function joinPath(directory: Buffer, name: Buffer): Buffer {
  return Buffer.concat([directory, slash, name]);
}

/** lstat, or undefined when there is nothing. */
export function statIfExists(path: Buffer): BigIntStats | undefined {
  return lstatSync(path, { bigint: true, throwIfNoEntry: false });
}

/** As `statIfExists`, also below what is no directory. */
export function statIfReachable(path: Buffer): BigIntStats | undefined {
  try {
    return statIfExists(path);
  } catch (error) {
    if (errorCode(error) === 'ENOTDIR') return undefined;
    throw error;
  }
}

/** What `name` is in the merged directory: its topmost copy, and for a directory all copies that show through. */
export function lookLower(
  directory: LowerDirectory,
  name: Buffer,
): { path: Buffer; stat: BigIntStats; copies: LowerDirectory } | undefined {
  let found: { path: Buffer; stat: BigIntStats; copies: Buffer[] } | undefined;
  for (const copy of directory) {
    const path = joinPath(copy, name);
    const stat = statIfExists(path);
    if (stat === undefined) continue;
    if (isWhiteout(stat)) break;
    if (!stat.isDirectory()) return found ?? { path, stat, copies: [] };
    found ??= { path, stat, copies: [] };
    found.copies.push(path);
    if (isOpaque(path)) break;
  }
  return found;
}
