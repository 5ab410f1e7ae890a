/**
 * A folder's tree as fsutil tells it (tonistiigi/fsutil, walker.go and filter.go): each entry before what is below it, siblings by the bytes of their
 * names, a second name of a file as a hard link to the first. Links are told, never followed. Calls are synchronous and come in batches: a promise
 * per file costs more than the file does.
 */
import { type BigIntStats, type Dirent, lstatSync, readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { errorCode, Fault } from '../../std/index.ts';
import { type packet, packetType, type stat } from '../message/session.ts';
import type { MessageInit } from '../protobuf/field.ts';
import { goModeOf } from './tree-stat.ts';

export type PacketInit = MessageInit<typeof packet>;

/** Which entries are told; asked about each, a folder before what is below it. */
export interface TreeSelection<Folder> {
  /** What is known above the top. */
  readonly top: Folder;
  /** `below`: what follows for the entries of a folder; undefined leaves it out whole. */
  look(path: string, isFolder: boolean, above: Folder): { isTold: boolean; below: Folder | undefined };
}

export interface TreeOptions {
  /** Everything, if not said. */
  selection?: TreeSelection<unknown> | undefined;
  /** Whose all entries are said to be; their own owners if not said. */
  owner?: { uid: number; gid: number } | undefined;
  /** When all entries are said to have changed, nanoseconds since 1970; their own times if not said. */
  modified?: bigint | undefined;
  /** Devices and named pipes are told too. */
  withNodes?: boolean;
  xattrs?: ((path: string) => ReadonlyMap<string, Uint8Array>) | undefined;
}

interface OpenFolder {
  /** Relative; '' is the top. */
  readonly path: string;
  readonly entries: readonly Dirent[];
  at: number;
  readonly below: unknown;
  isTold: boolean;
}

/** As many entries as are told at once, left out ones included: between batches others get their turn. */
const batchEntries = 1024;

export class TreeWalk {
  readonly #root: string;
  readonly #options: TreeOptions;
  readonly #open: OpenFolder[] = [];
  /** By device and inode, the first name of files with several. */
  readonly #linked = new Map<string, string>();
  /** The files told, by the number of their entry. */
  readonly #paths: (string | undefined)[] = [];
  readonly #sizes: number[] = [];
  #batch: PacketInit[] = [];
  #begun = false;

  constructor(root: string, options: TreeOptions = {}) {
    this.#root = root;
    this.#options = options;
  }

  /** A file that was told; undefined when that entry is none. */
  file(id: number): { path: string; size: number } | undefined {
    const path = this.#paths[id];
    return path === undefined ? undefined : { path, size: this.#sizes[id]! };
  }

  /** The next entries, which may be none yet; undefined after the last. @throws Fault */
  next(): readonly PacketInit[] | undefined {
    if (!this.#begun) {
      this.#begun = true;
      this.#enter('', this.#options.selection?.top, true);
    }
    for (let left = batchEntries; left > 0; left--) {
      const folder = this.#open.at(-1);
      if (folder === undefined) break;
      const entry = folder.entries[folder.at++];
      if (entry === undefined) this.#open.pop();
      else this.#visit(folder, entry);
    }
    const batch = this.#batch;
    this.#batch = [];
    return batch.length === 0 && this.#open.length === 0 ? undefined : batch;
  }

  #visit(folder: OpenFolder, entry: Dirent): void {
    const path = folder.path === '' ? entry.name : `${folder.path}/${entry.name}`;
    const isFolder = entry.isDirectory();
    const { selection } = this.#options;
    const { isTold, below } = selection?.look(path, isFolder, folder.below) ?? { isTold: true, below: true };
    if (isTold) {
      for (const parent of this.#open) this.#tellFolder(parent);
      if (!this.#tell(path)) return;
    }
    if (isFolder && below !== undefined) this.#enter(path, below, isTold);
  }

  #enter(path: string, below: unknown, isTold: boolean): void {
    try {
      const entries = sortByBytes(readdirSync(join(this.#root, path), { withFileTypes: true }));
      this.#open.push({ path, entries, at: 0, below, isTold });
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return;
      // What was left out need not be readable.
      if (!isTold && errorCode(error) === 'EACCES') return;
      throw unreadable(path === '' ? this.#root : path, error);
    }
  }

  /** A folder that is only told for what is in it. */
  #tellFolder(folder: OpenFolder): void {
    if (folder.isTold) return;
    folder.isTold = true;
    this.#tell(folder.path);
  }

  /** @returns whether it is there, and of a kind that is told */
  #tell(path: string): boolean {
    const at = join(this.#root, path);
    const stats = lstatSync(at, { bigint: true, throwIfNoEntry: false });
    if (stats === undefined) {
      if (path.includes('\ufffd')) {
        throw new Fault(
          'invalid',
          `Cannot send ${JSON.stringify(path)}: its name is not UTF-8. Rename it or leave it out`,
        );
      }
      return false;
    }
    const described = this.#describe(at, path, stats);
    if (described === undefined) return false;
    this.#paths.push(stats.isFile() && described.linkName === '' ? path : undefined);
    this.#sizes.push(described.size);
    this.#batch.push({ type: packetType.stat, stat: described });
    return true;
  }

  #describe(at: string, path: string, stats: BigIntStats): Described | undefined {
    const mode = goModeOf(stats);
    if (mode === undefined) return undefined;
    const isNode = !(stats.isFile() || stats.isDirectory() || stats.isSymbolicLink());
    if (isNode && this.#options.withNodes !== true) return undefined;
    const { owner, xattrs } = this.#options;
    const linkName = stats.isSymbolicLink() ? readlinkSync(at) : stats.isFile() ? this.#firstName(path, stats) : '';
    const found = xattrs?.(at);
    return {
      path,
      mode,
      uid: owner?.uid ?? Number(stats.uid),
      gid: owner?.gid ?? Number(stats.gid),
      size: stats.isFile() && linkName === '' ? Number(stats.size) : 0,
      modified: this.#options.modified ?? stats.mtimeNs,
      linkName,
      ...(isNode ? deviceOf(stats.rdev) : {}),
      ...(found === undefined || found.size === 0 ? {} : { xattrs: found }),
    };
  }

  /** The name by which a file was told before; '' the first time. */
  #firstName(path: string, { nlink, dev, ino }: BigIntStats): string {
    if (nlink === 1n) return '';
    const key = `${dev} ${ino}`;
    const first = this.#linked.get(key);
    if (first === undefined) this.#linked.set(key, path);
    return first ?? '';
  }
}

type Described = MessageInit<typeof stat> & { size: number; linkName: string };

/** As strings compare in Go. JavaScript compares UTF-16 units, which is another order only beyond them. */
function sortByBytes(entries: Dirent[]): Dirent[] {
  if (entries.some(({ name }) => /[\ud800-\uffff]/.test(name))) {
    return entries.sort((a, b) => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)));
  }
  return entries.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Linux's dev_t (makedev(3)). */
function deviceOf(rdev: bigint): { deviceMajor: number; deviceMinor: number } {
  return {
    deviceMajor: Number(((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & ~0xfffn)),
    deviceMinor: Number((rdev & 0xffn) | ((rdev >> 12n) & ~0xffn)),
  };
}

export function unreadable(path: string, error: unknown): Fault {
  const code = errorCode(error);
  const why = code === 'EACCES' || code === 'EPERM' ? 'permission denied' : String((error as Error).message);
  return new Fault('forbidden', `Cannot read ${path}: ${why}`, { cause: error });
}
