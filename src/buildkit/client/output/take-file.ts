/** An archive that a builder makes, into a file that appears whole, or to a stream. */
import { open, rename, rm, stat } from 'node:fs/promises';
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
  const existing = await stat(file).catch(() => undefined);
  // Devices and pipes are written as they are.
  const isDirect = existing !== undefined && !existing.isFile();
  const temporary = isDirect ? file : `${file}.${process.pid}.partial`;
  try {
    const handle = await open(temporary, 'w', existing === undefined ? 0o666 : existing.mode & 0o777);
    try {
      for await (const { data } of chunks) await handle.writeFile(data);
    } finally {
      await handle.close();
    }
    if (!isDirect) await rename(temporary, file);
  } catch (error) {
    if (!isDirect) await rm(temporary, { force: true });
    throw error instanceof Fault
      ? error
      : new Fault('invalid', `Cannot write ${file}: ${messageOf(error)}`, { cause: error });
  }
}
