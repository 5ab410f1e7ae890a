/** `type=tar` and `type=local`: the files of the image's root, and nothing of the image. */
import { mkdirSync } from 'node:fs';
import { mkdtemp, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { formatPlatform, type Platform, writeTar } from '../../oci/index.ts';
import { mount, mountFlags, unmount } from '../../linux/index.ts';
import type { Snapshots } from '../../snapshot/index.ts';
import { LentTree } from '../files/lent-tree.ts';
import { treeEntries } from '../files/tree-entries.ts';
import type { FinishedBuild } from './door.ts';

type Root = Pick<FinishedBuild, 'chain'>;

/** Sorted, with owners, modes, extended attributes, devices and hard links. Every time is `modified` where that is given. */
export async function* rootTar(
  snapshots: Snapshots,
  { chain }: Root,
  modified: bigint | undefined,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, void> {
  if (chain === undefined) {
    yield* writeTar([]);
    return;
  }
  using view = snapshots.view(chain);
  using tree = new LentTree(view.path);
  yield* writeTar(treeEntries(tree, modified, signal));
}

/** The root as a folder, in one named after the platform where `platform` is given; until it is disposed. Nobody can write to it. */
export async function rootFolder(
  folder: string,
  snapshots: Snapshots,
  { chain }: Root,
  platform: Platform | undefined,
): Promise<{ path: string } & AsyncDisposable> {
  await using loans = new AsyncDisposableStack();
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const path = await mkdtemp(join(folder, 'root-'));
  loans.defer(() => rmdir(path));
  if (platform === undefined) {
    if (chain === undefined) return kept(path, loans);
    return kept(loans.use(snapshots.view(chain)).path, loans);
  }
  const below = join(path, formatPlatform(platform).replaceAll('/', '_'));
  mkdirSync(below, { mode: 0o755 });
  loans.defer(() => rmdir(below));
  if (chain !== undefined) {
    const view = loans.use(snapshots.view(chain));
    mount({ source: view.path, target: below, flags: mountFlags.bind });
    loans.defer(() => unmount(below));
  }
  return kept(path, loans);
}

function kept(path: string, loans: AsyncDisposableStack): { path: string } & AsyncDisposable {
  const moved = loans.move();
  return { path, [Symbol.asyncDispose]: () => moved.disposeAsync() };
}
