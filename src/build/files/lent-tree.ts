/**
 * A directory whose content nobody trusts (what a client sent, another stage's root), held by a descriptor. Links in it lead inside it
 * only, and what is walked is reached name by name, never through a link. Paths are bytes: names need not be UTF-8.
 */
import { type BigIntStats, closeSync, constants, fstatSync, openSync, readdirSync, readlinkSync } from 'node:fs';
import { descriptorPath, errno, must, openAt, openFlags, openInRoot, readLinkAt } from '../../linux/index.ts';
import { errorCode } from '../../std/index.ts';

const notThere = new Set(['ENOENT', 'ENOTDIR', 'ELOOP']);
const slash = Buffer.from('/');

export interface TreeEntry {
  /** From where the walk began, without a slash before it; empty for that place itself. */
  readonly path: Buffer;
  readonly stat: BigIntStats;
  /** An O_PATH descriptor, or for a folder one that can be read; open until the next entry is asked for, a folder's until it was left. */
  readonly descriptor: number;
  /** Of a symlink. */
  readonly target: Buffer | undefined;
}

/** Whether an entry is taken; a folder that is not may be walked all the same, and is taken when something in it is. */
export type Choice = 'take' | 'walk' | 'skip';

/** What a walk knows about a folder while it is in it: given to the choice about what is in it. */
export interface Chosen<State> {
  readonly choice: Choice;
  readonly state: State;
}

export class LentTree implements Disposable {
  readonly #root: number;
  readonly #base: Buffer;

  /** @throws when `path` is no directory */
  constructor(path: string) {
    this.#root = openSync(path, openFlags.directory);
    this.#base = readlinkSync(descriptorPath(this.#root), { encoding: 'buffer' });
  }

  /** The path, absolute in the tree, with every link in it followed; undefined when nothing is there. */
  resolve(path: string | Buffer): Buffer | undefined {
    let descriptor: number;
    try {
      descriptor = openInRoot(this.#root, path, openFlags.path);
    } catch (error) {
      if (notThere.has(errorCode(error) ?? '')) return undefined;
      throw error;
    }
    try {
      const real = readlinkSync(descriptorPath(descriptor), { encoding: 'buffer' });
      const inside = real.subarray(this.#base.length);
      return inside.length === 0 ? slash : inside;
    } finally {
      closeSync(descriptor);
    }
  }

  /** What is at the path, a link itself; undefined when nothing is. */
  stat(path: string | Buffer): BigIntStats | undefined {
    let descriptor: number;
    try {
      descriptor = openInRoot(this.#root, path, openFlags.pathNoFollow);
    } catch (error) {
      if (notThere.has(errorCode(error) ?? '')) return undefined;
      throw error;
    }
    try {
      return fstatSync(descriptor, { bigint: true });
    } finally {
      closeSync(descriptor);
    }
  }

  /**
   * What is at `start`, free of links, and below it: a folder before what is in it, names in the order of their bytes. `choose` is asked
   * about all but the start, with the state of the folder that it is in.
   */
  *walk<State>(
    start: Buffer,
    first: State,
    choose: (path: Buffer, stat: BigIntStats, parent: State) => Chosen<State>,
  ): Generator<TreeEntry, void, void> {
    const descriptor = openInRoot(this.#root, start, openFlags.pathNoFollow);
    try {
      const stat = fstatSync(descriptor, { bigint: true });
      const entry = { path: Buffer.alloc(0), stat, descriptor, target: targetOf(descriptor, stat) };
      if (!stat.isDirectory()) yield entry;
      else yield* walkFolder(descriptor, entry, { first, choose });
    } finally {
      closeSync(descriptor);
    }
  }

  [Symbol.dispose](): void {
    closeSync(this.#root);
  }
}

interface Walk<State> {
  readonly first: State;
  readonly choose: (path: Buffer, stat: BigIntStats, parent: State) => Chosen<State>;
}

interface Folder<State> {
  readonly entry: TreeEntry;
  readonly names: Buffer[];
  readonly state: State;
  taken: boolean;
  at: number;
}

function* walkFolder<State>(start: number, entry: TreeEntry, walk: Walk<State>): Generator<TreeEntry, void, void> {
  const folders: Folder<State>[] = [openFolder(start, Buffer.from('.'), entry, walk.first, false)];
  try {
    yield* taken(folders);
    for (let folder = folders.at(-1); folder !== undefined; folder = folders.at(-1)) {
      const name = folder.names[folder.at++];
      if (name === undefined) {
        folders.pop();
        closeSync(folder.entry.descriptor);
        continue;
      }
      const descriptor = openAt(folder.entry.descriptor, name, openFlags.pathNoFollow);
      if (descriptor === -errno.ENOENT) continue;
      must('openat', descriptor, name);
      try {
        const stat = fstatSync(descriptor, { bigint: true });
        const path = folder.entry.path.length === 0 ? name : Buffer.concat([folder.entry.path, slash, name]);
        const { choice, state } = walk.choose(path, stat, folder.state);
        if (choice === 'skip' || (choice === 'walk' && !stat.isDirectory())) continue;
        const found = { path, stat, descriptor, target: targetOf(descriptor, stat) };
        if (stat.isDirectory()) folders.push(openFolder(descriptor, Buffer.from('.'), found, state, false));
        if (choice === 'walk') continue;
        yield* taken(folders);
        if (!stat.isDirectory()) yield found;
      } finally {
        closeSync(descriptor);
      }
    }
  } finally {
    for (const folder of folders) closeSync(folder.entry.descriptor);
  }
}

/** Those on the way that were only walked so far: something in them is taken now. */
function* taken<State>(folders: readonly Folder<State>[]): Generator<TreeEntry, void, void> {
  for (const folder of folders) {
    if (folder.taken) continue;
    folder.taken = true;
    yield folder.entry;
  }
}

function openFolder<State>(
  parent: number,
  name: Buffer,
  entry: TreeEntry,
  state: State,
  isTaken: boolean,
): Folder<State> {
  const descriptor = must('openat', openAt(parent, name, openFlags.directory | constants.O_NOFOLLOW), entry.path);
  const names = readdirSync(descriptorPath(descriptor), { encoding: 'buffer' }).sort((a, b) => a.compare(b));
  return { entry: { ...entry, descriptor }, names, state, taken: isTaken, at: 0 };
}

function targetOf(descriptor: number, stat: BigIntStats): Buffer | undefined {
  // An empty name means the link that the descriptor itself holds (readlinkat(2)).
  return stat.isSymbolicLink() ? readLinkAt(descriptor, Buffer.alloc(0)) : undefined;
}
