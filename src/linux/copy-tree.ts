/**
 * Copies a directory's content with owner, mode, times, xattrs, hard links, symlinks, devices and holes. Names are bytes. The
 * source must hold still and belong to us alone: symlinks in it are copied, never followed.
 */
import { type BigIntStats, constants } from 'node:fs';
import { copyFile, link, lstat, mkdir, open, readdir, readlink, symlink, chmod } from 'node:fs/promises';
import { changeOwnerAt, makeNodeAt, must, setTimesAt, setXattr, getXattr, listXattrs } from './filesystem.ts';
import { mustOwn } from './privileges.ts';

const AT_FDCWD = -100;
const BLOCK = 4096;
const CHUNK = 1 << 20;

/** Copies what is inside `source` into the existing directory `target`; see copyAttributes for the directory's own. */
export async function copyTreeContent(
  source: string | Buffer,
  target: string | Buffer,
  signal?: AbortSignal,
): Promise<void> {
  await copyInside(Buffer.from(source), Buffer.from(target), new Map(), signal);
}

/** Owner, mode, xattrs and times of `source` for `target`; the last thing to do to a directory. */
export async function copyAttributes(source: string | Buffer, target: string | Buffer): Promise<void> {
  const from = Buffer.from(source);
  applyXattrs(from, Buffer.from(target));
  await applyStat(Buffer.from(target), await lstat(from, { bigint: true }));
  // Again: a change of owner drops security.capability.
  applyXattrs(from, Buffer.from(target));
}

async function copyInside(
  source: Buffer,
  target: Buffer,
  links: Map<string, Buffer>,
  signal: AbortSignal | undefined,
): Promise<void> {
  for (const name of await readdir(source, { encoding: 'buffer' })) {
    signal?.throwIfAborted();
    const from = Buffer.concat([source, Buffer.from('/'), name]);
    const to = Buffer.concat([target, Buffer.from('/'), name]);
    const stat = await lstat(from, { bigint: true });
    const inode = `${stat.dev}:${stat.ino}`;
    const twin = stat.nlink > 1n && !stat.isDirectory() ? links.get(inode) : undefined;
    if (twin !== undefined) {
      await link(twin, to);
      continue;
    }
    if (stat.nlink > 1n && !stat.isDirectory()) links.set(inode, to);
    await copyOne(from, to, stat, links, signal);
  }
}

async function copyOne(
  from: Buffer,
  to: Buffer,
  stat: BigIntStats,
  links: Map<string, Buffer>,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (stat.isSymbolicLink()) {
    await symlink(await readlink(from, { encoding: 'buffer' }), to);
    mustOwn('fchownat', changeOwnerAt(AT_FDCWD, to, Number(stat.uid), Number(stat.gid)), to);
    applyXattrs(from, to);
    must('utimensat', setTimesAt(AT_FDCWD, to, stat.mtimeNs), to);
    return;
  }
  if (stat.isDirectory()) {
    await mkdir(to, 0o700);
    await copyInside(from, to, links, signal);
  } else if (stat.isFile()) {
    // Fewer blocks than bytes: it has holes, and keeps them.
    if (stat.blocks * 512n < stat.size) await copySparse(from, to, signal);
    else await copyFile(from, to, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
  } else {
    must('mknodat', makeNodeAt(AT_FDCWD, to, Number(stat.mode), deviceOf(stat.rdev)), to);
  }
  await copyAttributes(from, to);
}

/** Copies what is not zero, block by block. */
async function copySparse(from: Buffer, to: Buffer, signal: AbortSignal | undefined): Promise<void> {
  const reader = await open(from, 'r');
  try {
    const writer = await open(to, 'wx', 0o600);
    try {
      const { size } = await reader.stat();
      const chunk = Buffer.allocUnsafe(CHUNK);
      const zeros = Buffer.alloc(BLOCK);
      for (let at = 0; at < size; ) {
        signal?.throwIfAborted();
        const { bytesRead } = await reader.read(chunk, 0, CHUNK, at);
        if (bytesRead === 0) break;
        for (let offset = 0; offset < bytesRead; offset += BLOCK) {
          const block = chunk.subarray(offset, Math.min(offset + BLOCK, bytesRead));
          if (!block.equals(zeros.subarray(0, block.length))) await writer.write(block, 0, block.length, at + offset);
        }
        at += bytesRead;
      }
      await writer.truncate(size);
    } finally {
      await writer.close();
    }
  } finally {
    await reader.close();
  }
}

function applyXattrs(from: Buffer, to: Buffer): void {
  for (const key of listXattrs(from)) {
    const value = getXattr(from, key);
    if (value !== undefined) setXattr(to, key, value);
  }
}

async function applyStat(to: Buffer, stat: BigIntStats): Promise<void> {
  mustOwn('fchownat', changeOwnerAt(AT_FDCWD, to, Number(stat.uid), Number(stat.gid)), to);
  await chmod(to, Number(stat.mode & 0o7777n));
  must('utimensat', setTimesAt(AT_FDCWD, to, stat.mtimeNs), to);
}

/** Linux's device number, taken apart. */
function deviceOf(number: bigint): { major: number; minor: number } {
  return {
    major: Number(((number >> 8n) & 0xfffn) | ((number >> 32n) & ~0xfffn)),
    minor: Number((number & 0xffn) | ((number >> 12n) & ~0xffn & 0xffffffffn)),
  };
}
