/** The folders behind `RUN --mount=type=cache`: they outlive builds, and are in no layer. */
import { chmodSync, chownSync, existsSync, mkdirSync, renameSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { copyTreeContent } from '../../linux/index.ts';
import { digestHex, sha256 } from '../../oci/index.ts';
import { KeyedMutex, Slots } from '../../std/index.ts';
import type { ExecMount } from '../plan/step.ts';

export type CacheMount = Extract<ExecMount, { type: 'cache' }>;

export class CacheMounts {
  readonly #root: string;
  readonly #making = new KeyedMutex();
  readonly #users = new Map<string, Slots>();

  constructor(root: string) {
    this.#root = root;
    mkdirSync(root, { recursive: true, mode: 0o700 });
  }

  /**
   * The mount's folder, for as long as `loans` last. `locked` and `private` ones are one step's at a time: whoever comes second waits, and
   * finds what the first left. Take several in the order of their ids, lest two steps wait for each other. `begin` is the folder that a
   * new one starts as a copy of.
   */
  async lend(
    mount: CacheMount,
    begin: string | undefined,
    loans: AsyncDisposableStack,
    signal: AbortSignal,
  ): Promise<string> {
    const name = digestHex(sha256(JSON.stringify([mount.id, mount.from, mount.source])));
    const folder = join(this.#root, name);
    if (mount.sharing !== 'shared') {
      let users = this.#users.get(name);
      if (users === undefined) {
        users = new Slots(1);
        this.#users.set(name, users);
      }
      loans.use(await users.take(signal));
    }
    await this.#making.run(name, () => make(folder, mount, begin, signal));
    return folder;
  }
}

/** There whole or not at all. */
async function make(folder: string, mount: CacheMount, begin: string | undefined, signal: AbortSignal): Promise<void> {
  if (existsSync(folder)) return;
  const half = `${folder}.new`;
  await rm(half, { recursive: true, force: true });
  mkdirSync(half);
  if (begin !== undefined) await copyTreeContent(begin, half, signal);
  chownSync(half, mount.owner?.uid ?? 0, mount.owner?.gid ?? 0);
  chmodSync(half, mount.owner?.mode ?? 0o755);
  renameSync(half, folder);
}
