/**
 * The receiving side of fsutil's DiffCopy (tonistiigi/fsutil, receive.go): the other side tells what it has, we ask for what differs from our last
 * copy. The folder is ours alone and every entry's parent is a folder of this very transfer, so no link of theirs is ever walked through.
 * File calls are synchronous: a context is many small files, and a turn of the thread pool costs more than they do.
 */
import { chmodSync, closeSync, linkSync, mkdirSync, openSync, rmSync, symlinkSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Fault } from '../../std/index.ts';
import type { GrpcCall } from '../grpc/client.ts';
import { type packet, packetType } from '../message/session.ts';
import type { Message } from '../protobuf/field.ts';
import { checkLinkTarget, checkPath, entryKind, type TreeStat, unixMode } from './tree-stat.ts';

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

/** What a tree holds, by path: a text that changes when the entry does. */
export type TreeIndex = Map<string, string>;

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
  /** Whether the folder is another than before, times aside. */
  changed: boolean;
}

/** Brings `folder`, which holds what `index` says, to what the client has. @throws Fault */
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
  readonly #before: TreeIndex;
  readonly #index: TreeIndex;
  readonly #verbs: TreeVerbs;
  readonly #seen = new Map<string, 'folder' | 'file' | 'other'>();
  readonly #folders: TreeStat[] = [];
  /** Hard links, made when what they lead to is whole. */
  readonly #links: TreeStat[] = [];
  readonly #wanted: { id: number; stat: TreeStat }[] = [];
  readonly #asked = new Map<number, TreeStat>();
  readonly #open = new Map<number, number>();
  #entries = 0;
  #described = 0;
  #walked = false;
  /** Of `#wanted`, how many were asked for. */
  #askedFor = 0;
  /** All is here and the client was told so. */
  #complete = false;

  constructor(call: PacketCall, folder: string, index: TreeIndex, verbs: TreeVerbs) {
    this.#call = call;
    this.#folder = folder;
    this.#before = new Map(index);
    this.#index = index;
    this.#verbs = verbs;
    this.#seen.set('.', 'folder');
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
      for (const { id, stat } of next) this.#asked.set(id, stat);
      await this.#call.send(...next.map(({ id }) => ({ type: packetType.request, id })));
    }
    if (!this.#walked || this.#asked.size > 0 || this.#complete) return;
    this.#complete = true;
    for (const path of this.#before.keys()) this.#remove(path);
    for (const stat of this.#links) {
      linkSync(join(this.#folder, stat.linkName), join(this.#folder, stat.path));
      this.#index.set(stat.path, signatureOf(stat));
    }
    for (const stat of this.#folders.reverse()) this.#settle(stat);
    await this.#call.send({ type: packetType.finish });
  }

  #entry(stat: TreeStat): void {
    const id = this.#entries++;
    if (this.#walked) throw protocol('an entry after the last');
    if (this.#entries > maxEntries) throw new Fault('invalid', `Cannot receive files: over ${maxEntries} files`);
    this.#described += descriptionBytes(stat);
    if (this.#described > maxDescriptionBytes) {
      throw new Fault('invalid', `Cannot receive files: over ${maxDescriptionBytes} bytes of names and attributes`);
    }
    const path = checkPath(stat.path);
    if (this.#seen.has(path)) throw protocol(`${JSON.stringify(path)} twice`);
    if (this.#seen.get(dirname(path)) !== 'folder') throw protocol(`${JSON.stringify(path)} without its folder`);
    const kind = entryKind(stat);
    this.#seen.set(path, kind === 'folder' || kind === 'file' ? kind : 'other');
    const known = this.#before.get(path);
    this.#before.delete(path);
    if (kind === 'folder') return this.#makeFolder(stat, known);
    const signature = signatureOf(stat);
    // A hard link is made anew: whether its other name still shares the inode is not in its own description.
    if (known === signature && stat.linkName === '') return;
    this.changed = true;
    if (known !== undefined) this.#remove(path);
    if (kind === 'socket') return;
    const at = join(this.#folder, path);
    if (kind === 'link') {
      symlinkSync(checkLinkTarget(stat), at);
      this.#settle(stat);
    } else if (kind === 'node') {
      this.#verbs.makeNode(at, stat);
      this.#settle(stat);
    } else if (stat.linkName !== '') {
      const isFile = stat.linkName !== path && this.#seen.get(checkPath(stat.linkName)) === 'file';
      if (!isFile) throw protocol(`a hard link to ${JSON.stringify(stat.linkName)}`);
      this.#links.push(stat);
    } else {
      this.#wanted.push({ id, stat });
    }
  }

  #makeFolder(stat: TreeStat, known: string | undefined): void {
    if (known !== undefined && !known.startsWith(folderMark)) this.#remove(stat.path);
    if (known === undefined || !known.startsWith(folderMark)) mkdirSync(join(this.#folder, stat.path), { mode: 0o700 });
    const signature = folderSignature(stat);
    if (known !== signature) this.changed = true;
    this.#index.set(stat.path, signature);
    this.#folders.push(stat);
  }

  #remove(path: string): void {
    this.changed = true;
    rmSync(join(this.#folder, path), { recursive: true, force: true });
    this.#index.delete(path);
    // What was below went with it.
    const below = `${path}/`;
    for (const each of this.#before.keys()) {
      if (!each.startsWith(below)) continue;
      this.#before.delete(each);
      this.#index.delete(each);
    }
  }

  #data(id: number, data: Uint8Array): void {
    const stat = this.#asked.get(id);
    if (stat === undefined) throw protocol(`content of entry ${id}, which nobody asked for`);
    let descriptor = this.#open.get(id);
    if (descriptor === undefined) {
      if (this.#open.size >= maxOpenFiles) throw protocol(`more than ${maxOpenFiles} files at once`);
      descriptor = openSync(join(this.#folder, stat.path), 'wx', 0o600);
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

  /** The entry's attributes, once nothing changes it any more; only then is it what the client described. */
  #settle(stat: TreeStat): void {
    const at = join(this.#folder, stat.path);
    const kind = entryKind(stat);
    if (kind !== 'link') chmodSync(at, unixMode(stat));
    // A folder may be the one of last time, with attributes of then.
    if (stat.xattrs.size > 0 || kind === 'folder') this.#verbs.setXattrs(at, stat.xattrs);
    this.#verbs.setModified(at, stat.modified);
    if (kind !== 'folder') this.#index.set(stat.path, signatureOf(stat));
  }

  [Symbol.dispose](): void {
    for (const descriptor of this.#open.values()) closeSync(descriptor);
  }
}

const folderMark = 'folder';

/** Without its time, which changes with what is in it. */
function folderSignature(stat: TreeStat): string {
  return `${folderMark} ${signatureOf({ ...stat, size: 0, modified: 0n })}`;
}

function signatureOf({ mode, size, modified, linkName, deviceMajor, deviceMinor, xattrs }: TreeStat): string {
  const numbers = `${mode} ${size} ${modified} ${deviceMajor} ${deviceMinor}`;
  if (xattrs.size === 0 && linkName === '') return numbers;
  const attributes = [...xattrs].map(([name, value]) => `${name}=${Buffer.from(value).toString('base64')}`).toSorted();
  return `${numbers} ${JSON.stringify([linkName, ...attributes])}`;
}

function descriptionBytes({ path, linkName, xattrs }: TreeStat): number {
  let bytes = path.length + linkName.length;
  for (const [name, value] of xattrs) bytes += name.length + value.length;
  return bytes;
}

function protocol(why: string): Fault {
  return new Fault('invalid', `Cannot receive files: the other side sent ${why}`);
}
