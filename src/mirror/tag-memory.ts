/** What registries last said that tags mean, and when: also of manifests that nobody has fetched yet. In memory alone. */
import { type Descriptor, type Digest, formatReference, type Reference, referenceName } from '../oci/index.ts';

/** So long a tag is believed to mean what it meant. */
const freshMs = 30_000;
const mostTags = 20_000;
/** What is wrong with a tag is told so often. */
const tellMs = 60_000;
const mostTold = 1000;

export class TagMemory {
  readonly #now: () => number;
  readonly #said = new Map<string, { descriptor: Descriptor; at: number }>();

  readonly #toldAt = new Map<string, number>();

  constructor(now: () => number) {
    this.#now = now;
  }

  /** @param reference of a tag; what a digest means needs no memory */
  remember(reference: Reference, descriptor: Descriptor): void {
    if (reference.tag === undefined || reference.digest !== undefined) return;
    const key = formatReference(reference);
    this.#said.delete(key);
    const [oldest] = this.#said.keys();
    if (oldest !== undefined && this.#said.size >= mostTags) this.#said.delete(oldest);
    this.#said.set(key, { descriptor, at: this.#now() });
  }

  /** What was said not long ago. */
  fresh(reference: Reference): Descriptor | undefined {
    const said = this.#said.get(formatReference(reference));
    return said !== undefined && this.#now() - said.at < freshMs ? said.descriptor : undefined;
  }

  /** Whether it is time to tell the operator of it (again). */
  mayTell(tag: string): boolean {
    const now = this.#now();
    if (now - (this.#toldAt.get(tag) ?? -Infinity) < tellMs) return false;
    if (this.#toldAt.size >= mostTold) this.#toldAt.clear();
    this.#toldAt.set(tag, now);
    return true;
  }

  /** The repository's tags that were said to mean this. */
  tagsOf(repository: Reference, digest: Digest): string[] {
    const prefix = `${referenceName(repository)}:`;
    return [...this.#said].flatMap(([key, { descriptor }]) =>
      key.startsWith(prefix) && descriptor.digest === digest ? [key.slice(prefix.length)] : [],
    );
  }
}
