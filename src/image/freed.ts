/**
 * Blobs that an image has and the store has not, for they were deleted to make room, or are a build's layers, which are kept unpacked only:
 * one record each, with where they can be had again. What is
 * in the store again, or no image's any more, needs no record.
 */
import { type Descriptor, type Digest, parseReference, type Reference } from '../oci/index.ts';
import { type RecordFault, Records } from '../std/index.ts';

export interface FreedBlob {
  digest: Digest;
  size: number;
  mediaType: string;
  /** The image by whose digest the blob came, as `host/path@sha256:…`; absent for a layer that was made here, and can be again. */
  source?: string;
  /** Milliseconds since the epoch. */
  freedAt: number;
}

export class FreedBlobs {
  readonly #records: Records<FreedBlob>;

  private constructor(records: Records<FreedBlob>) {
    this.#records = records;
  }

  /** Records of blobs that `isFreed` does not know are dropped. */
  static async open(
    folder: string,
    isFreed: (digest: Digest) => boolean,
    onBroken: (path: string) => void,
  ): Promise<FreedBlobs> {
    const freed = new FreedBlobs(await Records.open<FreedBlob>(folder, onBroken));
    for (const { digest } of freed.all()) if (!isFreed(digest)) await freed.forget(digest);
    return freed;
  }

  all(): FreedBlob[] {
    return [...this.#records.values()];
  }

  /** What is wrong with the folder. */
  check(): Promise<RecordFault[]> {
    return this.#records.check();
  }

  has(digest: Digest): boolean {
    return this.#records.get(nameOf(digest)) !== undefined;
  }

  /** A build's layer, which is kept unpacked only. */
  isMadeHere(digest: Digest): boolean {
    const record = this.#records.get(nameOf(digest));
    return record !== undefined && record.source === undefined;
  }

  sourceOf(digest: Digest): Reference | undefined {
    const source = this.#records.get(nameOf(digest))?.source;
    return source === undefined ? undefined : parseReference(source);
  }

  /** Before the blob goes, or where it never was. */
  async add({ digest, size, mediaType }: Descriptor, source: string | undefined, freedAt: number): Promise<void> {
    const record = { digest, size, mediaType, freedAt, ...(source === undefined ? {} : { source }) };
    await this.#records.put(nameOf(digest), record);
  }

  /** Those that came back by another way. */
  async forgetAll(layers: readonly Descriptor[], isHere: (digest: Digest) => boolean): Promise<void> {
    for (const { digest } of layers) if (isHere(digest)) await this.forget(digest);
  }

  async forget(digest: Digest): Promise<void> {
    if (this.has(digest)) await this.#records.delete(nameOf(digest), { durable: false });
  }
}

function nameOf(digest: Digest): string {
  return digest.replace(':', '-');
}
