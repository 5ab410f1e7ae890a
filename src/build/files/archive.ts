/** Archives that ADD opens: tar, plain or compressed. */
import { TreeWriter } from '../../container/index.ts';
import { decompress } from '../../image/index.ts';
import { readTar } from '../../oci/index.ts';
import { faultKind } from '../../std/index.ts';
import type { Owner } from './owner.ts';

/**
 * Whether the bytes begin as a tar archive with anything in it; as in Docker an archive is known by that, not by its name.
 * @throws Fault unavailable when the program that could tell is not installed
 */
export async function isArchive(bytes: AsyncIterable<Uint8Array>): Promise<boolean> {
  try {
    for await (const _entry of readTar(decompress(bytes))) return true;
    return false;
  } catch (error) {
    if (faultKind(error) === 'invalid') return false;
    throw error;
  }
}

/** Into the folder `place` of the root, what is in the way giving way; entries are the owner's, or whose they say. @throws Fault invalid for a broken archive, or one that leads out */
export async function unpackArchive(
  root: number,
  place: string,
  { bytes, owner }: { bytes: AsyncIterable<Uint8Array>; owner: Owner | undefined },
  signal: AbortSignal,
): Promise<void> {
  const base = Buffer.from(place === '/' ? '' : place);
  const writer = new TreeWriter(root, base, { noOverwriteDirNonDir: false, owner });
  try {
    for await (const entry of readTar(decompress(bytes))) {
      signal.throwIfAborted();
      await writer.write(entry);
    }
    writer.finish();
  } finally {
    writer.close();
  }
}
