/** Bytes of a file on their way to or from the daemon, told as the lines that a progress board shows. */
import type { ProgressMessage } from '../../api/index.ts';

export interface Transfer {
  /** What the row is called: the file's name. */
  id: string;
  /** "Saving". */
  status: string;
  /** In bytes; undefined when nobody knows. */
  total: number | undefined;
}

/** @param tell is called for each chunk that passes. */
export async function* watchTransfer(
  bytes: AsyncIterable<Uint8Array>,
  { id, status, total }: Transfer,
  tell: (line: ProgressMessage) => void,
): AsyncGenerator<Uint8Array, void, void> {
  let current = 0;
  for await (const chunk of bytes) {
    current += chunk.length;
    tell({ id, status, progressDetail: { current, ...(total === undefined ? {} : { total }) } });
    yield chunk;
  }
}
