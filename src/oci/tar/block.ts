/** The 512-byte header block: field offsets, numbers, checksum. POSIX ustar, GNU and old V7 archives. */
import { Fault } from '../../std/index.ts';

export const blockSize = 512;

/** Bytes from `size` up to the next block. */
export function paddingOf(size: number): number {
  return (blockSize - (size % blockSize)) % blockSize;
}

export function isZeroBlock(block: Buffer): boolean {
  for (let index = 0; index < blockSize; index++) if (block[index] !== 0) return false;
  return true;
}

/** @throws Fault invalid when the block's checksum is neither the unsigned nor the signed sum */
export function verifyChecksum(block: Buffer): void {
  let unsigned = 256;
  let signed = 256;
  for (let index = 0; index < blockSize; index++) {
    if (index >= 148 && index < 156) continue;
    const byte = block[index]!;
    unsigned += byte;
    signed += byte < 128 ? byte : byte - 256;
  }
  const stored = storedChecksum(block);
  if (stored !== unsigned && stored !== signed) throw new Fault('invalid', 'Cannot read archive: invalid tar header');
}

/** Undefined for what is no number: then the block is no header. */
function storedChecksum(block: Buffer): number | undefined {
  try {
    return readNumber(block, 148, 8, 'checksum');
  } catch {
    return undefined;
  }
}

/** Octal text or GNU base-256. @throws Fault invalid for junk and for what a number cannot hold exactly */
export function readNumber(block: Buffer, offset: number, length: number, field: string): number {
  const first = block[offset]!;
  if ((first & 0x80) !== 0) return readBase256(block, offset, length, field);
  let index = offset;
  const end = offset + length;
  while (index < end && (block[index] === 32 || block[index] === 0)) index++;
  let value = 0;
  for (; index < end; index++) {
    const byte = block[index]!;
    if (byte === 32 || byte === 0) break;
    if (byte < 48 || byte > 55)
      throw new Fault('invalid', `Cannot read archive: the ${field} in a tar header is not a number`);
    value = value * 8 + (byte - 48);
  }
  return exact(value, field);
}

function readBase256(block: Buffer, offset: number, length: number, field: string): number {
  const negative = (block[offset]! & 0x40) !== 0;
  let value = negative ? block[offset]! | ~0xff : block[offset]! & 0x3f;
  for (let index = offset + 1; index < offset + length; index++) value = value * 256 + block[index]!;
  return exact(value, field);
}

function exact(value: number, field: string): number {
  if (!Number.isSafeInteger(value))
    throw new Fault('invalid', `Cannot read archive: the ${field} in a tar header is out of range`);
  return value;
}

/** The bytes of a field up to its first NUL. */
export function readText(block: Buffer, offset: number, length: number): Buffer {
  const end = block.indexOf(0, offset);
  return block.subarray(offset, end < 0 || end > offset + length ? offset + length : end);
}

/** Whether `value` fits an octal field of `length` bytes with its terminator. */
export function fitsOctal(value: number, length: number): boolean {
  return value >= 0 && value < 8 ** (length - 1);
}

export function writeOctal(block: Buffer, value: number, offset: number, length: number): void {
  block.write(value.toString(8).padStart(length - 1, '0'), offset, length - 1, 'latin1');
}

export function writeChecksum(block: Buffer): void {
  block.fill(32, 148, 156);
  let sum = 0;
  for (let index = 0; index < blockSize; index++) sum += block[index]!;
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 8, 'latin1');
}
