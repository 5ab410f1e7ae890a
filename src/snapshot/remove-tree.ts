/** Deletes a directory tree of any depth: containers can nest directories until no path reaches the bottom. */
import { closeSync, constants, openSync, readdirSync } from 'node:fs';
import { descriptorPath, must, openAt, renameAt } from '../linux/index.ts';
import { errorCode, removeAll } from '../std/index.ts';

const directoryFlags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
/** So deep that names of any length still make a path that the kernel takes. */
const depthLimit = 8;

export async function removeTree(path: string): Promise<void> {
  try {
    await removeAll(path);
  } catch (error) {
    if (errorCode(error) !== 'ENAMETOOLONG') throw error;
    flatten(path);
    await removeAll(path);
  }
}

/** Moves directories from the depth up to the root, until no path is long. */
function flatten(path: string): void {
  const root = openSync(path, directoryFlags);
  try {
    let moved = 0;
    const freshName = (): Buffer => Buffer.from(`.flat-${process.pid}-${moved++}`);
    const pending: Buffer[] = directoriesIn(root);
    const visit = (parent: number, name: Buffer, depth: number): void => {
      const descriptor = must('openat', openAt(parent, name, directoryFlags), name);
      try {
        for (const child of directoriesIn(descriptor)) {
          if (depth < depthLimit) visit(descriptor, child, depth + 1);
          else {
            const fresh = freshName();
            must('renameat', renameAt(descriptor, child, root, fresh), child);
            pending.push(fresh);
          }
        }
      } finally {
        closeSync(descriptor);
      }
    };
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) visit(root, next, 1);
  } finally {
    closeSync(root);
  }
}

function directoriesIn(descriptor: number): Buffer[] {
  return readdirSync(descriptorPath(descriptor), { encoding: 'buffer', withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name);
}
