/**
 * The layer between an image and a container's own changes, as Docker has it: the files and folders that every container gets
 * mounts on, and /.dockerenv, by which programs tell that they are in a container. Made once an image; not in diff or commit.
 */
import { closeSync } from 'node:fs';
import { openFlags, openInRoot } from '../linux/index.ts';
import { initChainId, sha256, tarHeader, type TarSource, writeTar } from '../oci/index.ts';
import type { Snapshots } from '../snapshot/index.ts';
import { collectBytes, errorCode } from '../std/index.ts';
import { withRoot } from './rootfs.ts';

const wanted: [path: string, type: 'directory' | 'file' | 'symlink', target?: string][] = [
  ['.dockerenv', 'file'],
  ['dev', 'directory'],
  ['dev/console', 'file'],
  ['dev/pts', 'directory'],
  ['dev/shm', 'directory'],
  ['etc', 'directory'],
  ['etc/hostname', 'file'],
  ['etc/hosts', 'file'],
  ['etc/mtab', 'symlink', '/proc/mounts'],
  ['etc/resolv.conf', 'file'],
  ['proc', 'directory'],
  ['sys', 'directory'],
];

/** The chain id on which a container of this image stands. */
export async function ensureInitLayer(snapshots: Snapshots, parent: string | undefined): Promise<string> {
  const chainId = initChainId(parent);
  if (snapshots.has(chainId)) return chainId;
  const missing = parent === undefined ? wanted : missingIn(snapshots, parent);
  async function* entries(): AsyncGenerator<TarSource> {
    for (const [path, type, target] of missing) {
      const more = target === undefined ? {} : { linkName: Buffer.from(target) };
      yield { header: tarHeader(path, type, path === '.dockerenv' ? { mode: 0o755 } : more) };
    }
  }
  const tar = await collectBytes(writeTar(entries()), 1 << 20);
  async function* bytes(): AsyncGenerator<Uint8Array> {
    yield tar;
  }
  await snapshots.apply({ chainId, parent, diffId: sha256(tar), tar: bytes() });
  return chainId;
}

function missingIn(snapshots: Snapshots, parent: string): typeof wanted {
  using view = snapshots.view(parent);
  return withRoot(view.path, (root) => wanted.filter(([path]) => !exists(root, path)));
}

function exists(root: number, path: string): boolean {
  try {
    closeSync(openInRoot(root, `/${path}`, openFlags.pathNoFollow));
    return true;
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'ELOOP'].includes(errorCode(error) ?? '')) return false;
    throw error;
  }
}
