/** A tree as the entries of one archive. */
import type { TarSource } from '../../oci/index.ts';
import type { LentTree } from './lent-tree.ts';
import { entryOf, linkEntry } from './tree-source.ts';

/** Sorted, with owners, modes, extended attributes, devices and hard links. Every time is `modified` where that is given. */
export function* treeEntries(
  tree: LentTree,
  modified: bigint | undefined,
  signal: AbortSignal,
): Generator<TarSource, void, void> {
  const links = new Map<string, Buffer>();
  const all = tree.walk(Buffer.from('/'), undefined, () => ({ choice: 'take', state: undefined }) as const);
  for (const found of all) {
    signal.throwIfAborted();
    const { path, stat } = found;
    if (path.length === 0) continue;
    const entry = entryOf(path, found);
    if (entry === undefined) continue;
    const times = modified === undefined ? {} : { mtime: modified };
    if (stat.nlink > 1n && entry.type !== 'directory') {
      const inode = `${stat.dev}:${stat.ino}`;
      const first = links.get(inode);
      if (first !== undefined) {
        const { mode, uid, gid, mtime } = entry;
        yield { header: { ...linkEntry(path, first), mode, uid, gid, mtime, ...times } };
        continue;
      }
      links.set(inode, path);
    }
    const header = { ...entry, ...times };
    yield entry.type === 'file' && entry.size > 0 ? { header, body: entry.body() } : { header };
  }
}
