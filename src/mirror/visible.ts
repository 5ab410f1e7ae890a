/** Which blobs may be seen under which repository's name, with their sizes. */
import type { Blob } from '../content/index.ts';
import type { Digest } from '../oci/index.ts';

/** Of what registries confirmed, so much is remembered. */
const mostConfirmed = 10_000;

export class Visible {
  /** Blobs that manifests of a repository name, with how many of them do. */
  readonly #named = new Map<string, Map<Digest, { size: number; manifests: number }>>();
  readonly #confirmed = new Map<string, number>();

  add(repository: string, blobs: readonly Blob[]): void {
    let named = this.#named.get(repository);
    if (named === undefined) this.#named.set(repository, (named = new Map()));
    for (const { digest, size } of blobs) {
      const known = named.get(digest);
      if (known === undefined) named.set(digest, { size, manifests: 1 });
      else known.manifests++;
    }
  }

  /** The manifest that named these is gone. */
  remove(repository: string, blobs: readonly Blob[]): void {
    const named = this.#named.get(repository);
    for (const { digest } of blobs) {
      const known = named?.get(digest);
      if (known !== undefined && --known.manifests === 0) named?.delete(digest);
    }
    if (named?.size === 0) this.#named.delete(repository);
  }

  confirm(repository: string, { digest, size }: Blob): void {
    const [oldest] = this.#confirmed.keys();
    if (oldest !== undefined && this.#confirmed.size >= mostConfirmed) this.#confirmed.delete(oldest);
    this.#confirmed.set(`${repository}@${digest}`, size);
  }

  size(repository: string, digest: Digest): number | undefined {
    return this.#named.get(repository)?.get(digest)?.size ?? this.#confirmed.get(`${repository}@${digest}`);
  }
}
