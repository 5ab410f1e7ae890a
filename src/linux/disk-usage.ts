/** Walks directory trees and counts what they take of the disk. Every inode counts once; names are bytes. */
import { type BigIntStats, lstatSync, readdirSync } from 'node:fs';
import { errorCode } from '../std/index.ts';

export interface TreeWalk {
  /** Hears of every inode below the root. */
  count: (stat: BigIntStats) => void;
  /** Stay on this file system. */
  device?: bigint | undefined;
  /** What is neither counted nor entered. */
  except?: ReadonlySet<string> | undefined;
}

const turnMs = 10;
const slash = Buffer.from('/');
/** What containers remove meanwhile, and what they nest until no path reaches it, is left out. */
const unreachable = new Set(['ENOENT', 'ENOTDIR', 'ENAMETOOLONG']);

/** Synchronous calls, which are ten times cheaper, in turns of ten milliseconds. */
export async function walkTree(root: string | Buffer, { count, device, except }: TreeWalk): Promise<void> {
  const seen = new Set<bigint>();
  const pending = [Buffer.from(root)];
  let turn = performance.now();
  for (let directory = pending.pop(); directory !== undefined; directory = pending.pop()) {
    for (const name of namesIn(directory)) {
      const path = Buffer.concat([directory, slash, name]);
      const stat = statIfThere(path);
      if (stat === undefined || (device !== undefined && stat.dev !== device)) continue;
      if (except?.has(path.toString()) === true) continue;
      if (stat.isDirectory()) pending.push(path);
      else if (stat.nlink > 1n) {
        if (seen.has(stat.ino)) continue;
        seen.add(stat.ino);
      }
      count(stat);
    }
    if (performance.now() - turn > turnMs) {
      await new Promise(setImmediate);
      turn = performance.now();
    }
  }
}

/** As `du -x` tells it: blocks, of directories too, holes not, other file systems below not. 0 for what is not there. */
export async function diskUsage(root: string | Buffer, except?: ReadonlySet<string>): Promise<number> {
  const top = statIfThere(Buffer.from(root));
  if (top === undefined) return 0;
  let blocks = top.blocks;
  if (top.isDirectory()) {
    const count = (stat: BigIntStats): void => {
      blocks += stat.blocks;
    };
    await walkTree(root, { count, device: top.dev, except });
  }
  return Number(blocks * 512n);
}

function statIfThere(path: Buffer): BigIntStats | undefined {
  try {
    return lstatSync(path, { bigint: true, throwIfNoEntry: false });
  } catch (error) {
    if (unreachable.has(errorCode(error) ?? '')) return undefined;
    throw error;
  }
}

function namesIn(directory: Buffer): Buffer[] {
  try {
    return readdirSync(directory, { encoding: 'buffer' });
  } catch (error) {
    if (unreachable.has(errorCode(error) ?? '')) return [];
    throw error;
  }
}
