/**
 * What downloads left that ended early, in the ingest folder: `<algorithm>-<hex>.part` is the beginning of a blob, and the
 * empty `<algorithm>-<hex>.whole` says that a blob of the store came by a download and had no owner then. Both are of use for
 * a day.
 */
import { closeSync, openSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type Digest, isDigest } from '../oci/index.ts';

export const keptMs = 24 * 3600 * 1000;

export class UnfinishedDownloads {
  readonly #folder: string;
  /** Whole blobs, with the time when they came. */
  readonly #whole = new Map<Digest, number>();

  /** Deletes what is too old, what `exists` does not know, and what is no file of a download: it was an ingest that a crash ended. */
  constructor(folder: string, exists: (digest: Digest) => boolean, now: number) {
    this.#folder = folder;
    for (const name of readdirSync(folder)) {
      const path = join(folder, name);
      const digest = digestOf(name);
      const at = statSync(path).mtimeMs;
      const whole = name.endsWith('.whole');
      const useful = digest !== undefined && now - at <= keptMs && (!whole || exists(digest));
      if (!useful) rmSync(path, { recursive: true, force: true });
      else if (whole) this.#whole.set(digest, at);
    }
  }

  partPath(digest: Digest): string {
    return join(this.#folder, `${digest.replace(':', '-')}.part`);
  }

  /** Says that the blob, which is about to exist, came by a download. */
  add(digest: Digest, now: number): void {
    closeSync(openSync(this.#markPath(digest), 'w', 0o600));
    this.#whole.set(digest, now);
  }

  /** The blob has an owner, or is deleted. */
  remove(digest: Digest): void {
    if (this.#whole.delete(digest)) rmSync(this.#markPath(digest), { force: true });
  }

  /** Whether the whole blob waits for its owner, and has not waited too long. */
  keeps(digest: Digest, now: number): boolean {
    const at = this.#whole.get(digest);
    return at !== undefined && now - at <= keptMs;
  }

  whole(): ReadonlyMap<Digest, number> {
    return this.#whole;
  }

  /** The beginnings of blobs. */
  parts(): { digest: Digest; path: string; size: number; at: number }[] {
    return readdirSync(this.#folder).flatMap((name) => {
      const digest = name.endsWith('.part') ? digestOf(name) : undefined;
      if (digest === undefined) return [];
      const path = join(this.#folder, name);
      const stat = statSync(path, { throwIfNoEntry: false });
      return stat === undefined ? [] : [{ digest, path, size: stat.size, at: stat.mtimeMs }];
    });
  }

  #markPath(digest: Digest): string {
    return join(this.#folder, `${digest.replace(':', '-')}.whole`);
  }
}

/** Whether a file of the ingest folder is called as those of downloads are. */
export function isDownload(name: string): boolean {
  return digestOf(name) !== undefined;
}

function digestOf(name: string): Digest | undefined {
  const text = /^([a-z0-9]+-[a-f0-9]+)\.(?:part|whole)$/.exec(name)?.[1]?.replace('-', ':');
  return text !== undefined && isDigest(text) ? text : undefined;
}
