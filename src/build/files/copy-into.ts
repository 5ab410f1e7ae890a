/**
 * COPY and ADD of files into a root, as BuildKit copies: a folder's content goes into the destination, a file beside what is there or in
 * its place; missing folders are made. Links in the destination lead inside the root only, and no name in a source or an archive leads out.
 */
import { closeSync, openSync } from 'node:fs';
import { posix } from 'node:path';
import { TreeWriter } from '../../container/index.ts';
import { descriptorPath, openFlags, resolveInRoot } from '../../linux/index.ts';
import { tarHeader, type TarEntry } from '../../oci/index.ts';
import { Fault } from '../../std/index.ts';
import { LentTree, type TreeEntry } from './lent-tree.ts';
import { changedMode } from './mode.ts';
import { type Owner, resolveOwner } from './owner.ts';
import { isArchive, unpackArchive } from './archive.ts';
import { foldersOf, type SelectedSource, selectSources, type Selection, walkSource } from './select.ts';
import { contentOf, entryOf, linkEntry } from './tree-source.ts';

export type FileSource =
  | {
      readonly kind: 'tree';
      readonly tree: LentTree;
      readonly selection: Selection;
      /** Files stay whose they are, as between stages; else they are 0:0, as from a context. `owner` beats both. */
      readonly keepOwner: boolean;
      /** With `selection.withParents`: how many folders of a path leave no trace. */
      readonly dropped: number;
      /** Archives are opened, as ADD does: their entries stay whose they are. */
      readonly unpack: boolean;
    }
  | { readonly kind: 'inline'; readonly name: string; readonly content: Buffer };

export interface CopyRequest {
  readonly sources: readonly FileSource[];
  /** Absolute; a slash at its end says it is a folder. */
  readonly destination: string;
  /** `user[:group]`; undefined: as the source has it. */
  readonly owner: string | undefined;
  readonly mode: number | string | undefined;
  /** Of what has no time of its own: made folders, heredocs. Nanoseconds. */
  readonly now: bigint;
}

type TreeSource = Extract<FileSource, { kind: 'tree' }>;

/** From here on the way to another thread and back is worth it. */
const largeBytes = 1 << 20;

const root0: Owner = { uid: 0, gid: 0 };

/** @throws Fault not-found for a source that is not there, invalid for what is in the way or an owner that is not known */
export async function copyInto(root: string, request: CopyRequest, signal: AbortSignal): Promise<void> {
  const owner = request.owner === undefined ? undefined : resolveOwner(root, request.owner);
  using target = new LentTree(root);
  const descriptor = openSync(root, openFlags.directory);
  const writer = new TreeWriter(descriptor, Buffer.alloc(0), { noOverwriteDirNonDir: true, owner: undefined });
  try {
    const copier = new Copier(descriptor, writer, target, {
      ...request,
      place: resolveInRoot(descriptor, request.destination),
      owner,
    });
    for (const source of request.sources) {
      if (source.kind === 'inline') await copier.inline(source);
      else await copier.files(source, signal);
    }
    // Where nothing was copied: WORKDIR, and patterns that match nothing.
    if (request.destination.endsWith('/')) await copier.makeFolders(copier.place);
    writer.finish();
  } finally {
    writer.close();
    closeSync(descriptor);
  }
}

interface Settled extends Omit<CopyRequest, 'owner'> {
  readonly place: string;
  readonly owner: Owner | undefined;
}

class Copier {
  readonly place: string;
  readonly #root: number;
  readonly #writer: TreeWriter;
  readonly #target: LentTree;
  readonly #request: Settled;

  constructor(root: number, writer: TreeWriter, target: LentTree, request: Settled) {
    this.#root = root;
    this.#writer = writer;
    this.#target = target;
    this.#request = request;
    this.place = request.place;
  }

  async inline({ name, content }: Extract<FileSource, { kind: 'inline' }>): Promise<void> {
    const place = await this.#placeOf(Buffer.from(name));
    const { owner = root0, mode, now } = this.#request;
    async function* body(): AsyncGenerator<Uint8Array, void, void> {
      yield content;
    }
    const header = tarHeader(place, 'file', {
      ...owner,
      mode: mode === undefined ? 0o644 : changedMode(0o644, mode, false),
      size: content.length,
      mtime: now,
    });
    const rest = { extents: undefined, storedSize: content.length, body, stored: body, storedNow: () => content };
    await this.#writer.write({ ...header, ...rest });
  }

  async files(source: TreeSource, signal: AbortSignal): Promise<void> {
    const { tree, selection } = source;
    for (const selected of selectSources(tree, selection)) {
      signal.throwIfAborted();
      if (selection.withParents && selected.written.length > 1) await this.#withParents(source, selected, signal);
      else if (tree.stat(selected.path)?.isDirectory() === true) await this.#folder(source, selected, signal);
      else await this.#file(source, selected, signal);
    }
  }

