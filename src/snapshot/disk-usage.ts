/** Bytes in a directory tree as Docker counts them: every inode once, directories themselves not. */
import { walkTree } from '../linux/index.ts';

export async function treeSize(root: Buffer): Promise<number> {
  let size = 0n;
  await walkTree(root, {
    count: (stat) => {
      if (!stat.isDirectory()) size += stat.size;
    },
  });
  return Number(size);
}
