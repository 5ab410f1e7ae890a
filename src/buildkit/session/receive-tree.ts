/**
 * The receiving side of fsutil's DiffCopy (tonistiigi/fsutil, receive.go): the other side tells what it has, we ask for what differs from our last
 * copy. The folder is ours alone and every entry's parent is a folder of this very transfer, so no link of theirs is ever walked through.
 * File calls are synchronous: a context is many small files, and a turn of the thread pool costs more than they do.
 */
import { chmodSync, closeSync, linkSync, mkdirSync, openSync, rmSync, symlinkSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { Fault } from '../../std/index.ts';
import type { GrpcCall } from '../grpc/client.ts';
import { type packet, packetType } from '../message/session.ts';
import type { Message } from '../protobuf/field.ts';
import { checkLinkTarget, checkPath, type EntryKind, entryKind, type TreeStat, unixMode } from './tree-stat.ts';

export type PacketCall = GrpcCall<typeof packet, typeof packet>;

/** What Node cannot do to files. `path` never needs following. */
export interface TreeVerbs {
  setModified(path: string, nanoseconds: bigint): void;
  /** Makes the entry's xattrs these and no others; `security.capability` and `user.*` are what clients send. */
  setXattrs(path: string, xattrs: ReadonlyMap<string, Uint8Array>): void;
  /** A device or a named pipe. `mode` is Go's os.FileMode. */
  makeNode(path: string, stat: TreeStat): void;
  /** Unpacks a tar, compressed or not, into an empty folder; links in it are never walked through. @throws Fault */
  unpackArchive(bytes: AsyncIterable<Uint8Array>, folder: string, signal: AbortSignal): Promise<void>;
}

/** What a tree holds, by path. */
export class TreeIndex {
  readonly entries = new Map<string, KnownEntry>();
  /** Counts transfers into it. */
  pass = 0;
}

/** What was last said of an entry. */
interface KnownEntry {
  /** The transfer that told of it last. */
  pass: number;
  kind: EntryKind;
  /** It is here as it was described. */
  isWhole: boolean;
  mode: number;
  size: number;
  modified: bigint;
  /** Link, device and xattrs; '' for most. */
  rest: string;
}

const maxEntries = 2_000_000;
/** Names, link targets and xattrs of all entries: what is held in memory for them. */
const maxDescriptionBytes = 512 << 20;
/** Files asked for and not yet complete. */
const maxAsked = 4096;
/** Of those, files whose content has begun to come: each holds a descriptor. fsutil sends four at a time. */
const maxOpenFiles = 64;

export interface Received {
  /** Bytes of content. */
  transferred: number;
  /** Whether the folder is another than before, times of folders aside. */
  changed: boolean;
}

/** Brings `folder`, which holds what `index` says, to what the other side has. @throws Fault */
export async function receiveTree(
  call: PacketCall,
  { folder, index, verbs }: { folder: string; index: TreeIndex; verbs: TreeVerbs },
): Promise<Received> {
  using receiver = new Receiver(call, folder, index, verbs);
  for await (const packets of call.batches) {
    for (const each of packets) receiver.take(each);
    await receiver.ask();
  }
  if (!receiver.finished) throw new Fault('unavailable', 'Cannot receive files: the other side stopped early');
  const { transferred, changed } = receiver;
  return { transferred, changed };
}

class Receiver implements Disposable {
  transferred = 0;
  changed = false;
  finished = false;
  readonly #call: PacketCall;
  readonly #folder: string;
  readonly #entries: Map<string, KnownEntry>;
  readonly #pass: number;
  readonly #verbs: TreeVerbs;
  readonly #folders: TreeStat[] = [];
  /** Hard links, made when what they lead to is whole. */
  readonly #links: TreeStat[] = [];
  #wanted: { id: number; stat: TreeStat }[] = [];
  readonly #asked = new Map<number, TreeStat>();
  readonly #open = new Map<number, number>();
  readonly #umask = process.umask();
  #told = 0;
  #described = 0;
  #walked = false;
  /** Of `#wanted`, how many were asked for. */
  #askedFor = 0;
  /** All is here and the client was told so. */
  #complete = false;

  constructor(call: PacketCall, folder: string, index: TreeIndex, verbs: TreeVerbs) {
    this.#call = call;
    this.#folder = folder;
    this.#entries = index.entries;
    this.#pass = ++index.pass;
    this.#verbs = verbs;
  }

  take({ type, stat, id, data }: Message<typeof packet>): void {
    if (type === packetType.stat) {
      if (stat === undefined || stat.path === '') this.#walked = true;
      else this.#entry(stat);
    } else if (type === packetType.data) this.#data(id, data);
    else if (type === packetType.error) throw new Fault('invalid', `Cannot receive files: ${data.toString()}`);
    else if (type === packetType.finish) {
      if (!this.#complete) throw protocol('its end before all content');
      this.finished = true;
      this.#call.end();
    } else throw protocol(`packet type ${type}`);
  }

  /** Asks for what is wanted next; when all is here, tells so. */
  async ask(): Promise<void> {
    const until = Math.min(this.#wanted.length, this.#askedFor + maxAsked - this.#asked.size);
    if (until > this.#askedFor) {
      const next = this.#wanted.slice(this.#askedFor, until);
      this.#askedFor = until;
      if (until >= maxAsked) {
        this.#wanted = this.#wanted.slice(until);
        this.#askedFor = 0;
      }
      for (const { id, stat } of next) this.#asked.set(id, stat);
      await this.#call.send(...next.map(({ id }) => ({ type: packetType.request, id })));
    }
    if (!this.#walked || this.#asked.size > 0 || this.#complete) return;
    this.#complete = true;
    for (const [path, { pass, kind }] of this.#entries) if (pass !== this.#pass) this.#remove(path, kind);
    for (const stat of this.#links) {
      linkSync(join(this.#folder, stat.linkName), join(this.#folder, stat.path));
      this.#entries.get(stat.path)!.isWhole = true;
    }
    for (const stat of this.#folders.reverse()) this.#settle(stat);
    await this.#call.send({ type: packetType.finish });
  }

  #entry(stat: TreeStat): void {
    const id = this.#told++;
    if (this.#walked) throw protocol('an entry after the last');
    if (id >= maxEntries) throw new Fault('invalid', `Cannot receive files: over ${maxEntries} files`);
    this.#described += descriptionBytes(stat);
    if (this.#described > maxDescriptionBytes) {
      throw new Fault('invalid', `Cannot receive files: over ${maxDescriptionBytes} bytes of names and attributes`);
    }
    const path = checkPath(stat.path);
    const known = this.#entries.get(path);
    if (known?.pass === this.#pass) throw protocol(`${JSON.stringify(path)} twice`);
    const slash = path.lastIndexOf('/');
    if (slash >= 0 && this.#toldKind(path.slice(0, slash)) !== 'folder') {
      throw protocol(`${JSON.stringify(path)} without its folder`);
    }
    const kind = entryKind(stat);
    const rest = restOf(stat);
    if (known !== undefined && isSame(known, kind, stat, rest)) {
      known.pass = this.#pass;
      return;
    }
    const isFolderStill = kind === 'folder' && known?.kind === 'folder';
    if (!isFolderStill || known.mode !== stat.mode || known.rest !== rest) this.changed = true;
    if (known !== undefined && !isFolderStill) this.#remove(path, known.kind);
    const { mode, size, modified } = stat;
    this.#entries.set(path, { pass: this.#pass, kind, isWhole: false, mode, size, modified, rest });
    this.#make(id, kind, stat, isFolderStill);
  }

  /** Of an entry of this transfer. */
  #toldKind(path: string): EntryKind | undefined {
    const known = this.#entries.get(path);
    return known?.pass === this.#pass ? known.kind : undefined;
  }

  #make(id: number, kind: EntryKind, stat: TreeStat, isFolderStill: boolean): void {
    if (kind === 'socket') return;
    const at = join(this.#folder, stat.path);
    if (kind === 'folder') {
      if (!isFolderStill) mkdirSync(at, { mode: 0o700 });
      this.#folders.push(stat);
    } else if (kind === 'link') {
      symlinkSync(checkLinkTarget(stat), at);
      this.#settle(stat);
    } else if (kind === 'node') {
      this.#verbs.makeNode(at, stat);
      this.#settle(stat);
    } else if (stat.linkName === '') {
      this.#wanted.push({ id, stat });
    } else {
      const isFile = stat.linkName !== stat.path && this.#toldKind(checkPath(stat.linkName)) === 'file';
      if (!isFile) throw protocol(`a hard link to ${JSON.stringify(stat.linkName)}`);
      this.#links.push(stat);
    }
  }

  #remove(path: string, kind: EntryKind): void {
    this.changed = true;
    rmSync(join(this.#folder, path), { recursive: true, force: true });
    this.#entries.delete(path);
    if (kind !== 'folder') return;
    // What was below went with it.
    const below = `${path}/`;
    for (const each of this.#entries.keys()) if (each.startsWith(below)) this.#entries.delete(each);
  }

  #data(id: number, data: Uint8Array): void {
    const stat = this.#asked.get(id);
    if (stat === undefined) throw protocol(`content of entry ${id}, which nobody asked for`);
    let descriptor = this.#open.get(id);
    if (descriptor === undefined) {
      if (this.#open.size >= maxOpenFiles) throw protocol(`more than ${maxOpenFiles} files at once`);
      descriptor = openSync(`${this.#folder}/${stat.path}`, 'wx', unixMode(stat) & 0o777);
      this.#open.set(id, descriptor);
    }
    this.transferred += data.length;
    if (data.length > 0) {
      for (let at = 0; at < data.length; ) at += writeSync(descriptor, data, at);
      return;
    }
    closeSync(descriptor);
    this.#open.delete(id);
    this.#asked.delete(id);
    this.#settle(stat);
  }

  /** The entry's attributes, once nothing changes it any more; only then is it what the other side described. */
  #settle(stat: TreeStat): void {
    const at = `${this.#folder}/${stat.path}`;
    const { kind } = this.#entries.get(stat.path)!;
    const mode = unixMode(stat);
    // A file was opened with its mode.
    if (kind !== 'link' && !(kind === 'file' && (mode & (this.#umask | 0o7000)) === 0)) chmodSync(at, mode);
    // A folder may be the one of last time, with attributes of then.
    if (stat.xattrs.size > 0 || kind === 'folder') this.#verbs.setXattrs(at, stat.xattrs);
    this.#verbs.setModified(at, stat.modified);
    this.#entries.get(stat.path)!.isWhole = true;
  }

  [Symbol.dispose](): void {
    for (const descriptor of this.#open.values()) closeSync(descriptor);
  }
}

/** A folder's times change with what is in it, and a hard link's other name is not in its own description: those are always made anew. */
function isSame(
  known: KnownEntry,
  kind: EntryKind,
  { mode, size, modified, linkName }: TreeStat,
  rest: string,
): boolean {
  if (kind === 'folder' || (kind === 'file' && linkName !== '')) return false;
  return (
    known.isWhole &&
    known.kind === kind &&
    known.mode === mode &&
    known.size === size &&
    known.modified === modified &&
    known.rest === rest
  );
}

function restOf({ linkName, deviceMajor, deviceMinor, xattrs }: TreeStat): string {
  if (linkName === '' && xattrs.size === 0 && deviceMajor === 0 && deviceMinor === 0) return '';
  const attributes = [...xattrs].map(([name, value]) => `${name}=${Buffer.from(value).toString('base64')}`).toSorted();
  return JSON.stringify([linkName, deviceMajor, deviceMinor, ...attributes]);
}

function descriptionBytes({ path, linkName, xattrs }: TreeStat): number {
  let bytes = path.length + linkName.length;
  if (xattrs.size === 0) return bytes;
  for (const [name, value] of xattrs) bytes += name.length + value.length;
  return bytes;
}

function protocol(why: string): Fault {
  return new Fault('invalid', `Cannot receive files: the other side sent ${why}`);
}
