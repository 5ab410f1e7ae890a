/**
 * Reads tar archives as a stream: ustar, V7, GNU (long names, base-256, sparse) and PAX. Memory is bounded by one chunk of
 * the input and one capped extended header; anything malformed is a Fault, never a guess.
 */
import { Fault } from '../../std/index.ts';
import { blockSize, isZeroBlock, paddingOf, readNumber, readText, verifyChecksum } from './block.ts';
import type { TarEntry, TarExtent, TarHeader, TarType } from './entry.ts';
import { type PaxRecords, parsePax, parsePaxNumber, parsePaxTime, paxLimit } from './pax.ts';
import { ByteSource } from './source.ts';
import { StoredEntry } from './stored-entry.ts';
import { checkExtents, readGnuSparse, readPaxSparse, readSparseMap } from './sparse.ts';
import { xattrName } from './xattr-key.ts';

/** Writers fill their last record, of some kilobytes; without end only a bomb goes on. */
const trailingLimit = 64 << 20;

/** The entries in archive order. The input is read to its end, also beyond the end-of-archive mark. */
export async function* readTar(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<TarEntry, void, void> {
  const source = new ByteSource(bytes);
  let globals: PaxRecords = [];
  let locals: PaxRecords = [];
  let longName: Buffer | undefined;
  let longLink: Buffer | undefined;
  let finished = false;
  try {
    for (;;) {
      if (source.buffered < blockSize && !(await source.fill(blockSize))) {
        if (source.buffered > 0) throw unexpectedEnd();
        break;
      }
      const block = source.take(blockSize);
      if (block[0] === 0 && isZeroBlock(block)) {
        if (await endsHere(source)) break;
        continue;
      }
      verifyChecksum(block);
      const flag = String.fromCharCode(block[156]!);
      if (flag === 'x' || flag === 'X') {
        locals = parsePax(await special(source, block));
        continue;
      }
      if (flag === 'g') {
        globals = parsePax(await special(source, block));
        continue;
      }
      if (flag === 'L') {
        longName = untilNul(await special(source, block));
        continue;
      }
      if (flag === 'K') {
        longLink = untilNul(await special(source, block));
        continue;
      }
      const entry = await readEntry(source, block, flag, globals, locals, longName, longLink);
      locals = [];
      longName = longLink = undefined;
      if (entry.visible) yield entry;
      await entry.finish();
    }
    await source.drain(trailingLimit);
    finished = true;
  } finally {
    if (!finished) await source.close();
  }
}

/** After one zero block: a second one, or the end of the stream, ends the archive. */
async function endsHere(source: ByteSource): Promise<boolean> {
  if (!(await source.fill(blockSize))) return true;
  if (isZeroBlock(source.take(blockSize))) return true;
  throw new Fault('invalid', 'Cannot read archive: invalid tar header');
}

async function special(source: ByteSource, block: Buffer): Promise<Buffer> {
  const size = readNumber(block, 124, 12, 'size');
  if (size < 0 || size > paxLimit)
    throw new Fault('invalid', `Cannot read archive: an extended header of ${size} bytes is too large`);
  const whole = size + paddingOf(size);
  if (!(await source.fill(whole))) throw unexpectedEnd();
  return Buffer.from(source.take(whole).subarray(0, size));
}

function untilNul(data: Buffer): Buffer {
  const end = data.indexOf(0);
  return end < 0 ? data : data.subarray(0, end);
}

const types: Readonly<Record<string, TarType>> = {
  '\0': 'file',
  '0': 'file',
  '7': 'file',
  S: 'file',
  '1': 'hardlink',
  '2': 'symlink',
  '3': 'character',
  '4': 'block',
  '5': 'directory',
  '6': 'fifo',
  D: 'directory',
};
const noXattrs: ReadonlyMap<string, Buffer> = new Map();

async function readEntry(
  source: ByteSource,
  block: Buffer,
  flag: string,
  globals: PaxRecords,
  locals: PaxRecords,
  longName: Buffer | undefined,
  longLink: Buffer | undefined,
): Promise<StoredEntry> {
  const posix = block.toString('latin1', 257, 263) === 'ustar\0';
  let name = longName ?? readText(block, 0, 100);
  if (longName === undefined && posix && block[345] !== 0) {
    name = Buffer.concat([readText(block, 345, 155), Buffer.from('/'), name]);
  }
  const header: TarHeader = {
    name,
    type: types[flag] ?? 'file',
    mode: readNumber(block, 100, 8, 'mode') & 0o7777,
    uid: readNumber(block, 108, 8, 'uid'),
    gid: readNumber(block, 116, 8, 'gid'),
    userName: posix || block[257] !== 0 ? readText(block, 265, 32) : Buffer.alloc(0),
    groupName: posix || block[257] !== 0 ? readText(block, 297, 32) : Buffer.alloc(0),
    size: readNumber(block, 124, 12, 'size'),
    mtime: BigInt(readNumber(block, 136, 12, 'mtime')) * 1_000_000_000n,
    linkName: longLink ?? readText(block, 157, 100),
    major: flag === '3' || flag === '4' ? readNumber(block, 329, 8, 'major') : 0,
    minor: flag === '3' || flag === '4' ? readNumber(block, 337, 8, 'minor') : 0,
    xattrs: noXattrs,
  };
  const records = globals.length === 0 ? locals : [...globals, ...locals];
  const sparse = records.length === 0 ? undefined : applyPax(header, records);
  if (header.size < 0) throw new Fault('invalid', 'Cannot read archive: negative size in a tar header');
  if (header.uid < 0 || header.gid < 0 || header.uid > 0xffffffff || header.gid > 0xffffffff) {
    throw new Fault('invalid', 'Cannot read archive: owner in a tar header is out of range');
  }
  const last = header.name.at(-1) === 47;
  if (last && header.type === 'file' && flag !== 'S') header.type = 'directory';
  let stored = header.size;
  if (header.type !== 'file' && flag !== 'D')
    stored = header.type === 'directory' && types[flag] === 'file' ? stored : 0;
  let extents: TarExtent[] | undefined;
  let size = header.size;
  if (flag === 'S') {
    const map = await readGnuSparse(Buffer.from(block), source);
    size = map.size;
    extents = checkExtents(map.extents, size, stored);
  } else if (sparse !== undefined && header.type === 'file') {
    let padded = stored;
    let map = sparse.extents;
    if (map === undefined) {
      const read = await readSparseMap(source, stored);
      map = read.extents;
      padded = stored - read.used;
    }
    size = sparse.size ?? stored;
    stored = padded;
    extents = checkExtents(map, size, stored);
  }
  header.size = header.type === 'file' ? size : 0;
  while (header.name.length > 1 && header.name.at(-1) === 47) header.name = header.name.subarray(0, -1);
  if (header.name.includes(0) || header.linkName.includes(0)) {
    throw new Fault('invalid', 'Cannot read archive: NUL in a name');
  }
  return new StoredEntry(source, header, stored, extents, flag in types);
}

interface SparseFromPax {
  extents: TarExtent[] | undefined;
  size: number | undefined;
}

/** Puts what the records say over the header; returns the sparse map they announce. */
function applyPax(header: TarHeader, records: PaxRecords): SparseFromPax | undefined {
  const xattrs = new Map<string, Buffer>();
  let sparseMajor: string | undefined;
  let sparseMinor: string | undefined;
  let sparseName: Buffer | undefined;
  let sparseSize: number | undefined;
  let hasSparse = false;
  for (const [key, value] of records) {
    const name = xattrName(key);
    if (name !== undefined) {
      xattrs.set(name, value);
      continue;
    }
    if (key.startsWith('GNU.sparse.')) {
      hasSparse = true;
      if (key === 'GNU.sparse.major') sparseMajor = value.toString('latin1');
      else if (key === 'GNU.sparse.minor') sparseMinor = value.toString('latin1');
      else if (key === 'GNU.sparse.name') sparseName = value;
      else if (key === 'GNU.sparse.realsize' || key === 'GNU.sparse.size') sparseSize = parsePaxNumber(value);
      continue;
    }
    if (value.length === 0) continue;
    if (key === 'path') header.name = value;
    else if (key === 'linkpath') header.linkName = value;
    else if (key === 'size') header.size = parsePaxNumber(value);
    else if (key === 'uid') header.uid = parsePaxNumber(value);
    else if (key === 'gid') header.gid = parsePaxNumber(value);
    else if (key === 'uname') header.userName = value;
    else if (key === 'gname') header.groupName = value;
    else if (key === 'mtime') header.mtime = parsePaxTime(value);
  }
  if (xattrs.size > 0) header.xattrs = xattrs;
  if (!hasSparse) return undefined;
  if (sparseName !== undefined && sparseName.length > 0) header.name = sparseName;
  const map = readPaxSparse(records);
  if (map === undefined && !(sparseMajor === '1' && sparseMinor === '0')) return undefined;
  return { extents: map, size: sparseSize };
}

function unexpectedEnd(): Fault {
  return new Fault('invalid', 'Cannot read archive: unexpected EOF');
}
