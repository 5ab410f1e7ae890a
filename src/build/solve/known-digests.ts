/** Digests of files that have not changed since they were read. What is forgotten is read again. */
import type { Digest } from '../../oci/index.ts';

const kept = 4096;

export class KnownDigests {
  /** The least recently used first. */
  readonly #known = new Map<string, Digest>();

  /** `version` says which files, `selection` what of them; without a version nothing is remembered. */
  async get(version: string | undefined, selection: unknown, read: () => Promise<Digest>): Promise<Digest> {
    if (version === undefined) return read();
    const key = JSON.stringify([version, selection]);
    const digest = this.#known.get(key) ?? (await read());
    this.#known.delete(key);
    this.#known.set(key, digest);
    for (const [oldest] of this.#known) {
      if (this.#known.size <= kept) break;
      this.#known.delete(oldest);
    }
    return digest;
  }
}
