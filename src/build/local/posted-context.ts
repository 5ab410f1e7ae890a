/** A build context that came as a tar, plain or compressed: what clients post, and `-` stands for. */
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import type { LocalSource, LocalTree } from '../../api/index.ts';
import { TreeWriter } from '../../container/index.ts';
import { decompress } from '../../image/index.ts';
import { openFlags } from '../../linux/index.ts';
import { readTar, type TarEntry } from '../../oci/index.ts';
import { errorCode, Fault, tapBytes } from '../../std/index.ts';

export interface PostedContextOptions {
  tar: AsyncIterable<Uint8Array>;
  /** Where it is unpacked: not there yet, and deleted at the end. */
  folder: string;
  /** Ends the unpacking, for whoever waits for it. */
  signal: AbortSignal;
}

/**
 * Unpacked once, whole, when it is first asked for: rules of what is wanted are for the caller to apply. Files are 0:0, whatever the client
 * calls their owners. Disposing deletes it.
 */
export class PostedContext implements LocalSource, AsyncDisposable {
  readonly #options: PostedContextOptions;
  #unpacked: Promise<number> | undefined;

  constructor(options: PostedContextOptions) {
    this.#options = options;
  }

  async fetch(_wanted: Parameters<LocalSource['fetch']>[0], signal: AbortSignal): Promise<LocalTree> {
    signal.throwIfAborted();
    this.#unpacked ??= unpack(this.#options);
    const transferred = await this.#unpacked;
    signal.throwIfAborted();
    return { path: this.#options.folder, transferred, [Symbol.asyncDispose]: () => Promise.resolve() };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#unpacked?.catch(() => {});
    await rm(this.#options.folder, { recursive: true, force: true });
  }
}

/** Returns how many bytes came. @throws Fault invalid for a broken archive, or one that leads out */
async function unpack({ tar, folder, signal }: PostedContextOptions): Promise<number> {
  let transferred = 0;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const root = openSync(folder, openFlags.directory);
  const writer = new TreeWriter(root, Buffer.alloc(0), { noOverwriteDirNonDir: false, owner: { uid: 0, gid: 0 } });
  const counted = tapBytes(tar, (chunk) => {
    transferred += chunk.length;
  });
  try {
    for await (const entry of readTar(decompress(counted))) {
      signal.throwIfAborted();
      await writer.write(entry).catch((error: unknown) => {
        throw misfit(entry, error);
      });
    }
    writer.finish();
    return transferred;
  } finally {
    writer.close();
    closeSync(root);
  }
}

/** What the kernel says of names and links that do not fit each other; the disk's own troubles are told as they are. */
const misfits: Readonly<Record<string, string>> = {
  ENOENT: 'it leads to nothing that is in the context',
  ENOTDIR: 'what should be a folder is none',
  EISDIR: 'it is a folder already',
  EEXIST: 'something else is there already',
  ELOOP: 'its links lead to each other',
  ENAMETOOLONG: 'its name is too long',
};

function misfit({ name, type, linkName }: TarEntry, error: unknown): unknown {
  const why = misfits[errorCode(error) ?? ''];
  if (why === undefined) return error;
  const leads = type === 'hardlink' ? ` (a hard link to ${linkName.toString()})` : '';
  return new Fault('invalid', `Cannot unpack ${JSON.stringify(name.toString())}${leads}: ${why}`);
}
