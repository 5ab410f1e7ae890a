/**
 * fuse-overlayfs says "hides what lies under it" with a file beside its xattr. In a snapshot that becomes a layer the file would be an
 * ordinary one to everybody else: here it becomes the kernel's mark.
 */
import { lstatSync, readdirSync, rmSync } from 'node:fs';
import { must, setTimesAt, setXattr } from '../linux/index.ts';
import { joinPath } from './lower.ts';
import { overlayDriver } from './mount-layers.ts';
import { isOpaque, opaqueName, opaqueValue, opaqueXattr } from './whiteout.ts';

/** Whether the name in a directory is only such a mark. */
export function isFuseMark(name: Buffer): boolean {
  return overlayDriver() === 'fuse-overlayfs' && name.equals(opaqueName);
}

/** Nothing may have `directory`, the upper directory of a snapshot, mounted. */
export function settleFuseMarks(directory: Buffer): void {
  if (overlayDriver() !== 'fuse-overlayfs') return;
  const pending = [directory];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (isOpaque(next)) must('lsetxattr', setXattr(next, opaqueXattr(), opaqueValue), next);
    for (const entry of readdirSync(next, { encoding: 'buffer', withFileTypes: true })) {
      const path = joinPath(next, entry.name);
      if (entry.isDirectory()) pending.push(path);
      else if (entry.name.equals(opaqueName)) {
        // The layer was told with the time that the directory has now.
        const { mtimeNs } = lstatSync(next, { bigint: true });
        rmSync(path);
        must('utimensat', setTimesAt(-100, next, mtimeNs), next);
      }
    }
  }
}
