/** Layers of a push that leave while they are compressed, so that compressing and sending take the longer of both times and not their sum. */
import type { ProgressMessage, RegistryAuth } from '../api/index.ts';
import type { Descriptor, Digest, Reference } from '../oci/index.ts';
import type { AheadUpload, Registry } from '../registry/index.ts';
import type { Channel } from '../std/index.ts';
import type { LayerTarget } from './compress-layers.ts';
import { Meter } from './progress.ts';

/** Smaller ones are compressed before a request is answered; the registry may have those already. */
const leastBytes = 4 << 20;

export class HeadStarts implements AsyncDisposable {
  readonly #registry: Registry;
  readonly #reference: Reference;
  readonly #auth: RegistryAuth | undefined;
  readonly #signal: AbortSignal;
  readonly #left = new AbortController();
  readonly #ends = new Map<Digest, Promise<boolean>>();
  /** The registry, or a proxy before it, takes no blobs this way. */
  #failed = false;

  constructor(
    { registry }: { registry: Registry },
    reference: Reference,
    auth: RegistryAuth | undefined,
    signal: AbortSignal,
  ) {
    this.#registry = registry;
    this.#reference = reference;
    this.#auth = auth;
    this.#signal = AbortSignal.any([signal, this.#left.signal]);
  }

  /** For a plain layer that is compressed now, called `id` in the output. */
  target(plain: Descriptor, output: Channel<ProgressMessage>, id: string): LayerTarget {
    const upload = this.#failed || plain.size < leastBytes ? undefined : this.#begin();
    const meter = new Meter(output, id, upload === undefined ? 'Preparing' : 'Pushing');
    return {
      report: (current) => meter.report(current, plain.size),
      write: async (chunk) => upload?.write(chunk),
      finish: ({ digest }) => {
        if (upload === undefined) return;
        const end = upload.finish(digest).then((arrived) => {
          if (!arrived) this.#failed = true;
          return arrived;
        });
        this.#ends.set(digest, end);
      },
      cancel: async () => upload?.cancel(),
    };
  }

  /** Whether the registry has the layer of this digest from here; waits for its end. */
  async arrived(digest: Digest): Promise<boolean> {
    return (await this.#ends.get(digest)) ?? false;
  }

  /** Ends what still goes on: the push has failed, or sent everything. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#left.abort();
    await Promise.all(this.#ends.values());
  }

  #begin(): AheadUpload {
    return this.#registry.uploadAhead(this.#reference, this.#auth, this.#signal);
  }
}
