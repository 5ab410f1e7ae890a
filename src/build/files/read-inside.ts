/** One small file of a folder that nobody trusts, links in the way to it followed inside the folder. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { openFlags, openInRoot } from '../../linux/index.ts';
import { errorCode, Fault } from '../../std/index.ts';

const notThere = new Set(['ENOENT', 'ENOTDIR', 'ELOOP']);

/** undefined: nothing is there. @throws Fault invalid for what is no file, or has more than `limit` bytes */
export function readInside(folder: string, path: string, limit: number): Buffer | undefined {
  const root = openSync(folder, openFlags.directory);
  try {
    const descriptor = openInRoot(root, path, openFlags.read);
    try {
      return readWhole(descriptor, path, limit);
    } finally {
      closeSync(descriptor);
    }
  } catch (error) {
    if (notThere.has(errorCode(error) ?? '')) return undefined;
    throw error;
  } finally {
    closeSync(root);
  }
}

function readWhole(descriptor: number, path: string, limit: number): Buffer {
  const stat = fstatSync(descriptor);
  if (!stat.isFile()) throw new Fault('invalid', `failed to read ${path}: it is no file`);
  if (stat.size > limit)
    throw new Fault('invalid', `failed to read ${path}: its ${stat.size} bytes are more than ${limit}`);
  const bytes = Buffer.alloc(stat.size);
  let at = 0;
  for (let count = -1; count !== 0 && at < bytes.length; at += count)
    count = readSync(descriptor, bytes, at, bytes.length - at, at);
  return bytes.subarray(0, at);
}
