/** Files that land whole: a crash leaves the old content or the new, never half. */
import { closeSync, fdatasync, fsync, openSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { randomBytes } from 'node:crypto';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { errorCode } from './fault.ts';

/** Of an open descriptor: its bytes on disk (fdatasync(2)), and all of it (fsync(2)). */
export const datasync: (descriptor: number) => Promise<void> = promisify(fdatasync);
const sync = promisify(fsync);

/** Writes `data` to a temporary file beside `path`, syncs, renames over it and syncs the directory. */
export async function writeFileAtomic(
  path: string,
  data: string | Uint8Array,
  options: { mode?: number; durable?: boolean } = {},
): Promise<void> {
  const durable = options.durable ?? true;
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    // Only what waits for the disk leaves the thread: for small files the way to the pool and back costs more than the call.
    const file = openSync(temporary, 'wx', options.mode ?? 0o600);
    try {
      writeFileSync(file, data);
      if (durable) await datasync(file);
    } finally {
      closeSync(file);
    }
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
  if (durable) await syncDirectory(dirname(path));
}

/** Deletes what writes of `path` that a crash cut left beside it. Only while nobody writes it. */
export async function sweepHalfWritten(path: string): Promise<void> {
  const folder = dirname(path);
  const start = `${basename(path)}.`;
  for (const name of await readdir(folder)) {
    const isOurs = name.startsWith(start) && /^[0-9a-f]{12}\.tmp$/.test(name.slice(start.length));
    if (isOurs) await rm(join(folder, name), { force: true });
  }
}

/** Makes the names in `directory` durable. */
export async function syncDirectory(directory: string): Promise<void> {
  const file = openSync(directory, 'r');
  try {
    await sync(file);
  } finally {
    closeSync(file);
  }
}

/** The file's bytes, or undefined when there is no such file. */
export async function readFileIfExists(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** `mkdir -p` with a mode that holds whatever the umask. */
export async function ensureDirectory(path: string, mode = 0o711): Promise<void> {
  await mkdir(path, { recursive: true, mode });
}

/** Deletes a tree, or nothing where there is none. Waits up to some seconds for descriptors, should the process have none left. */
export async function removeAll(path: string | Buffer): Promise<void> {
  await rm(path, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
}
