/** What BuildKit's wire asks of the kernel for the trees that clients lend. Paths are the daemon's own: nothing in them needs following. */
import type { TreeStat, TreeVerbs } from '../buildkit/index.ts';
import { PostedContext } from '../build/index.ts';
import {
  errno,
  getXattr,
  listXattrs,
  makeNodeAt,
  must,
  privileges,
  removeXattr,
  setTimesAt,
  setXattr,
} from '../linux/index.ts';
import { statFileMode } from '../oci/index.ts';

/** openat(2): names are absolute, so no folder is meant. */
const nowhere = -100;

export const treeVerbs: TreeVerbs = {
  setModified(path, nanoseconds) {
    must('utimensat', setTimesAt(nowhere, Buffer.from(path), nanoseconds), path);
  },
  setXattrs,
  makeNode(path, stat) {
    const { deviceMajor: major, deviceMinor: minor } = stat;
    const isPipe = (nodeMode(stat) & 0o170000) === 0o010000;
    // As Docker: what cannot be made in a user namespace is left out.
    if (!isPipe && !privileges().mayMakeDevices) return;
    must('mknodat', makeNodeAt(nowhere, Buffer.from(path), nodeMode(stat), { major, minor }), path);
  },
  async unpackArchive(tar, folder, signal) {
    // Its folder is the caller's, who deletes it: it is not disposed here.
    await new PostedContext({ tar, folder, signal }).fetch({ followPaths: [], excludes: [] }, signal);
  },
};

/** What an image's layer may have of a client; the rest means something on the client's machine, or to overlayfs. */
function isPortable(name: string): boolean {
  return name === 'security.capability' || (name.startsWith('user.') && !name.startsWith('user.overlay.'));
}

function setXattrs(path: string, xattrs: ReadonlyMap<string, Uint8Array>): void {
  const at = Buffer.from(path);
  for (const name of listXattrs(at)) {
    if (!isPortable(name) || xattrs.has(name)) continue;
    must(`lremovexattr ${name}`, removeXattr(at, name), path);
  }
  for (const [name, value] of xattrs) {
    if (!isPortable(name) || getXattr(at, name)?.equals(value)) continue;
    const result = setXattr(at, name, Buffer.from(value));
    // Files of every kind may come with them; links and nodes have none of `user.*` (xattr(7)), and some file systems have none at all.
    if (result !== -errno.ENOTSUP && result !== -errno.EPERM) must(`lsetxattr ${name}`, result, path);
  }
}

/** The st_mode of a device or a pipe. */
function nodeMode({ mode }: TreeStat): number {
  return statFileMode(mode);
}
