/** Blobs of a repository, from the store or on their way: only such as the repository is known to have. */
import type { Blob, Content } from '../content/index.ts';
import { type Digest, type Reference, referenceName } from '../oci/index.ts';
import { bytesSize } from '../std/index.ts';
import type { Catalog } from './catalog.ts';
import type { Asker } from './manifests.ts';
import { Refusal } from './refusal.ts';
import type { Span } from './transfer.ts';
import type { Transfers } from './transfers.ts';
import type { Upstream } from './upstream.ts';

export interface BlobsOptions {
  content: Content;
  catalog: Catalog;
  upstream: Upstream;
  transfers: Transfers;
  maxBytes: number;
}

export class Blobs {
  readonly #options: BlobsOptions;

  constructor(options: BlobsOptions) {
    this.#options = options;
  }

  /** @throws Fault not-found when the repository is not known to have it, and its registry says so or cannot be asked */
  async describe(reference: Reference, digest: Digest, asker: Asker): Promise<Blob> {
    const { content, catalog, upstream, maxBytes } = this.#options;
    const repository = referenceName(reference);
    let size = catalog.blobSize(repository, digest);
    if (size === undefined) {
      size = await upstream.blobSize(reference, digest, asker.signal);
      catalog.confirm(repository, { digest, size });
    }
    const here = content.size(digest);
    if (here === undefined && size > maxBytes) {
      const bound = `${bytesSize(size)} are more than this cache keeps (${bytesSize(maxBytes)})`;
      throw new Refusal(404, 'BLOB_UNKNOWN', `${bound}: ask the registry itself`);
    }
    return { digest, size: here ?? size };
  }

  /** The bytes of a blob that `describe` gave. @throws Fault, also under way */
  async *read(reference: Reference, blob: Blob, span: Span, asker: Asker): AsyncGenerator<Uint8Array, void, void> {
    const { content, catalog, transfers, upstream, maxBytes } = this.#options;
    using hold = content.hold();
    hold.add(blob.digest);
    if (content.has(blob.digest)) {
      // An image of this machine may bring a blob that is too large to be kept for others.
      if (blob.size <= maxBytes) await catalog.keep(referenceName(reference), blob);
    } else if (asker.isCache && transfers.mirrored(blob) && upstream.hasMirrors(reference))
      throw new Refusal(404, 'BLOB_UNKNOWN', 'this cache is asking for it itself');
    yield* transfers.read({ reference, ...blob }, span, asker.signal);
  }
}
