/** Whiteouts: `.wh.` names in layer tars (OCI image-spec "Whiteouts"), 0/0 devices and an xattr in overlayfs. */
import type { BigIntStats, Stats } from 'node:fs';
import { getXattr, privileges } from '../linux/index.ts';

export const whiteoutPrefix = Buffer.from('.wh.');
/** aufs's own files; of them only the opaque mark means something to us. */
export const whiteoutMetaPrefix = Buffer.from('.wh..wh.');
export const opaqueName = Buffer.from('.wh..wh..opq');
export const opaqueValue = Buffer.from('y');
/** What fuse-overlayfs marks with, where it stands in for the kernel. */
const fuseOpaqueXattr = 'user.fuseoverlayfs.opaque';

/** The kernel's mark for us: root of a user namespace may not set trusted ones. */
export function opaqueXattr(): string {
  return `${privileges().overlayXattrs}opaque`;
}

export function startsWith(text: Buffer, prefix: Buffer): boolean {
  return text.length >= prefix.length && prefix.equals(text.subarray(0, prefix.length));
}

export function isWhiteout(stat: Stats | BigIntStats): boolean {
  return stat.isCharacterDevice() && Number(stat.rdev) === 0;
}

/** Whether the directory hides what lies under it. */
export function isOpaque(directory: Buffer): boolean {
  const marks = privileges().inUserNamespace ? [opaqueXattr(), fuseOpaqueXattr] : [opaqueXattr()];
  return marks.some((mark) => getXattr(directory, mark)?.equals(opaqueValue) ?? false);
}
