/** Copies of clients' directories, kept between builds so that a second build transfers only what changed. They die with the process. */
import { mkdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { randomId, runProgram } from '../../std/index.ts';
import { type PacketCall, receiveTree, TreeIndex, type TreeVerbs } from './receive-tree.ts';

interface Copy {
  readonly path: string;
  readonly index: TreeIndex;
  /** Grows when its files change. */
  generation: number;
}

export interface KeptTrees {
  copies: number;
  /** Of all copies together: what is known of each is held in memory, some 400 bytes. The last copy is kept, however large. */
  entries: number;
}

const usual: KeptTrees = { copies: 16, entries: 150_000 };

export class LocalTrees implements AsyncDisposable {
  readonly #root: string;
  readonly #verbs: TreeVerbs;
  readonly #kept: KeptTrees;
  /** By shared key; the least recently used first. A copy in use is not here. */
  readonly #idle = new Map<string, Copy>();
  /** A large copy takes seconds to delete: nobody waits for it. */
  readonly #deleting = new Set<Promise<void>>();

  /** `root` is a folder of ours, empty. */
  constructor(root: string, verbs: TreeVerbs, kept = usual) {
    this.#kept = kept;
    this.#root = root;
    this.#verbs = verbs;
  }

  /**
   * Receives into the idle copy of that key or a new folder. A copy that nobody can ask for again (no key), or whose transfer failed, is
   * thrown away. @throws Fault
   */
  async receive(
    key: string | undefined,
    call: PacketCall,
  ): Promise<{ path: string; transferred: number; version: string } & AsyncDisposable> {
    const copy = this.#idle.get(key ?? '') ?? {
      path: join(this.#root, randomId()),
      index: new TreeIndex(),
      generation: 0,
    };
    if (key !== undefined) this.#idle.delete(key);
    try {
      mkdirSync(copy.path, { recursive: true, mode: 0o700 });
      const { folder, index } = { folder: copy.path, index: copy.index };
      const { transferred, changed } = await receiveTree(call, { folder, index, verbs: this.#verbs });
      if (changed) copy.generation++;
      let returned = false;
      const giveBack = async (): Promise<void> => {
        if (returned) return;
        returned = true;
        if (key === undefined) await rm(copy.path, { recursive: true, force: true });
        else this.#keep(key, copy);
      };
      return {
        path: copy.path,
        transferred,
        version: `${copy.path} ${copy.generation}`,
        [Symbol.asyncDispose]: giveBack,
      };
    } catch (error) {
      await rm(copy.path, { recursive: true, force: true });
      throw error;
    }
  }

  /** A folder for what a client uploads whole, and what unpacks into it. The caller removes it. */
  async unpack(bytes: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<string> {
    const path = join(this.#root, randomId());
    mkdirSync(path, { recursive: true, mode: 0o700 });
    try {
      await this.#verbs.unpackArchive(bytes, path, signal);
      return path;
    } catch (error) {
      await rm(path, { recursive: true, force: true });
      throw error;
    }
  }

  #keep(key: string, copy: Copy): void {
    const other = this.#idle.get(key);
    this.#idle.delete(key);
    this.#idle.set(key, copy);
    if (other !== undefined) this.#delete(other);
    let entries = 0;
    for (const { index } of this.#idle.values()) entries += index.entries.size;
    for (const [oldest, other] of this.#idle) {
      const isTooMuch = this.#idle.size > this.#kept.copies || entries > this.#kept.entries;
      if (!isTooMuch || this.#idle.size === 1) break;
      this.#idle.delete(oldest);
      entries -= other.index.entries.size;
      this.#delete(other);
    }
  }

  /**
   * By a program: Node deletes all entries of a folder at once, and 100,000 of them take 150 MB meanwhile. What cannot be deleted goes with the
   * process: the folder is emptied when the next one starts.
   */
  #delete({ path }: Copy): void {
    const deleted: Promise<void> = runProgram('rm', ['-rf', '--', path])
      .then(
        () => {},
        () => {},
      )
      .finally(() => this.#deleting.delete(deleted));
    this.#deleting.add(deleted);
  }

  /** Deletes those that no build uses. */
  async forget(): Promise<void> {
    const copies = [...this.#idle.values()];
    this.#idle.clear();
    for (const copy of copies) this.#delete(copy);
    await Promise.all(this.#deleting);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.forget();
  }
}
