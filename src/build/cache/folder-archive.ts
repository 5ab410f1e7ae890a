/** The folder of a cache mount as an archive, and back. What comes from elsewhere may be hostile: it stays inside, and within bounds. */
import { chmodSync, chownSync, closeSync, openSync, readdirSync, statSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { TreeWriter } from '../../container/index.ts';
import { decompress } from '../../image/index.ts';
import { openFlags } from '../../linux/index.ts';
import { readTar, writeTar } from '../../oci/index.ts';
import { Fault, humanSize } from '../../std/index.ts';
import { LentTree } from '../files/lent-tree.ts';
import { treeEntries } from '../files/tree-entries.ts';

const mostEntries = 1_000_000;

export interface FolderAttributes {
  mode: number;
  uid: number;
  gid: number;
}

export function attributesOf(path: string): FolderAttributes {
  const { mode, uid, gid } = statSync(path);
  return { mode: mode & 0o7777, uid, gid };
}

/** Of what is in it. @throws Fault invalid beyond `limit` bytes; internal when somebody changes it meanwhile */
export async function* packFolder(
  path: string,
  limit: number,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, void> {
  using tree = new LentTree(path);
  yield* within(writeTar(treeEntries(tree, undefined, signal)), limit);
}

/** @throws Fault invalid for a broken archive, one that leads out, one with devices, or one beyond `limit` bytes */
export async function unpackFolder(
  path: string,
  { mode, uid, gid }: FolderAttributes,
  archive: AsyncIterable<Uint8Array>,
  limit: number,
  signal: AbortSignal,
): Promise<void> {
  const root = openSync(path, openFlags.directory);
  try {
    const writer = new TreeWriter(root, Buffer.alloc(0), { noOverwriteDirNonDir: false, owner: undefined });
    try {
      let count = 0;
      for await (const entry of readTar(within(decompress(archive), limit))) {
        signal.throwIfAborted();
        if (++count > mostEntries) throw new Fault('invalid', `it has more than ${mostEntries} files`);
        if (entry.type === 'character' || entry.type === 'block')
          throw new Fault('invalid', `${JSON.stringify(entry.name.toString())} in it is a device`);
        await writer.write(entry);
      }
      writer.finish();
    } finally {
      writer.close();
    }
  } finally {
    closeSync(root);
  }
  chownSync(path, uid, gid);
  chmodSync(path, mode);
}

/** As if nothing had been put into it. */
export async function emptyFolder(path: string): Promise<void> {
  for (const name of readdirSync(path, { encoding: 'buffer' }))
    await rm(Buffer.concat([Buffer.from(`${path}/`), name]), { recursive: true, force: true });
}

async function* within(bytes: AsyncIterable<Uint8Array>, limit: number): AsyncGenerator<Uint8Array, void, void> {
  let size = 0;
  for await (const chunk of bytes) {
    size += chunk.length;
    if (size > limit) throw new Fault('invalid', `it is larger than ${humanSize(limit)} (cache-mounts-limit)`);
    yield chunk;
  }
}
