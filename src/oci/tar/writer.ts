/**
 * Writes tar archives: ustar, with a PAX header where ustar cannot say it. The same entries make the same bytes. The caller
 * orders them.
 */
import { isUtf8 } from 'node:buffer';
import { asBuffer, Fault } from '../../std/index.ts';
import { blockSize, fitsOctal, paddingOf, writeChecksum, writeOctal } from './block.ts';
import type { TarHeader, TarType } from './entry.ts';
import { formatPax, formatPaxTime, type PaxRecords } from './pax.ts';
import { xattrKey } from './xattr-key.ts';

/** A file's content must be exactly `size` bytes. */
export interface TarSource {
  header: TarHeader;
  body?: AsyncIterable<Uint8Array> | Uint8Array | undefined;
}

const flags: Readonly<Record<TarType, string>> = {
  file: '0',
  hardlink: '1',
  symlink: '2',
  character: '3',
  block: '4',
  directory: '5',
  fifo: '6',
};
const outputSize = 256 * 1024;

/** The archive as chunks of up to 256 KB. @throws Fault internal when a body is not as long as its header says */
export async function* writeTar(
  entries: AsyncIterable<TarSource> | Iterable<TarSource>,
): AsyncGenerator<Uint8Array, void, void> {
  let output = Buffer.allocUnsafe(outputSize);
  let used = 0;
  /** Copies what fits; returns the rest. */
  const put = (piece: Buffer): Buffer => {
    const count = piece.copy(output, used);
    used += count;
    return piece.subarray(count);
  };
  const flush = (): Buffer => {
    const full = output.subarray(0, used);
    output = Buffer.allocUnsafe(outputSize);
    used = 0;
    return full;
  };
  for await (const { header, body } of entries) {
    let rest = put(encodeTarHeader(header));
    while (rest.length > 0) {
      yield flush();
      rest = put(rest);
    }
    let size = 0;
    for await (const chunk of body === undefined ? [] : body instanceof Uint8Array ? [body] : body) {
      size += chunk.length;
      if (chunk.length >= outputSize) {
        if (used > 0) yield flush();
        yield chunk;
        continue;
      }
      rest = put(asBuffer(chunk));
      while (rest.length > 0) {
        yield flush();
        rest = put(rest);
      }
    }
    const expected = header.type === 'file' ? header.size : 0;
    if (size !== expected) {
      throw new Fault(
        'internal',
        `Cannot archive ${JSON.stringify(header.name.toString())}: expected ${expected} bytes, got ${size}`,
      );
    }
    rest = put(Buffer.alloc(paddingOf(size)));
    if (rest.length > 0) {
      yield flush();
      put(rest);
    }
  }
  if (used > 0) yield flush();
  yield Buffer.alloc(2 * blockSize);
}

/** The header block of an entry, preceded by a PAX header where one is needed. */
export function encodeTarHeader(header: TarHeader): Buffer {
  const directory = header.type === 'directory' && header.name.at(-1) !== 47;
  const name = directory ? Buffer.concat([header.name, Buffer.from('/')]) : header.name;
  const size = header.type === 'file' ? header.size : 0;
  const seconds = header.mtime >= 0n ? header.mtime / 1_000_000_000n : -1n;
  const records: PaxRecords = [];
  const split = splitName(name);
  if (split === undefined) records.push(['path', name]);
  if (!fitsText(header.linkName, 100)) records.push(['linkpath', header.linkName]);
  if (!fitsOctal(size, 12)) records.push(['size', decimal(size)]);
  if (!fitsOctal(header.uid, 8)) records.push(['uid', decimal(header.uid)]);
  if (!fitsOctal(header.gid, 8)) records.push(['gid', decimal(header.gid)]);
  if (!fitsText(header.userName, 32)) records.push(['uname', header.userName]);
  if (!fitsText(header.groupName, 32)) records.push(['gname', header.groupName]);
  if (header.mtime % 1_000_000_000n !== 0n || !fitsOctal(Number(seconds), 12)) {
    records.push(['mtime', Buffer.from(formatPaxTime(header.mtime))]);
  }
  for (const name of [...header.xattrs.keys()].sort()) records.push([xattrKey(name), header.xattrs.get(name)!]);
  if (records.some(([key, value]) => (key === 'path' || key === 'linkpath') && !isUtf8(value))) {
    records.unshift(['hdrcharset', Buffer.from('BINARY')]);
  }
  const block = encodeBlock(
    header,
    split ?? { prefix: none, name: name.subarray(0, 100) },
    size,
    Number(seconds),
    flags[header.type],
  );
  if (records.length === 0) return block;
  const data = formatPax(records);
  const pax = encodeBlock(
    { ...header, mode: 0o644, uid: 0, gid: 0, userName: none, groupName: none, linkName: none, major: 0, minor: 0 },
    { prefix: none, name: paxName(name) },
    data.length,
    0,
    'x',
  );
  return Buffer.concat([pax, data, Buffer.alloc(paddingOf(data.length)), block]);
}

/** The two zero blocks that end an archive. */
export function endOfTar(): Buffer {
  return Buffer.alloc(2 * blockSize);
}

const none = Buffer.alloc(0);

function decimal(value: number): Buffer {
  return Buffer.from(String(value));
}

function isAscii(text: Buffer): boolean {
  for (const byte of text) if (byte >= 128) return false;
  return true;
}

function fitsText(text: Buffer, length: number): boolean {
  return text.length <= length && isAscii(text);
}

/** As ustar's prefix and name; undefined when it needs PAX. */
function splitName(name: Buffer): { prefix: Buffer; name: Buffer } | undefined {
  if (!isAscii(name)) return undefined;
  if (name.length <= 100) return { prefix: none, name };
  if (name.length > 256) return undefined;
  const slash = name.subarray(0, Math.min(156, name.length - 1)).lastIndexOf(47);
  if (slash <= 0 || name.length - slash - 1 > 100) return undefined;
  return { prefix: name.subarray(0, slash), name: name.subarray(slash + 1) };
}

/** Where a reader without PAX would put the records, as Go and GNU tar name it. */
function paxName(name: Buffer): Buffer {
  const clean = Buffer.from(name.map((byte) => (byte < 128 ? byte : 95)));
  const trimmed = clean.at(-1) === 47 ? clean.subarray(0, -1) : clean;
  return Buffer.concat([Buffer.from('PaxHeaders.0/'), trimmed.subarray(trimmed.lastIndexOf(47) + 1)]).subarray(0, 100);
}

function encodeBlock(
  header: TarHeader,
  place: { prefix: Buffer; name: Buffer },
  size: number,
  seconds: number,
  flag: string,
): Buffer {
  const block = Buffer.alloc(blockSize);
  const octal = (value: number, offset: number, length: number): void =>
    writeOctal(block, fitsOctal(value, length) ? value : 0, offset, length);
  place.name.copy(block, 0);
  octal(header.mode & 0o7777, 100, 8);
  octal(header.uid, 108, 8);
  octal(header.gid, 116, 8);
  octal(size, 124, 12);
  octal(seconds, 136, 12);
  block.write(flag, 156, 'latin1');
  if (fitsText(header.linkName, 100)) header.linkName.copy(block, 157);
  block.write('ustar\x0000', 257, 'latin1');
  if (fitsText(header.userName, 32)) header.userName.copy(block, 265);
  if (fitsText(header.groupName, 32)) header.groupName.copy(block, 297);
  octal(header.major, 329, 8);
  octal(header.minor, 337, 8);
  place.prefix.copy(block, 345);
  writeChecksum(block);
  return block;
}
