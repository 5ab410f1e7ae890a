/** An archive that a builder makes, into a file that appears whole, or to a stream. */
import { closeSync, openSync, renameSync, rmSync, statSync, writeSync } from 'node:fs';
import { Fault, messageOf } from '../../../std/index.ts';
import type { OutputTarget } from '../loans.ts';
import type { Landings } from './landing.ts';

/** @throws Fault */
export async function takeFile(
  chunks: AsyncIterable<{ data: Uint8Array }>,
  target: Exclude<OutputTarget, { folder: string }>,
  landings: Landings,
): Promise<void> {
  if ('write' in target) {
    for await (const { data } of chunks) target.write(data);
    return;
  }
  const { file } = target;
  const existing = statSync(file, { throwIfNoEntry: false });
  // Devices and pipes are written as they are.
  const isDirect = existing !== undefined && !existing.isFile();
  const path = isDirect ? file : `${file}.${process.pid}.partial`;
  if (!isDirect) {
    landings.add({
      land: () => orFault(file, () => renameSync(path, file)),
      discard: () => rmSync(path, { force: true }),
    });
  }
  const descriptor = orFault(file, () => openSync(path, 'w', existing === undefined ? 0o666 : existing.mode & 0o777));
  try {
    for await (const { data } of chunks) orFault(file, () => writeAll(descriptor, data));
  } finally {
    closeSync(descriptor);
  }
}

function writeAll(descriptor: number, data: Uint8Array): void {
  for (let at = 0; at < data.length; ) at += writeSync(descriptor, data, at);
}

function orFault<T>(file: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw new Fault('invalid', `Cannot write ${file}: ${messageOf(error)}`, { cause: error });
  }
}
