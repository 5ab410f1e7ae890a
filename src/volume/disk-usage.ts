/** Bytes that a folder occupies on disk: blocks, hard links once, other filesystems below it not. */
import type { BigIntStats } from 'node:fs';
import { lstat, readdir } from 'node:fs/promises';
import { errorCode } from '../std/index.ts';

export async function diskUsage(root: string): Promise<number> {
  const top = await statIfThere(Buffer.from(root));
  if (top === undefined) return 0;
  const seen = new Set<bigint>();
  let blocks = top.blocks;
  const pending = [Buffer.from(root)];
  for (let folder = pending.pop(); folder !== undefined; folder = pending.pop()) {
    for (const name of await namesIn(folder)) {
      const path = Buffer.concat([folder, Buffer.from('/'), name]);
      const stat = await statIfThere(path);
      if (stat === undefined || stat.dev !== top.dev) continue;
      if (stat.isDirectory()) pending.push(path);
      else if (stat.nlink > 1n) {
        if (seen.has(stat.ino)) continue;
        seen.add(stat.ino);
      }
      blocks += stat.blocks;
    }
  }
  return Number(blocks * 512n);
}

/** Containers change the tree while it is counted. */
async function statIfThere(path: Buffer): Promise<BigIntStats | undefined> {
  try {
    return await lstat(path, { bigint: true });
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

async function namesIn(folder: Buffer): Promise<Buffer[]> {
  try {
    return await readdir(folder, { encoding: 'buffer' });
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return [];
    throw error;
  }
}
