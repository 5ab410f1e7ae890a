/** What layers are called when they are compressed: equal ones always are, so that none is compressed only to learn that it is there. */
import type { Descriptor, Digest } from '../../oci/index.ts';
import type { Compression } from './compression.ts';

const most = 10_000;

/** Of this daemon's life; the oldest are forgotten. */
export class LayerForms {
  readonly #known = new Map<string, Descriptor>();

  find(diffId: Digest, compression: Compression): Descriptor | undefined {
    return this.#known.get(keyOf(diffId, compression));
  }

  note(diffId: Digest, compression: Compression, form: Descriptor): void {
    const key = keyOf(diffId, compression);
    this.#known.delete(key);
    this.#known.set(key, form);
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= most) break;
      this.#known.delete(oldest);
    }
  }
}

function keyOf(diffId: Digest, { kind, level }: Compression): string {
  return `${diffId} ${kind} ${level ?? ''}`;
}