  /** Its content; the folder itself is the destination, and is made as any missing folder is. */
  async #folder(source: TreeSource, selected: SelectedSource, signal: AbortSignal): Promise<void> {
    const there = this.#target.stat(this.place);
    if (there !== undefined && !there.isDirectory())
      throw new Fault('invalid', `cannot copy to non-directory: ${this.place}`);
    await this.makeFolders(this.place);
    const links = new Map<string, Buffer>();
    for (const found of walkSource(source.tree, selected, source.selection)) {
      signal.throwIfAborted();
      if (found.path.length === 0) {
        await this.#date(found.stat.mtimeNs);
        continue;
      }
      const name = below(this.place, found.path);
      await this.#write(name, entryOf(name, found), found, links, source.keepOwner);
    }
  }

  /** The destination is as old as the last folder whose content it got; all else of it stays. */
  async #date(mtime: bigint): Promise<void> {
    const { mode, uid, gid } = this.#target.stat(this.place)!;
    const owner = { uid: Number(uid), gid: Number(gid) };
    await this.#writer.write(folderEntry(Buffer.from(this.place), owner, { mode: Number(mode) & 0o7777, mtime }));
  }

  /** Under its path from the pivot on: the folders on the way are as they are in the source. */
  async #withParents(source: TreeSource, selected: SelectedSource, signal: AbortSignal): Promise<void> {
    await this.makeFolders(this.place);
    const kept = (path: Buffer): Buffer | undefined => {
      const rest = path
        .toString('latin1')
        .split('/')
        .slice(source.dropped + 1);
      return rest.length === 0 ? undefined : below(this.place, Buffer.from(rest.join('/'), 'latin1'));
    };
    for (const folder of foldersOf(selected.written)) {
      const name = kept(folder);
      const real = source.tree.resolve(folder);
      if (name === undefined || real === undefined || this.#target.stat(name)?.isDirectory() === true) continue;
      for (const found of source.tree.walk(real, undefined, () => ({ choice: 'skip', state: undefined }))) {
        await this.#write(name, entryOf(name, found), found, new Map(), source.keepOwner);
      }
    }
    const top = kept(selected.written);
    if (top === undefined) {
      await this.#folder(source, selected, signal);
      return;
    }
    const links = new Map<string, Buffer>();
    for (const found of walkSource(source.tree, selected, source.selection)) {
      signal.throwIfAborted();
      const name = found.path.length === 0 ? top : Buffer.concat([top, Buffer.from('/'), found.path]);
      await this.#write(name, entryOf(name, found), found, links, source.keepOwner);
    }
  }

  async #file(source: TreeSource, selected: SelectedSource, signal: AbortSignal): Promise<void> {
    for (const found of walkSource(source.tree, selected, source.selection)) {
      if (source.unpack && found.stat.isFile() && (await isArchive(contentOf(found)))) {
        await this.makeFolders(this.place, 0o755);
        const { owner } = this.#request;
        await unpackArchive(this.#root, this.place, { bytes: contentOf(found), owner }, signal);
        continue;
      }
      const name = await this.#placeOf(selected.name);
      await this.#write(name, entryOf(name, found), found, new Map(), source.keepOwner);
    }
  }

  /** Where a file of that name goes: into the destination where that is a folder, else in its place. */
  async #placeOf(name: Buffer): Promise<Buffer> {
    if (this.#request.destination.endsWith('/')) await this.makeFolders(this.place);
    if (this.#target.stat(this.place)?.isDirectory() === true) return below(this.place, name);
    await this.makeFolders(posix.dirname(this.place));
    return Buffer.from(this.place);
  }

  async #write(
    name: Buffer,
    entry: TarEntry | undefined,
    { stat, descriptor }: TreeEntry,
    links: Map<string, Buffer>,
    keepOwner: boolean,
  ): Promise<void> {
    if (entry === undefined) return;
    if (stat.nlink > 1n && entry.type !== 'directory') {
      const inode = `${stat.dev}:${stat.ino}`;
      const first = links.get(inode);
      if (first !== undefined) {
        await this.#writer.write(linkEntry(name, first));
        return;
      }
      links.set(inode, name);
    }
    const { mode, owner } = this.#request;
    const written = {
      ...entry,
      ...(owner ?? (keepOwner ? {} : root0)),
      mode:
        mode === undefined || entry.type === 'symlink'
          ? entry.mode
          : changedMode(entry.mode, mode, entry.type === 'directory'),
    };
    if (entry.type !== 'file' || entry.storedSize < largeBytes) {
      await this.#writer.write(written);
      return;
    }
    const file = openSync(descriptorPath(descriptor), openFlags.read);
    try {
      await this.#writer.write(written, file);
    } finally {
      closeSync(file);
    }
  }

  /** BuildKit gives a number to made folders, too, and not what symbols say. */
  #folderMode(): number {
    return typeof this.#request.mode === 'number' ? this.#request.mode : 0o755;
  }

  /** What is missing of the way to `path` and itself. @throws Fault invalid when something else is in the way */
  async makeFolders(path: string, mode = this.#folderMode()): Promise<void> {
    const { owner = root0, now: mtime } = this.#request;
    const parts = path.split('/').filter(Boolean);
    for (const index of parts.keys()) {
      const folder = `/${parts.slice(0, index + 1).join('/')}`;
      const there = this.#target.stat(folder);
      if (there?.isDirectory() === true) continue;
      if (there !== undefined) throw new Fault('invalid', `mkdir ${folder}: not a directory`);
      await this.#writer.write(folderEntry(Buffer.from(folder), owner, { mode, mtime }));
    }
  }
}

function below(place: string, name: Buffer): Buffer {
  return Buffer.concat([Buffer.from(place === '/' ? '/' : `${place}/`), name]);
}

function folderEntry(name: Buffer, owner: Owner, more: { mode: number; mtime: bigint }): TarEntry {
  async function* nothing(): AsyncGenerator<Uint8Array, void, void> {
    // A folder has no content.
  }
  const header = tarHeader(name, 'directory', { ...owner, ...more });
  return { ...header, extents: undefined, storedSize: 0, body: nothing, stored: nothing, storedNow: () => undefined };
}
