/** What the doors for building stand on, beside the engine's builds. */
import type { Bytes, LocalSource } from '../../api/index.ts';
import type { Buildkit } from '../../buildkit/index.ts';

export interface BuildDoors {
  readonly buildkit: Pick<Buildkit, 'session' | 'grpc' | 'build'>;
  /** A tar that a client posts, plain or compressed, as a context; it is unpacked when it is asked for. */
  readonly posted: (tar: Bytes, signal: AbortSignal) => LocalSource & AsyncDisposable;
  /** Of the disk that the build cache is on. */
  readonly freeBytes: () => number;
}

/** Builds under way that can be cancelled by the id their client gave them. */
export class RunningBuilds {
  readonly #builds = new Map<string, Set<AbortController>>();

  /** A signal that `cancel` aborts, until it is disposed. */
  enter(id: string | undefined): { signal: AbortSignal } & Disposable {
    const controller = new AbortController();
    const named = id === undefined ? undefined : (this.#builds.get(id) ?? new Set());
    if (id !== undefined && named !== undefined) this.#builds.set(id, named.add(controller));
    return {
      signal: controller.signal,
      [Symbol.dispose]: () => {
        named?.delete(controller);
        if (id !== undefined && named?.size === 0) this.#builds.delete(id);
      },
    };
  }

  /** @param reason what its client is told */
  cancel(id: string, reason: Error): void {
    for (const controller of this.#builds.get(id) ?? []) controller.abort(reason);
  }
}
