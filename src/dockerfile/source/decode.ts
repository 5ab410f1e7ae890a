/**
 * Bytes to text as Go reads them: every byte that is not part of valid UTF-8 becomes one U+FFFD. `offsets`, given only where the text is
 * not what its own encoding would say, holds the byte offset of each UTF-16 unit, and of the end.
 */
import { isUtf8 } from 'node:buffer';

export interface Decoded {
  readonly text: string;
  readonly offsets: Uint32Array | undefined;
}

export function decodeBytes(bytes: Uint8Array): Decoded {
  if (isUtf8(bytes))
    return { text: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8'), offsets: undefined };
  const units: string[] = [];
  const offsets: number[] = [];
  for (let at = 0; at < bytes.length; ) {
    const width = sequenceLength(bytes, at);
    const character = width === 0 ? '\ufffd' : Buffer.from(bytes.subarray(at, at + width)).toString('utf8');
    for (let unit = 0; unit < character.length; unit++) offsets.push(at);
    units.push(character);
    at += Math.max(width, 1);
  }
  offsets.push(bytes.length);
  return { text: units.join(''), offsets: Uint32Array.from(offsets) };
}

/** The length of the valid UTF-8 sequence at `at`, 0 where there is none. */
function sequenceLength(bytes: Uint8Array, at: number): number {
  const first = bytes[at]!;
  const width = first < 0x80 ? 1 : first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc2 ? 2 : 0;
  if (width === 0 || at + width > bytes.length) return 0;
  return isUtf8(bytes.subarray(at, at + width)) ? width : 0;
}
