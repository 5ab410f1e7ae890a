/** Compares the blobs on disk with their names and with who needs them. */
import { createReadStream, lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Digest, Digester, isDigest } from '../oci/index.ts';

export interface BlobProblem {
  /** damaged: its bytes are not what its name says; unneeded: nobody names it; foreign: no file of this store. */
  kind: 'damaged' | 'unneeded' | 'foreign';
  path: string;
  digest: Digest | undefined;
  size: number;
  /** What was found instead of what should be there. */
  detail: string;
}

const pieceSize = 256 * 1024;

export interface CheckPlaces {
  blobs: string;
  ingest: string;
  /** Asked again for every name, when it is judged: blobs come and go meanwhile. */
  needs: (digest: Digest) => boolean;
  /** A file of the ingest folder that belongs to something going on or to be gone on with. */
  knows: (name: string) => boolean;
}

export async function* checkBlobs(
  places: CheckPlaces,
  options: { quick: boolean; progress?: ((bytes: number) => void) | undefined },
  signal: AbortSignal,
): AsyncGenerator<BlobProblem, void, void> {
  for (const algorithm of namesIn(places.blobs)) {
    const folder = join(places.blobs, algorithm);
    if (lstatSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true) {
      yield foreign(folder);
      continue;
    }
    for (const hex of namesIn(folder)) {
      signal.throwIfAborted();
      const path = join(folder, hex);
      const digest = `${algorithm}:${hex}`;
      const stat = lstatSync(path, { throwIfNoEntry: false });
      if (stat === undefined) continue;
      if (!isDigest(digest) || !stat.isFile()) yield foreign(path);
      else if (!places.needs(digest)) {
        yield { kind: 'unneeded', path, digest, size: stat.size, detail: 'no image needs it' };
      } else if (!options.quick) {
        const found = await digestOf(path, algorithm, options.progress, signal);
        if (found !== undefined && found !== digest)
          yield { kind: 'damaged', path, digest, size: stat.size, detail: `its content is ${found}` };
      }
    }
  }
  for (const name of namesIn(places.ingest)) if (!places.knows(name)) yield foreign(join(places.ingest, name));
}

function foreign(path: string): BlobProblem {
  const size = lstatSync(path, { throwIfNoEntry: false })?.size ?? 0;
  return { kind: 'foreign', path, digest: undefined, size, detail: 'nothing of this store has such a name' };
}

/** Undefined when the blob was deleted meanwhile. */
async function digestOf(
  path: string,
  algorithm: string,
  progress: ((bytes: number) => void) | undefined,
  signal: AbortSignal,
): Promise<Digest | undefined> {
  const digester = new Digester(algorithm);
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: pieceSize, signal })) {
      digester.update(chunk as Buffer);
      progress?.((chunk as Buffer).length);
    }
  } catch (error) {
    if (lstatSync(path, { throwIfNoEntry: false }) === undefined) return undefined;
    throw error;
  }
  return digester.digest();
}

function namesIn(folder: string): string[] {
  return readdirSync(folder).sort();
}
