/** What lstat does not tell of a file, or not in the words of an archive. */
import { errno, getXattr, listXattrs, must, privileges } from '../linux/index.ts';
import { Fault } from '../std/index.ts';

/** All but overlayfs's own marks, which mean nothing outside of their mount. */
export function xattrsOf(path: Buffer): Map<string, Buffer> {
  const xattrs = new Map<string, Buffer>();
  const { overlayXattrs } = privileges();
  for (const key of listXattrs(path)) {
    if (key.startsWith(overlayXattrs) || key.startsWith('user.fuseoverlayfs.')) continue;
    const value = getXattr(path, key);
    if (value !== undefined) xattrs.set(key, value);
  }
  return xattrs;
}

/** The kernel's device number taken apart (gnu_dev_major, gnu_dev_minor). */
export function deviceOf(device: bigint): { major: number; minor: number } {
  return {
    major: Number(((device >> 8n) & 0xfffn) | ((device >> 32n) & 0xfffff000n)),
    minor: Number((device & 0xffn) | ((device >> 12n) & 0xffffff00n)),
  };
}

/** overlayfs's own xattrs in an archive could redirect lookups; Wherry alone sets them. */
export function isOurs(key: string): boolean {
  return ['trusted.overlay.', 'user.overlay.', 'user.fuseoverlayfs.'].some((ours) => key.startsWith(ours));
}

/** Filesystems and kernels without a kind of xattr lose it quietly, as in Docker. */
export function tolerate(result: number, key: string, name: Buffer): void {
  if (result === -errno.ENOTSUP || (result === -errno.EPERM && key.startsWith('user.'))) return;
  // trusted.* and the labels of security modules are not for root of a user namespace.
  if (result === -errno.EPERM && privileges().inUserNamespace) return;
  // An ACL, or a capability, that names an id which is nobody here.
  if (result === -errno.EINVAL && privileges().inUserNamespace) return;
  // ext4 has no other word for an inode whose xattrs are full; the disk may be as empty as can be.
  if (result === -errno.ENOSPC || result === -errno.E2BIG || result === -errno.ERANGE)
    throw new Fault(
      'invalid',
      `Cannot unpack layer: the extended attributes of ${JSON.stringify(name.toString())} are too large: ${key}`,
    );
  must(`setxattr ${key}`, result, name);
}
