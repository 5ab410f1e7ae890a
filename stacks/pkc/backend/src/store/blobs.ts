/**
 * Large files, by their hash. One is written under another name on the same volume, synced, and only then given its own: a file that has
 * a hash for a name is whole.
 */
import { createHash } from 'node:crypto';
import { createReadStream, type ReadStream } from 'node:fs';
import { mkdir, open, readdir, rename, rm, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Refusal } from '../http/problem.ts';

/** What is as large as this is kept in the database. */
export const smallBytes = 1 << 20;

/** Content on its way in: in memory, or in a file that has no name yet. */
export interface Arrived extends AsyncDisposable {
  readonly hash: string;
  readonly size: number;
  /** The first 64 KB. */
  readonly head: Buffer;
  /** All of it where it is small; else the beginning, for the search. */
  readonly beginning: Buffer;
  readonly isSmall: boolean;
  /** Gives the file its name. Done twice, it is done once. */
  keep(): Promise<void>;
}

export class Blobs {
  readonly #root: string;
  #count = 0;

  constructor(root: string) {
    this.#root = root;
  }

  /** Removes what was on its way when the last process ended. */
  async open(): Promise<void> {
    await rm(this.#incoming(), { recursive: true, force: true });
    await mkdir(this.#incoming(), { recursive: true });
  }

  /** @throws Refusal 413; ENOSPC as it is */
  async receive(bytes: AsyncIterable<Uint8Array>, limit: number): Promise<Arrived> {
    const hash = createHash('sha256');
    const kept: Buffer[] = [];
    let size = 0;
    let spool: Awaited<ReturnType<typeof open>> | undefined;
    const path = join(this.#incoming(), `${process.pid}-${this.#count++}`);
    try {
      for await (const chunk of bytes) {
        size += chunk.length;
        if (size > limit)
          throw new Refusal(
            413,
            'too_large',
            `The file is larger than ${limit} bytes, the most that is taken (MAX_UPLOAD_BYTES in .env).`,
          );
        hash.update(chunk);
        if (size <= smallBytes) kept.push(Buffer.from(chunk));
        else {
          if (spool === undefined) {
            spool = await open(path, 'wx', 0o600);
            await spool.writev(kept.length === 0 ? [Buffer.alloc(0)] : kept);
          }
          await writeAll(spool, chunk);
        }
      }
      await spool?.sync();
    } catch (error) {
      await spool?.close();
      await rm(path, { force: true });
      throw error;
    }
    await spool?.close();
    const digest = hash.digest('hex');
    const beginning = Buffer.concat(kept);
    let isKept = false;
    return {
      hash: digest,
      size,
      head: beginning.subarray(0, 65_536),
      beginning,
      isSmall: spool === undefined,
      keep: async () => {
        if (spool === undefined || isKept) return;
        isKept = true;
        const to = this.path(digest);
        await mkdir(dirname(to), { recursive: true });
        await rename(path, to);
        await syncFolder(dirname(to));
        await syncFolder(this.#root);
      },
      [Symbol.asyncDispose]: async () => {
        if (!isKept) await rm(path, { force: true });
      },
    };
  }

  /** @throws ENOENT */
  read(hash: string, range?: { start: number; end: number }): ReadStream {
    return createReadStream(this.path(hash), range === undefined ? {} : { start: range.start, end: range.end });
  }

  async remove(hash: string): Promise<void> {
    await unlink(this.path(hash)).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
    });
  }

  /** Files that no card names: of an upload whose last step did not come about. */
  async *all(): AsyncGenerator<string, void, void> {
    for (const folder of await readdir(this.#root)) {
      if (!/^[\da-f]{2}$/.test(folder)) continue;
      for (const name of await readdir(join(this.#root, folder))) if (/^[\da-f]{64}$/.test(name)) yield name;
    }
  }

  path(hash: string): string {
    return join(this.#root, hash.slice(0, 2), hash);
  }

  #incoming(): string {
    return join(this.#root, '.incoming');
  }
}

async function writeAll(file: Awaited<ReturnType<typeof open>>, chunk: Uint8Array): Promise<void> {
  for (let at = 0; at < chunk.length; ) at += (await file.write(chunk, at)).bytesWritten;
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
