/** The sparse maps of GNU tar: the old header format, and PAX 0.0, 0.1 and 1.0. */
import { Fault } from '../../std/index.ts';
import { blockSize, readNumber } from './block.ts';
import type { TarExtent } from './entry.ts';
import { type PaxRecords, parsePaxNumber } from './pax.ts';
import type { ByteSource } from './source.ts';

/** An archive with more runs than this in one file is hostile. */
const extentLimit = 1 << 20;

/** The old GNU format: four runs in the header block, then 21 in each extension block. */
export async function readGnuSparse(
  block: Buffer,
  source: ByteSource,
): Promise<{ extents: TarExtent[]; size: number }> {
  const size = readNumber(block, 483, 12, 'real size');
  const extents: TarExtent[] = [];
  let current = block;
  let offset = 386;
  let count = 4;
  let more = block[482] !== 0;
  for (;;) {
    for (let index = 0; index < count; index++) {
      const at = offset + index * 24;
      if (current[at] === 0) break;
      extents.push({
        offset: readNumber(current, at, 12, 'sparse offset'),
        length: readNumber(current, at + 12, 12, 'sparse length'),
      });
    }
    if (!more) return { extents, size };
    if (extents.length > extentLimit || !(await source.fill(blockSize))) throw malformed();
    current = source.take(blockSize);
    offset = 0;
    count = 21;
    more = current[504] !== 0;
  }
}

/** PAX 0.0 (repeated records) and 0.1 (one comma list); undefined when the records hold no map. */
export function readPaxSparse(records: PaxRecords): TarExtent[] | undefined {
  const map = records.findLast(([key]) => key === 'GNU.sparse.map')?.[1];
  if (map !== undefined) {
    const numbers =
      map.length === 0
        ? []
        : map
            .toString('latin1')
            .split(',')
            .map((text) => parsePaxNumber(Buffer.from(text)));
    return pairs(numbers);
  }
  const numbers = records
    .filter(([key]) => key === 'GNU.sparse.offset' || key === 'GNU.sparse.numbytes')
    .map(([, value]) => parsePaxNumber(value));
  return numbers.length === 0 ? undefined : pairs(numbers);
}

/** PAX 1.0: decimal lines at the start of the content, padded to a block. */
export async function readSparseMap(
  source: ByteSource,
  stored: number,
): Promise<{ extents: TarExtent[]; used: number }> {
  const numbers: number[] = [];
  let used = 0;
  let text = '';
  let wanted: number | undefined;
  while (wanted === undefined || numbers.length < wanted) {
    if (used >= stored || !(await source.fill(blockSize))) throw malformed();
    text += source.take(blockSize).toString('latin1');
    used += blockSize;
    const lines = text.split('\n');
    text = lines.pop()!;
    // A number without an end: the whole content would be gathered as one.
    if (text.length > blockSize) throw malformed();
    for (const line of lines) {
      if (wanted !== undefined && numbers.length >= wanted) break;
      const value = parsePaxNumber(Buffer.from(line));
      if (wanted === undefined) {
        if (value > extentLimit) throw malformed();
        wanted = value * 2;
      } else numbers.push(value);
    }
  }
  return { extents: pairs(numbers), used };
}

/** @throws Fault invalid unless the runs ascend, do not overlap, end within `size` and add up to `stored` */
export function checkExtents(extents: readonly TarExtent[], size: number, stored: number): TarExtent[] {
  let end = 0;
  let sum = 0;
  for (const extent of extents) {
    if (extent.offset < end || extent.length < 0) throw malformed();
    end = extent.offset + extent.length;
    sum += extent.length;
    if (end > size) throw malformed();
  }
  if (sum !== stored) throw malformed();
  return extents.filter((extent) => extent.length > 0);
}

function pairs(numbers: readonly number[]): TarExtent[] {
  if (numbers.length % 2 !== 0 || numbers.length > extentLimit * 2) throw malformed();
  return Array.from({ length: numbers.length / 2 }, (_, index) => ({
    offset: numbers[index * 2]!,
    length: numbers[index * 2 + 1]!,
  }));
}

function malformed(): Fault {
  return new Fault('invalid', 'Cannot read archive: malformed sparse map');
}
