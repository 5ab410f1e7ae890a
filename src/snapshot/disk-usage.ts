/** Bytes in a directory tree as Docker counts them: every inode once, directories themselves not. */
import { lstatSync, readdirSync } from 'node:fs';
import { errorCode } from '../std/index.ts';
import { joinPath } from './lower.ts';

const turnMs = 10;

export async function treeSize(root: Buffer): Promise<number> {
  const seen = new Set<bigint>();
  const pending = [root];
  let size = 0n;
  let turn = performance.now();
  for (let directory = pending.pop(); directory !== undefined; directory = pending.pop()) {
    for (const name of namesIn(directory)) {
      const path = joinPath(directory, name);
      const stat = lstatSync(path, { bigint: true, throwIfNoEntry: false });
      if (stat === undefined) continue;
      if (stat.isDirectory()) pending.push(path);
      else if (stat.nlink === 1n || !seen.has(stat.ino)) {
        if (stat.nlink > 1n) seen.add(stat.ino);
        size += stat.size;
      }
    }
    if (performance.now() - turn > turnMs) {
      await new Promise(setImmediate);
      turn = performance.now();
    }
  }
  return Number(size);
}

/** A directory that a running container removes meanwhile counts nothing. */
function namesIn(directory: Buffer): Buffer[] {
  try {
    return readdirSync(directory, { encoding: 'buffer' });
  } catch (error) {
    if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ENOTDIR') return [];
    throw error;
  }
}
