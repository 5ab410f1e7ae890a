/** `rewrite-timestamp`: a layer's archive in which nothing is younger than SOURCE_DATE_EPOCH. */
import { readTar, type TarSource, writeTar } from '../../oci/index.ts';

const nanosPerSecond = 1_000_000_000n;

/** Times after `epoch` (seconds since 1970) become it, earlier ones stay. Equal input makes equal bytes. */
export function clampTimes(tar: AsyncIterable<Uint8Array>, epoch: number): AsyncIterable<Uint8Array> {
  return writeTar(entriesOf(tar, BigInt(epoch) * nanosPerSecond));
}

async function* entriesOf(tar: AsyncIterable<Uint8Array>, latest: bigint): AsyncGenerator<TarSource, void, void> {
  for await (const entry of readTar(tar)) {
    const header = { ...entry, mtime: entry.mtime > latest ? latest : entry.mtime };
    yield entry.type === 'file' && entry.size > 0 ? { header, body: entry.body() } : { header };
  }
}
