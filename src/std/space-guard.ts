/** Keeps a little of a file system free, so that what is written beside (records, logs, databases) goes on when images fill the disk. */
import { statfsSync } from 'node:fs';
import { diskFull } from './disk-fault.ts';
import { bytesSize } from './units.ts';

export interface FreeSpace {
  /** Bytes of the file system. */
  total: number;
  /** Bytes that may be written; what is kept for root does not count. */
  available: number;
  /** 0 where the file system has no fixed number of inodes. */
  inodes: number;
  freeInodes: number;
}

export function freeSpace(path: string): FreeSpace {
  const { bsize, blocks, bavail, files, ffree } = statfsSync(path);
  return { total: blocks * bsize, available: bavail * bsize, inodes: files, freeInodes: ffree };
}

const mostKept = 256 << 20;
const mostInodesKept = 5000;
const longestLook = 16 << 20;
const inodesALook = 1000;

/** Whoever writes much to `path` says so beforehand, and is refused while there is still room for others. */
export class SpaceGuard {
  readonly #path: string;
  #bytes = 0;
  #inodes = 0;

  constructor(path: string) {
    this.#path = path;
  }

  /**
   * Announces bytes and files; the disk is looked at when enough of them have come together.
   * @throws Fault internal, with the code of ENOSPC behind it, when no more should be written
   */
  spend(bytes: number, inodes = 0): void {
    this.#bytes -= bytes;
    this.#inodes -= inodes;
    if (this.#bytes < 0 || this.#inodes < 0) this.#look(bytes);
  }

  #look(bytes: number): void {
    const space = freeSpace(this.#path);
    const kept = Math.min(space.total / 50, mostKept);
    if (space.available - bytes < kept) {
      const free = `${bytesSize(space.available)} of ${bytesSize(space.total)} are free`;
      throw diskFull(`write ${this.#path}`, `${free}, and ${bytesSize(kept)} are kept for records and containers`);
    }
    const inodesKept = Math.min(space.inodes / 50, mostInodesKept);
    if (space.inodes > 0 && space.freeInodes < inodesKept) {
      const free = `${space.freeInodes} of ${space.inodes} inodes are free`;
      throw diskFull(
        `write ${this.#path}`,
        `${free}, and ${Math.round(inodesKept)} are kept for records and containers`,
      );
    }
    // Two writers at once do not spend all that is kept.
    this.#bytes = Math.min(longestLook, kept / 4);
    this.#inodes = space.inodes > 0 ? Math.min(inodesALook, inodesKept / 4) : Number.POSITIVE_INFINITY;
  }
}
