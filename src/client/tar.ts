/** Tar as far as the archives that go to and come from a daemon need it: ustar with pax headers for long names, big files and fine times; GNU names are read. */
import { asBuffer, Fault } from '../std/index.ts';

export type EntryType = 'file' | 'directory' | 'symlink' | 'hardlink' | 'character' | 'block' | 'fifo';

export interface TarHeader {
  path: string;
  type: EntryType;
  mode: number;
  uid?: number;
  gid?: number;
  size?: number;
  /** Seconds, with a fraction. */
  mtime?: number;
  link?: string;
  deviceMajor?: number;
  deviceMinor?: number;
}

export interface PackEntry extends TarHeader {
  body?: Uint8Array | AsyncIterable<Uint8Array>;
}

export interface ReadEntry extends Required<TarHeader> {
  /** Must be read, or left, before the next entry is asked for. */
  body: AsyncIterable<Uint8Array>;
}

const letters: Readonly<Record<EntryType, string>> = {
  file: '0',
  hardlink: '1',
  symlink: '2',
  character: '3',
  block: '4',
  directory: '5',
  fifo: '6',
};
const block = 512;
/** Of long names and pax headers. */
const largestExtended = 1 << 20;

export async function* packTar(
  entries: Iterable<PackEntry> | AsyncIterable<PackEntry>,
): AsyncGenerator<Uint8Array, void> {
  for await (const entry of entries) {
    const size = entry.body instanceof Uint8Array ? entry.body.length : (entry.size ?? 0);
    yield* headerBlocks({ ...entry, size });
    if (entry.body === undefined) continue;
    let written = 0;
    for await (const chunk of entry.body instanceof Uint8Array ? [entry.body] : entry.body) {
      written += chunk.length;
      yield chunk;
    }
    if (written !== size) throw new Fault('internal', `Cannot archive ${entry.path}: it changed while it was read`);
    const rest = (block - (size % block)) % block;
    if (rest > 0) yield Buffer.alloc(rest);
  }
  yield Buffer.alloc(2 * block);
}

/** An entry's header as it is in the archive: a pax header first where ustar cannot say it. */
export function* headerBlocks(entry: TarHeader): Generator<Uint8Array, void> {
  const extended: Record<string, string> = {};
  const { path, link = '', size = 0, uid = 0, gid = 0, mtime = 0 } = entry;
  if (Buffer.byteLength(path) > 100 || !isAscii(path)) extended['path'] = path;
  if (Buffer.byteLength(link) > 100 || !isAscii(link)) extended['linkpath'] = link;
  if (size >= 8 ** 11) extended['size'] = String(size);
  if (uid >= 8 ** 7) extended['uid'] = String(uid);
  if (gid >= 8 ** 7) extended['gid'] = String(gid);
  if (!Number.isInteger(mtime)) extended['mtime'] = String(mtime);
  if (Object.keys(extended).length > 0) {
    const records = Buffer.concat(Object.entries(extended).map(([key, value]) => paxRecord(key, value)));
    yield ustar({ path: 'PaxHeaders.0/entry', type: 'file', mode: 0o644, size: records.length }, 'x');
    yield Buffer.concat([records, Buffer.alloc((block - (records.length % block)) % block)]);
  }
  yield ustar(entry, letters[entry.type]);
}

function isAscii(text: string): boolean {
  return /^[\x20-\x7e]*$/.test(text);
}

function paxRecord(key: string, value: string): Buffer {
  const body = ` ${key}=${value}\n`;
  const length = Buffer.byteLength(body);
  let total = length + String(length).length;
  if (String(total).length !== String(length).length) total = length + String(total).length;
  return Buffer.from(`${total}${body}`);
}

function ustar(entry: TarHeader, letter: string): Buffer {
  const header = Buffer.alloc(block);
  const text = (value: string, at: number, length: number): void => {
    Buffer.from(value).copy(header, at, 0, length);
  };
  const octal = (value: number, at: number, length: number): void => {
    const fits = value < 8 ** (length - 1) ? Math.max(0, Math.trunc(value)) : 0;
    text(`${fits.toString(8).padStart(length - 1, '0')}\0`, at, length);
  };
  text(entry.path, 0, 100);
  octal(entry.mode & 0o7777, 100, 8);
  octal(entry.uid ?? 0, 108, 8);
  octal(entry.gid ?? 0, 116, 8);
  octal(entry.size ?? 0, 124, 12);
  octal(entry.mtime ?? 0, 136, 12);
  text(' '.repeat(8), 148, 8);
  text(letter, 156, 1);
  text(entry.link ?? '', 157, 100);
  text('ustar\x0000', 257, 8);
  octal(entry.deviceMajor ?? 0, 329, 8);
  octal(entry.deviceMinor ?? 0, 337, 8);
  const sum = header.reduce((total, byte) => total + byte, 0);
  text(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 8);
  return header;
}

