/**
 * A directory tree as lines that can be compared: everything a layer must keep. Names are bytes and printed as such; hard links
 * are told by the first path of their group.
 */
import { createHash } from 'node:crypto';
import {
  type BigIntStats,
  closeSync,
  constants,
  lstatSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
} from 'node:fs';
import { getXattr, libc, listXattrs } from '../../src/linux/index.ts';

export interface TreeOptions {
  /** Leaves paths out, with what is under them. */
  skip?: (path: string) => boolean;
  /** Where a file has data and not a hole; a copy by a tool that fills or finds holes has others. Default true. */
  holes?: boolean;
  /** Default true. */
  xattrs?: boolean;
  /** Of directories: what is made inside after them changes it. Default true. */
  directoryTimes?: boolean;
}

/** Path (latin1, so that every byte is one character) → what is there. The root is "". */
export function describeTree(root: string, options: TreeOptions = {}): Map<string, string> {
  const found = new Map<string, string>();
  const groups = new Map<string, string>();
  const visit = (path: Buffer, name: string): void => {
    if (options.skip?.(name) === true) return;
    const stat = lstatSync(path, { bigint: true });
    const group = `${stat.dev}:${stat.ino}`;
    let link = '';
    if (!stat.isDirectory() && stat.nlink > 1n) {
      const first = groups.get(group);
      if (first === undefined) groups.set(group, name);
      link = ` link=${JSON.stringify(first ?? name)}`;
    }
    found.set(name, `${describeEntry(path, stat, options)}${link}`);
    if (!stat.isDirectory()) return;
    const children = readdirSync(path, { encoding: 'buffer' }).sort((a, b) => a.compare(b));
    for (const child of children) {
      visit(
        Buffer.concat([path, Buffer.from('/'), child]),
        `${name === '' ? '' : `${name}/`}${child.toString('latin1')}`,
      );
    }
  };
  visit(Buffer.from(root), '');
  return found;
}

/** What two trees differ in, a line each; empty for equal ones. */
export function compareTrees(wanted: ReadonlyMap<string, string>, actual: ReadonlyMap<string, string>): string[] {
  const lines: string[] = [];
  for (const [path, text] of wanted) {
    const other = actual.get(path);
    if (other === undefined) lines.push(`missing ${JSON.stringify(path)}: ${text}`);
    else if (other !== text) lines.push(`differs ${JSON.stringify(path)}:\n  want ${text}\n  have ${other}`);
  }
  for (const [path, text] of actual) if (!wanted.has(path)) lines.push(`added ${JSON.stringify(path)}: ${text}`);
  return lines;
}

function describeEntry(path: Buffer, stat: BigIntStats, options: TreeOptions): string {
  const parts = [typeOf(stat), `mode=${(Number(stat.mode) & 0o7777).toString(8)}`, `owner=${stat.uid}:${stat.gid}`];
  if (!stat.isDirectory() || options.directoryTimes !== false) parts.push(`mtime=${stat.mtimeNs}`);
  if (stat.isFile()) {
    parts.push(`size=${stat.size}`, `sha256=${hashOf(path)}`);
    if (options.holes !== false && stat.blocks * 512n < stat.size)
      parts.push(`data=${dataOf(path, Number(stat.size))}`);
  }
  if (stat.isSymbolicLink()) parts.push(`target=${readlinkSync(path, { encoding: 'buffer' }).toString('hex')}`);
  if (stat.isCharacterDevice() || stat.isBlockDevice()) parts.push(`rdev=${stat.rdev}`);
  if (options.xattrs !== false) {
    const keys = listXattrs(path).filter((key) => !key.startsWith('trusted.overlay.'));
    for (const key of keys.sort()) parts.push(`${key}=${shown(getXattr(path, key) ?? Buffer.alloc(0))}`);
  }
  return parts.join(' ');
}

/** The runs that are not holes, "0-4096 131072-135168". */
function dataOf(path: Buffer, size: number): string {
  const seek = libc('int64_t lseek(int descriptor, int64_t offset, int whence)');
  const [SEEK_DATA, SEEK_HOLE] = [3, 4];
  const descriptor = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  const runs: string[] = [];
  try {
    for (let at = 0; at < size; ) {
      const start = seek(descriptor, at, SEEK_DATA);
      if (start < 0) break;
      at = seek(descriptor, start, SEEK_HOLE);
      runs.push(`${start}-${at}`);
    }
  } finally {
    closeSync(descriptor);
  }
  return runs.join(' ');
}

/** In hex; of long values the digest. */
function shown(value: Buffer): string {
  if (value.length <= 64) return `0x${value.toString('hex')}`;
  return `${value.length} bytes ${createHash('sha256').update(value).digest('hex').slice(0, 16)}`;
}

function typeOf(stat: BigIntStats): string {
  if (stat.isFile()) return 'file';
  if (stat.isDirectory()) return 'directory';
  if (stat.isSymbolicLink()) return 'symlink';
  if (stat.isFIFO()) return 'fifo';
  if (stat.isCharacterDevice()) return 'character';
  return stat.isBlockDevice() ? 'block' : 'socket';
}

function hashOf(path: Buffer): string {
  const hash = createHash('sha256');
  const descriptor = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    const piece = Buffer.allocUnsafe(1 << 18);
    for (let count = readSync(descriptor, piece); count > 0; count = readSync(descriptor, piece)) {
      hash.update(piece.subarray(0, count));
    }
  } finally {
    closeSync(descriptor);
  }
  return hash.digest('hex').slice(0, 16);
}
