/** Whiteouts: `.wh.` names in layer tars (OCI image-spec "Whiteouts"), 0/0 devices and an xattr in overlayfs. */
import type { BigIntStats, Stats } from 'node:fs';
import { getXattr } from '../linux/index.ts';

export const whiteoutPrefix = Buffer.from('.wh.');
/** aufs's own files; of them only the opaque mark means something to us. */
export const whiteoutMetaPrefix = Buffer.from('.wh..wh.');
export const opaqueName = Buffer.from('.wh..wh..opq');
export const opaqueXattr = 'trusted.overlay.opaque';
export const opaqueValue = Buffer.from('y');

export function startsWith(text: Buffer, prefix: Buffer): boolean {
  return text.length >= prefix.length && prefix.equals(text.subarray(0, prefix.length));
}

export function isWhiteout(stat: Stats | BigIntStats): boolean {
  return stat.isCharacterDevice() && Number(stat.rdev) === 0;
}

/** Whether the directory hides what lies under it. */
export function isOpaque(directory: Buffer): boolean {
  return getXattr(directory, opaqueXattr)?.equals(opaqueValue) ?? false;
}