/** @throws Fault invalid for what is not a tar archive. */
export async function* readTar(source: AsyncIterable<Uint8Array>): AsyncGenerator<ReadEntry, void> {
  const input = new Blocks(source);
  let extended: Record<string, string> = {};
  for (;;) {
    const header = await input.take(block);
    if (header === undefined || header.every((byte) => byte === 0)) break;
    const letter = String.fromCharCode(header[156]!);
    const size = Number(extended['size'] ?? numberAt(header, 124, 12));
    // No number, or one below nothing, would be read for ever.
    if (!Number.isSafeInteger(size) || size < 0) throw invalidHeader();
    if (letter === 'x' || letter === 'g' || letter === 'L' || letter === 'K') {
      if (size > largestExtended) throw invalidHeader();
      const body = (await input.take(padded(size)))?.subarray(0, size);
      if (body === undefined) throw invalidHeader();
      if (letter === 'x') extended = { ...extended, ...paxRecords(body) };
      else if (letter === 'L') extended['path'] = body.toString('utf8').replace(/\0+$/, '');
      else if (letter === 'K') extended['linkpath'] = body.toString('utf8').replace(/\0+$/, '');
      continue;
    }
    const entry = entryOf(header, letter, size, extended);
    extended = {};
    const body = input.slice(entry.type === 'file' ? size : 0);
    yield { ...entry, body };
    for await (const chunk of body) void chunk;
    if (entry.type === 'file') await input.take(padded(size) - size);
  }
  for await (const chunk of input.slice(Number.POSITIVE_INFINITY)) void chunk;
}

function invalidHeader(): Fault {
  return new Fault('invalid', 'archive/tar: invalid tar header');
}

function padded(size: number): number {
  return Math.ceil(size / block) * block;
}

function entryOf(
  header: Buffer,
  letter: string,
  size: number,
  extended: Readonly<Record<string, string>>,
): Required<TarHeader> {
  const sum = header.reduce((total, byte, at) => total + (at >= 148 && at < 156 ? 32 : byte), 0);
  if (sum !== numberAt(header, 148, 8)) throw invalidHeader();
  const prefix = textAt(header, 257, 5) === 'ustar' && header[263] === 48 ? textAt(header, 345, 155) : '';
  const name = textAt(header, 0, 100);
  const path = extended['path'] ?? (prefix === '' ? name : `${prefix}/${name}`);
  const type = (Object.keys(letters) as EntryType[]).find((each) => letters[each] === letter) ?? 'file';
  return {
    path,
    type: type === 'file' && path.endsWith('/') ? 'directory' : type,
    mode: numberAt(header, 100, 8),
    uid: Number(extended['uid'] ?? numberAt(header, 108, 8)),
    gid: Number(extended['gid'] ?? numberAt(header, 116, 8)),
    size,
    mtime: Number(extended['mtime'] ?? numberAt(header, 136, 12)),
    link: extended['linkpath'] ?? textAt(header, 157, 100),
    deviceMajor: numberAt(header, 329, 8),
    deviceMinor: numberAt(header, 337, 8),
  };
}

function textAt(header: Buffer, at: number, length: number): string {
  const end = header.indexOf(0, at);
  return header.toString('utf8', at, end < 0 || end > at + length ? at + length : end);
}

/** Octal, or GNU's base 256 for what octal cannot hold. */
function numberAt(header: Buffer, at: number, length: number): number {
  if ((header[at]! & 0x80) !== 0) {
    let value = header[at]! & 0x7f;
    for (let index = 1; index < length; index++) value = value * 256 + header[at + index]!;
    return value;
  }
  const text = textAt(header, at, length).trim();
  return text === '' ? 0 : Number.parseInt(text, 8);
}

function paxRecords(body: Buffer): Record<string, string> {
  const records = Object.create(null) as Record<string, string>;
  for (let at = 0; at < body.length; ) {
    const space = body.indexOf(32, at);
    const digits = space < 0 ? '' : body.toString('latin1', at, Math.min(space, at + 10));
    const length = /^\d+$/.test(digits) ? Number(digits) : 0;
    if (length < 1) throw invalidHeader();
    const record = body.toString('utf8', space + 1, at + length - 1);
    const equals = record.indexOf('=');
    records[record.slice(0, equals)] = record.slice(equals + 1);
    at += length;
  }
  return records;
}

/** Bytes in the sizes that are asked for. */
class Blocks {
  readonly #source: AsyncIterator<Uint8Array>;
  #held: Buffer = Buffer.alloc(0);

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** Exactly `size` bytes; undefined at the end. @throws Fault invalid when they end in the middle. */
  async take(size: number): Promise<Buffer | undefined> {
    while (this.#held.length < size) {
      const { done, value } = await this.#source.next();
      if (done === true) {
        if (this.#held.length === 0) return undefined;
        throw new Fault('invalid', 'unexpected EOF');
      }
      this.#held = this.#held.length === 0 ? asBuffer(value) : Buffer.concat([this.#held, asBuffer(value)]);
    }
    const taken = this.#held.subarray(0, size);
    this.#held = this.#held.subarray(size);
    return taken;
  }

  /** The next `size` bytes as they come. Reading it again goes on where it stopped. */
  slice(size: number): AsyncIterable<Uint8Array> {
    let left = size;
    const next = async (): Promise<IteratorResult<Uint8Array, undefined>> => {
      if (left === 0) return { done: true, value: undefined };
      if (this.#held.length === 0) {
        const { done, value } = await this.#source.next();
        if (done === true) {
          if (left === Number.POSITIVE_INFINITY) return { done: true, value: undefined };
          throw new Fault('invalid', 'unexpected EOF');
        }
        this.#held = asBuffer(value);
      }
      const part = this.#held.subarray(0, Math.min(left, this.#held.length));
      this.#held = this.#held.subarray(part.length);
      left -= part.length;
      return { done: false, value: part };
    };
    return { [Symbol.asyncIterator]: () => ({ next }) };
  }
}
