/** A stream of bytes into a file that appears whole, or to standard output, but not into a terminal. */
import { open, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Fault } from '../../std/index.ts';
import type { Session } from '../session.ts';

/** @param get starts the stream, once it is known where it goes. */
export async function writeStream(
  session: Session,
  path: string,
  get: () => Promise<AsyncIterable<Uint8Array>>,
): Promise<void> {
  if (path === '') {
    if (session.out.isTerminal) {
      throw new Fault('invalid', 'cowardly refusing to save to a terminal. Use the -o flag or redirect');
    }
    for await (const chunk of await get()) session.out.write(chunk);
    return;
  }
  const folder = await stat(dirname(path)).catch(() => undefined);
  if (folder?.isDirectory() !== true) {
    throw new Fault('invalid', `invalid output path: directory "${dirname(path)}" does not exist`);
  }
  const existing = await stat(path).catch(() => undefined);
  if (existing?.isDirectory() === true) throw new Fault('invalid', `invalid output path: "${path}" is a directory`);
  // Devices and pipes are written as they are.
  const direct = existing !== undefined && !existing.isFile();
  const temporary = direct ? path : `${path}.${process.pid}.partial`;
  try {
    const file = await open(temporary, 'w', 0o600);
    try {
      for await (const chunk of await get()) await file.write(chunk);
    } finally {
      await file.close();
    }
    if (!direct) await rename(temporary, path);
  } catch (error) {
    if (!direct) await rm(temporary, { force: true });
    throw error;
  }
}
