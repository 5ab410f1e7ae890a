/** What standard input is by its first bytes. */

const magics = [
  [0x42, 0x5a, 0x68],
  [0x1f, 0x8b, 0x08],
  [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00],
  [0x28, 0xb5, 0x2f, 0xfd],
].map((bytes) => Buffer.from(bytes));

const blockBytes = 512;

/** bzip2, gzip, xz, zstd, or a tar whose first header adds up (POSIX ustar). */
export function isArchive(head: Buffer): boolean {
  return magics.some((magic) => head.subarray(0, magic.length).equals(magic)) || isTarHeader(head);
}

function isTarHeader(head: Buffer): boolean {
  if (head.length < blockBytes) return false;
  const block = head.subarray(0, blockBytes);
  const said = Number.parseInt(block.toString('latin1', 148, 156).replace(/[\0 ].*$/s, ''), 8);
  let sum = 0;
  block.forEach((byte, index) => {
    // The sum itself counts as spaces.
    sum += index >= 148 && index < 156 ? 0x20 : byte;
  });
  return said === sum && sum > 8 * 0x20;
}

/** The first block, and all bytes, it included. */
export async function sniffBytes(
  source: AsyncIterable<Uint8Array>,
): Promise<{ head: Buffer; bytes: AsyncIterable<Uint8Array> }> {
  const pieces = source[Symbol.asyncIterator]();
  let head: Buffer = Buffer.alloc(0);
  while (head.length < blockBytes) {
    const { value, done } = await pieces.next();
    if (done === true) break;
    head = Buffer.concat([head, value]);
  }
  async function* bytes(): AsyncGenerator<Uint8Array, void, void> {
    yield head;
    for (let next = await pieces.next(); next.done !== true; next = await pieces.next()) yield next.value;
  }
  return { head, bytes: bytes() };
}
