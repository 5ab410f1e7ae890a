/**
 * What a selection holds, as one digest: names, kinds, modes, owners, links, extended attributes, devices and content. No times, so that a
 * fresh clone has the digest of an old one (`engine-api.md` §3.6).
 */
import { createHash, type Hash } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';
import { descriptorPath, openFlags, xattrsOfDescriptor } from '../../linux/index.ts';
import { type Digest, sha256 } from '../../oci/index.ts';
import type { LentTree, TreeEntry } from './lent-tree.ts';
import { foldersOf, type SelectedSource, selectSources, type Selection, walkSource } from './select.ts';

/** Grows when what is hashed, or how, changes. */
const version = 1;
const pieceSize = 256 * 1024;
const turnMs = 10;

/** Memory is bounded whatever the files hold. @throws Fault not-found, invalid; as `selectSources` */
export async function contentDigest(tree: LentTree, selection: Selection, signal: AbortSignal): Promise<Digest> {
  const sources = selectSources(tree, selection);
  const hash = createHash('sha256');
  add(hash, String(version));
  const pacer = new Pacer(signal);
  for (const source of sources) {
    // Where a single path leads is not its content; what a pattern found is known by name.
    if (selection.withParents) addParents(hash, tree, source);
    else add(hash, selection.isPattern ? source.name : '');
    for (const entry of walkSource(tree, source, selection)) await addEntry(hash, entry, pacer);
    add(hash, 'end');
  }
  return sha256(hash.digest());
}

/** The folders on the way are copied too, by name and with what they have. */
function addParents(hash: Hash, tree: LentTree, { written }: SelectedSource): void {
  add(hash, written);
  for (const folder of foldersOf(written)) {
    const stat = tree.stat(tree.resolve(folder) ?? folder);
    add(hash, stat === undefined ? '' : [stat.mode, stat.uid, stat.gid].join(' '));
  }
}

class Pacer {
  #turn = performance.now();
  readonly #signal: AbortSignal;

  constructor(signal: AbortSignal) {
    this.#signal = signal;
  }

  get isDue(): boolean {
    return performance.now() - this.#turn > turnMs;
  }

  /** Lets others have their turn. @throws the signal's reason */
  async pause(): Promise<void> {
    await new Promise(setImmediate);
    this.#signal.throwIfAborted();
    this.#turn = performance.now();
  }
}

async function addEntry(hash: Hash, entry: TreeEntry, pacer: Pacer): Promise<void> {
  const { stat } = entry;
  add(hash, entry.path);
  add(hash, [stat.mode, stat.uid, stat.gid].join(' '));
  add(hash, entry.target ?? '');
  if (stat.isBlockDevice() || stat.isCharacterDevice()) add(hash, String(stat.rdev));
  if (stat.isFile() || stat.isDirectory()) {
    const xattrs = [...xattrsOfDescriptor(entry.descriptor)].filter(([key]) => isPortable(key));
    for (const [key, value] of xattrs.sort(([a], [b]) => (a < b ? -1 : 1))) {
      add(hash, key);
      add(hash, value);
    }
  }
  // After the attributes, so that none can pass for content.
  add(hash, 'content');
  if (stat.isFile()) await addContent(hash, entry, pacer);
  if (pacer.isDue) await pacer.pause();
}

/** The host's labels and the file system's own marks are not the file's. */
export function isPortable(key: string): boolean {
  return key !== 'security.selinux' && !key.startsWith('trusted.overlay.') && !key.startsWith('user.overlay.');
}

async function addContent(hash: Hash, { stat, descriptor }: TreeEntry, pacer: Pacer): Promise<void> {
  // Its length goes before it: a file cannot pass for one with another behind it.
  add(hash, String(stat.size));
  if (stat.size === 0n) return;
  const file = openSync(descriptorPath(descriptor), openFlags.read);
  try {
    const piece = Buffer.allocUnsafe(Number(stat.size < BigInt(pieceSize) ? stat.size : BigInt(pieceSize)));
    for (let count = readSync(file, piece); count > 0; count = readSync(file, piece)) {
      hash.update(piece.subarray(0, count));
      if (pacer.isDue) await pacer.pause();
    }
  } finally {
    closeSync(file);
  }
}

/** With its length before it, so that no two lists of parts look the same. */
function add(hash: Hash, part: string | Buffer): void {
  const bytes = Buffer.from(part);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(bytes.length));
  hash.update(length).update(bytes);
}
