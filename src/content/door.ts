/** What the rest of the house may ask of blobs. `openContent` makes the store on disk. */
import type { Digest } from '../oci/index.ts';
import type { BlobProblem } from './check.ts';
import type { Blob, Hold, Ingest, IngestOptions } from './ingest.ts';

/** Bytes of a download that ended early: the part of a blob, or a whole one that no image has got yet. */
export interface Unfinished {
  digest: Digest;
  size: number;
  /** When its last byte came, ms since the epoch. */
  at: number;
  whole: boolean;
}

/** A file of the store, and what it takes of the disk. */
export interface StoredFile {
  digest: Digest;
  path: string;
  /** Bytes on disk. */
  usage: number;
  /** Of a download that ended early; undefined for a blob that somebody has. */
  unfinished: Unfinished | undefined;
}

export interface Content {
  has(digest: Digest): boolean;
  /** The blob's size; undefined when it is not there. */
  size(digest: Digest): number | undefined;
  /** The bytes from `start` on. @throws Fault not-found */
  open(digest: Digest, options?: { start?: number; signal?: AbortSignal | undefined }): AsyncIterable<Uint8Array>;
  /** The whole of a small blob. @throws Fault not-found; invalid beyond `limit` (8 MiB) */
  read(digest: Digest, limit?: number): Promise<Buffer>;
  ingest(bytes: AsyncIterable<Uint8Array>, options?: IngestOptions, signal?: AbortSignal): Promise<Blob>;
  /** Stores a small blob. */
  put(bytes: Uint8Array, hold?: Hold): Promise<Digest>;
  /**
   * Opens, or resumes, the ingest of a blob whose digest is known. One at a time per digest. What comes this way stays for a
   * day though no owner names it, so that a download that is tried again need not begin anew.
   */
  openIngest(options: { digest: Digest; size: number; hold?: Hold | undefined }): Promise<Ingest>;
  /**
   * Takes over a file of the same file system, which its writer has verified and synced: it is the blob from now on, and gone
   * from where it was.
   */
  adopt(path: string, blob: Blob, hold?: Hold): Promise<void>;
  /** Deletes a blob whoever needs it: one that is damaged. */
  delete(digest: Digest): Promise<void>;
  /** Deletes a blob that its owners can do without, unless somebody holds it; tells whether it did. */
  release(digest: Digest): Promise<boolean>;
  /** Bytes of the disk that the blob takes; 0 when it is not there. */
  usage(digest: Digest): number;
  list(): Blob[];
  /** Disposing deletes what of it no owner names and nobody else holds. */
  hold(): Hold;
  /** Registers an owner of blobs: what `live` names when a collection runs stays. All owners must be known before the first. */
  addOwner(live: () => Iterable<string>): void;
  /** Whether an owner names the blob or somebody holds it. */
  needs(digest: Digest): boolean;
  /**
   * Deletes every blob that no owner names and nobody holds, or those among `digests`; returns the bytes freed. What is
   * decided is decided at once: an ingest that ends meanwhile loses nothing.
   */
  collect(digests?: Iterable<Digest>): Promise<number>;
  /** Downloads that ended early and that nobody goes on with now, oldest first. */
  unfinished(): Unfinished[];
  /** Deletes what such downloads left, all or those of `digests`; returns the bytes of the disk freed. */
  discardUnfinished(digests?: Iterable<Digest>): Promise<number>;
  /** Every blob and every part. */
  files(): Promise<StoredFile[]>;
  /** The disk is full: the downloads of now are not kept when they fail. */
  outOfSpace(): void;
  /** Compares the disk with what should be there; `quick` leaves the bytes of the blobs unread. */
  check(
    options: { quick: boolean; progress?: (bytes: number) => void },
    signal: AbortSignal,
  ): AsyncIterable<BlobProblem>;
}
