/** Fresh paths under one folder for things half made or half deleted; what a crash leaves there is nobody's. */
import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { spreadDirectories, unmount } from '../linux/index.ts';
import { removeTree } from './remove-tree.ts';

export class Scratch {
  readonly #root: string;
  readonly #busy = new Set<string>();

  constructor(root: string) {
    this.#root = root;
    mkdirSync(root, { recursive: true, mode: 0o711 });
    // Layers and snapshots are made here and moved to their places.
    spreadDirectories(root);
  }

  /** A path that nothing has; `release` or `remove` it. */
  take(): string {
    const name = randomBytes(6).toString('hex');
    this.#busy.add(name);
    return join(this.#root, name);
  }

  /** What was made there has been moved to its place. */
  release(path: string): void {
    this.#busy.delete(path.slice(this.#root.length + 1));
  }

  async remove(path: string): Promise<void> {
    try {
      await removeTree(path);
    } finally {
      this.release(path);
    }
  }

  /** Paths that nobody works on. */
  strays(): string[] {
    return readdirSync(this.#root)
      .filter((name) => !this.#busy.has(name))
      .map((name) => join(this.#root, name));
  }

  /** Deletes what a crash left. */
  async clear(): Promise<void> {
    for (const path of this.strays()) {
      unmount(join(path, 'merged'));
      await removeTree(path);
    }
  }
}
