/** An image archive taken in: small files in memory, large ones as blobs under the caller's hold, links resolved by name. */
import { type Digest, isDigest, readTar } from '../oci/index.ts';
import { collectBytes, Fault } from '../std/index.ts';
import type { ImageHold, Shelf } from './shelf.ts';

const smallFile = 1 << 20;
const memoryLimit = 64 << 20;
const nameLimit = 100_000;

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
    for await (const entry of readTar(tar)) {
      signal?.throwIfAborted();
      const name = cleanName(entry.name.toString());
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
        memory += entry.size;
        if (memory > memoryLimit)
          throw new Fault('invalid', `Cannot load archive: more than ${memoryLimit} bytes of small files`);
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

  /** A small file's bytes; undefined when there is none of that name. */
  async read(name: string): Promise<Buffer | undefined> {
    const path = this.#resolve(name);
    const blob = this.#blobs.get(path);
    return blob === undefined ? this.#small.get(path) : this.#shelf.content.read(blob.digest);
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
