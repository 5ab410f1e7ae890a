/**
 * A folder's tree as fsutil tells it (tonistiigi/fsutil, walker.go and filter.go): each entry before what is below it, siblings by the bytes of their
 * names, a second name of a file as a hard link to the first. Links are told, never followed. Calls are synchronous and come in batches: a promise
 * per file costs more than the file does.
 */
import { type BigIntStats, lstatSync, readdirSync, readlinkSync } from 'node:fs';
import { errorCode, Fault, messageOf } from '../../std/index.ts';
import { type packet, packetType } from '../message/session.ts';
import type { Frames } from '../grpc/frame.ts';
import { goModeOf, unixKind } from './tree-stat.ts';

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
  readonly stats: BigIntStats | undefined;
  readonly names: readonly string[];
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
  readonly #told: Frames<typeof packet>;
  #begun = false;

  /** @param told takes the entries. */
  constructor(root: string, told: Frames<typeof packet>, options: TreeOptions = {}) {
    this.#told = told;
    this.#root = root.endsWith('/') ? root : `${root}/`;
    this.#options = options;
  }

  /** A file that was told; undefined when that entry is none. */
  file(id: number): { path: string; size: number } | undefined {
    const path = this.#paths[id];
    return path === undefined ? undefined : { path, size: this.#sizes[id]! };
  }

  /** Tells the next entries. @returns whether there may be more. @throws Fault */
  next(): boolean {
    if (!this.#begun) {
      this.#begun = true;
      this.#enter('', undefined, this.#options.selection?.top, true);
    }
    for (let left = batchEntries; left > 0; left--) {
      const folder = this.#open.at(-1);
      if (folder === undefined) return false;
      const name = folder.names[folder.at++];
      if (name === undefined) this.#open.pop();
      else this.#visit(folder, folder.path === '' ? name : `${folder.path}/${name}`);
    }
    return true;
  }

  #visit(folder: OpenFolder, path: string): void {
    const stats = lstatSync(this.#root + path, withNanoseconds);
    if (stats === undefined) {
      if (!path.includes('\ufffd')) return;
      throw new Fault(
        'invalid',
        `Cannot send ${JSON.stringify(path)}: its name is not UTF-8. Rename it or leave it out`,
      );
    }
    const isFolder = (Number(stats.mode) & unixKind.mask) === unixKind.folder;
    const { selection } = this.#options;
    if (selection === undefined) {
      this.#tell(path, stats);
      if (isFolder) this.#enter(path, stats, undefined, true);
      return;
    }
    const { isTold, below } = selection.look(path, isFolder, folder.below);
    if (isTold) {
      for (const parent of this.#open) this.#tellFolder(parent);
      this.#tell(path, stats);
    }
    if (isFolder && below !== undefined) this.#enter(path, stats, below, isTold);
  }

  #enter(path: string, stats: BigIntStats | undefined, below: unknown, isTold: boolean): void {
    try {
      this.#open.push({ path, stats, names: sortByBytes(readdirSync(this.#root + path)), at: 0, below, isTold });
    } catch (error) {
      if (path === '') throw unreadable(this.#root, error);
      if (errorCode(error) === 'ENOENT') return;
      // What was left out need not be readable.
      if (!isTold && errorCode(error) === 'EACCES') return;
      throw unreadable(path, error);
    }
  }

  /** A folder that is only told for what is in it. */
  #tellFolder(folder: OpenFolder): void {
    if (folder.isTold || folder.stats === undefined) return;
    folder.isTold = true;
    this.#tell(folder.path, folder.stats);
  }

  /** Unless it is of a kind that is not told. */
  #tell(path: string, stats: BigIntStats): void {
    const mode = Number(stats.mode);
    const kind = mode & unixKind.mask;
    const isFile = kind === unixKind.file;
    const goMode = goModeOf(mode);
    const isNode = !isFile && kind !== unixKind.folder && kind !== unixKind.link;
    if (goMode === undefined || (isNode && this.#options.withNodes !== true)) return;
    const linkName =
      kind === unixKind.link ? readlinkSync(this.#root + path) : isFile ? this.#firstName(path, stats) : '';
    const hasContent = isFile && linkName === '';
    const size = hasContent ? Number(stats.size) : 0;
    const { owner, xattrs } = this.#options;
    const described = {
      path,
      mode: goMode,
      uid: owner === undefined ? Number(stats.uid) : owner.uid,
      gid: owner === undefined ? Number(stats.gid) : owner.gid,
      size,
      modified: this.#options.modified ?? stats.mtimeNs,
      linkName,
      ...(isNode ? deviceOf(stats.rdev) : undefined),
      xattrs: xattrs?.(this.#root + path),
    };
    this.#paths.push(hasContent ? path : undefined);
    this.#sizes.push(size);
    this.#told.add({ type: packetType.stat, stat: described });
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

const withNanoseconds = { bigint: true, throwIfNoEntry: false } as const;

/** As strings compare in Go. JavaScript compares UTF-16 units, which is another order only beyond them. */
function sortByBytes(names: string[]): string[] {
  if (names.some((name) => /[\ud800-\uffff]/.test(name))) {
    return names.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  }
  return names.sort();
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
  const why = code === 'EACCES' || code === 'EPERM' ? 'permission denied' : messageOf(error);
  return new Fault('forbidden', `Cannot read ${path}: ${why}`, { cause: error });
}
