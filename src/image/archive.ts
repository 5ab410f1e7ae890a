/** An image archive taken in: small files in memory, large ones as blobs under the caller's hold, links resolved by name. */
import { type Digest, isDigest, readTar, sha256 } from '../oci/index.ts';
import { collectBytes, Fault, tapBytes } from '../std/index.ts';
import type { ImageHold, Shelf } from './shelf.ts';

const smallFile = 1 << 20;
/** Of small files and of names together. */
const memoryLimit = 32 << 20;
const nameLimit = 100_000;
/** What lists the images of an archive is read whole. */
const indexLimit = 8 << 20;
const indexNames = new Set(['manifest.json', 'index.json', 'repositories', 'oci-layout']);

export interface ArchivedFile {
  digest: Digest;
  size: number;
}

export class Archive {
  readonly #shelf: Shelf;
  readonly #hold: ImageHold;
  readonly #small = new Map<string, Buffer>();
  readonly #blobs = new Map<string, ArchivedFile>();
  readonly #links = new Map<string, string>();

  private constructor(shelf: Shelf, hold: ImageHold) {
    this.#shelf = shelf;
    this.#hold = hold;
  }

  /** Reads an uncompressed tar to its end. @throws Fault invalid, also for a blob that is not what its name says */
  static async read(
    shelf: Shelf,
    hold: ImageHold,
    tar: AsyncIterable<Uint8Array>,
    signal?: AbortSignal,
  ): Promise<Archive> {
    const archive = new Archive(shelf, hold);
    let memory = 0;
    const remember = (bytes: number): void => {
      memory += bytes;
      if (memory > memoryLimit)
        throw new Fault('invalid', `Cannot load archive: more than ${memoryLimit} bytes of names and small files`);
    };
    for await (const entry of readTar(tapBytes(tar, () => signal?.throwIfAborted()))) {
      const name = cleanName(entry.name.toString());
      remember(entry.name.length + entry.linkName.length);
      if (indexNames.has(name) && entry.size > indexLimit)
        throw new Fault('invalid', `Cannot load archive: ${name} of ${entry.size} bytes is too large`);
      if (archive.#small.size + archive.#blobs.size + archive.#links.size > nameLimit) {
        throw new Fault('invalid', `Cannot load archive: more than ${nameLimit} files`);
      }
      if (entry.type === 'symlink') archive.#links.set(name, join(name, entry.linkName.toString()));
      else if (entry.type === 'hardlink') archive.#links.set(name, cleanName(entry.linkName.toString()));
      else if (
        entry.type === 'file' &&
        entry.size <= smallFile &&
        !name.startsWith('blobs/') &&
        !name.endsWith('.tar')
      ) {
        remember(entry.size);
        archive.#small.set(name, await collectBytes(entry.body(), smallFile));
      } else if (entry.type === 'file') {
        const options = { hold: hold.blobs, size: entry.size, digest: digestOf(name) };
        archive.#blobs.set(name, await shelf.content.ingest(entry.body(), options, signal));
      }
    }
    return archive;
  }

  #resolve(name: string): string {
    let current = cleanName(name);
    for (let hops = 0; hops < 16; hops++) {
      const next = this.#links.get(current);
      if (next === undefined) return current;
      current = next;
    }
    return current;
  }

  /** A small file's bytes; undefined when there is none of that name. @throws Fault invalid for a blob by another's name */
  async read(name: string): Promise<Buffer | undefined> {
    const path = this.#resolve(name);
    const blob = this.#blobs.get(path);
    const bytes = blob === undefined ? this.#small.get(path) : await this.#shelf.content.read(blob.digest);
    const wanted = digestOf(name);
    const found = blob?.digest ?? (bytes === undefined ? undefined : sha256(bytes));
    if (wanted !== undefined && found !== undefined && found !== wanted)
      throw new Fault('invalid', `Cannot load image: blob ${wanted} has the content of ${found}`);
    return bytes;
  }

  /** The file as a blob of the store. */
  async blob(name: string): Promise<ArchivedFile | undefined> {
    const path = this.#resolve(name);
    const blob = this.#blobs.get(path);
    if (blob !== undefined) return blob;
    const small = this.#small.get(path);
    return small === undefined
      ? undefined
      : { digest: await this.#shelf.content.put(small, this.#hold.blobs), size: small.length };
  }

  /** The bytes of one of the archive's blobs. */
  open(digest: Digest): AsyncIterable<Uint8Array> {
    return this.#shelf.content.open(digest);
  }

  /** Its first bytes, enough to see how it is compressed. */
  async start(digest: Digest): Promise<Uint8Array> {
    for await (const chunk of this.#shelf.content.open(digest)) return chunk;
    return new Uint8Array();
  }

  has(name: string): boolean {
    const path = this.#resolve(name);
    return this.#small.has(path) || this.#blobs.has(path);
  }
}

/** What a file of an OCI layout's blobs must hash to. */
function digestOf(name: string): Digest | undefined {
  const digest = /^blobs\/([^/]+)\/([^/]+)$/.exec(name)?.slice(1).join(':');
  return digest !== undefined && isDigest(digest) ? digest : undefined;
}

function cleanName(name: string): string {
  const parts: string[] = [];
  for (const part of name.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return parts.join('/');
}

function join(link: string, target: string): string {
  return cleanName(target.startsWith('/') ? target : `${link.slice(0, link.lastIndexOf('/') + 1)}${target}`);
}
