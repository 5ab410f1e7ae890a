/** What lstat does not tell of a file, or not in the words of an archive. */
import { getXattr, listXattrs } from '../linux/index.ts';

/** All but overlayfs's own marks, which mean nothing outside of their mount. */
export function xattrsOf(path: Buffer): Map<string, Buffer> {
  const xattrs = new Map<string, Buffer>();
  for (const key of listXattrs(path)) {
    if (key.startsWith('trusted.overlay.')) continue;
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
