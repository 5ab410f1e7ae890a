/** An archive that a builder makes, into a file that appears whole, or to a stream. */
import { closeSync, openSync, renameSync, rmSync, statSync, writeSync } from 'node:fs';
import { Fault, messageOf } from '../../../std/index.ts';
import type { OutputTarget } from '../loans.ts';

/** @throws Fault; then the file is as it was */
export async function takeFile(
  chunks: AsyncIterable<{ data: Uint8Array }>,
  target: Exclude<OutputTarget, { folder: string }>,
): Promise<void> {
  if ('write' in target) {
    for await (const { data } of chunks) target.write(data);
    return;
  }
  const { file } = target;
  const existing = statSync(file, { throwIfNoEntry: false });
  // Devices and pipes are written as they are.
  const isDirect = existing !== undefined && !existing.isFile();
  const temporary = isDirect ? file : `${file}.${process.pid}.partial`;
  try {
    const descriptor = openSync(temporary, 'w', existing === undefined ? 0o666 : existing.mode & 0o777);
    try {
      for await (const { data } of chunks) for (let at = 0; at < data.length; ) at += writeSync(descriptor, data, at);
    } finally {
      closeSync(descriptor);
    }
    if (!isDirect) renameSync(temporary, file);
  } catch (error) {
    if (!isDirect) rmSync(temporary, { force: true });
    if (error instanceof Fault) throw error;
    throw new Fault('invalid', `Cannot write ${file}: ${messageOf(error)}`, { cause: error });
  }
}
