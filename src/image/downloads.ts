/** Fetches blobs into the store; a blob that several pulls want at once is fetched once and reported to all of them. */
import type { Content, Ingest } from '../content/index.ts';
import { type Descriptor, type Digest, isImageConfigType, type Reference } from '../oci/index.ts';
import { BlobChanged, type Credentials, type Registry } from '../registry/index.ts';
import { Fault, type FaultKind, faultKind, Slots } from '../std/index.ts';
import type { ImageHold } from './shelf.ts';

export interface DownloadListener {
  progress(current: number, total: number): void;
  /** Told every second how many are left until the next try. */
  waiting(seconds: number): void;
  verifying(): void;
}

const othersFaults: ReadonlySet<FaultKind> = new Set(['invalid', 'not-found', 'forbidden', 'unauthorized']);

interface Download {
  done: Promise<void>;
  /** Where its bytes land, once the first transfer has begun. */
  landing: PromiseWithResolvers<Ingest>;
  controller: AbortController;
  listeners: Set<DownloadListener>;
}

export class Downloads {
  readonly #content: Content;
  readonly #registry: Registry;
  readonly #running = new Map<string, Download>();
  readonly #slots: Slots;

  /** @param limit layers on their way at once, whoever pulls them */
  constructor(content: Content, registry: Registry, limit: number) {
    this.#content = content;
    this.#registry = registry;
    this.#slots = new Slots(limit);
  }

  /** Resolves when the blob is in the store, held. The last to lose interest stops the transfer; what came is kept for later. */
  async fetch(
    reference: Reference,
    blob: Descriptor,
    options: { credentials: Credentials | undefined; hold: ImageHold; listener?: DownloadListener },
    signal: AbortSignal,
  ): Promise<void> {
    signal.throwIfAborted();
    options.hold.blobs.add(blob.digest);
    if (this.#content.has(blob.digest)) return;
    let download = this.#running.get(blob.digest);
    // One that everybody left is on its way out; wait, then begin anew.
    while (download?.controller.signal.aborted === true) {
      await download.done.catch(() => {});
      download = this.#running.get(blob.digest);
    }
    const joined = download !== undefined;
    const current = download ?? this.#start(reference, blob, options.credentials);
    const { done, controller, listeners } = current;
    const listener = options.listener ?? { progress: () => {}, waiting: () => {}, verifying: () => {} };
    listeners.add(listener);
    let again = false;
    const left = Promise.withResolvers<never>();
    left.promise.catch(() => {});
    const leave = (): void => {
      listeners.delete(listener);
      if (listeners.size === 0) controller.abort(signal.reason);
      left.reject(signal.reason);
    };
    signal.addEventListener('abort', leave, { once: true });
    try {
      await Promise.race([done, left.promise]);
    } catch (error) {
      // Another pull's registry sent wrong bytes, or refused its credentials: a transfer of our own may go well.
      if (signal.aborted || !joined || !othersFaults.has(faultKind(error))) throw error;
      again = true;
    } finally {
      signal.removeEventListener('abort', leave);
      listeners.delete(listener);
      // The one who stopped the transfer sees it end, so that its temporary file is closed.
      if (controller.signal.aborted) await done.catch(() => {});
    }
    if (again) await this.fetch(reference, blob, options, signal);
  }

  /**
   * The bytes of a blob that is on its way, from the first on, as they come; undefined when it is not on its way.
   * @throws LandingFault when that transfer came to nothing, whether or not another one follows
   */
  follow(digest: Digest, signal: AbortSignal): AsyncIterable<Uint8Array> | undefined {
    const download = this.#running.get(digest);
    if (download === undefined) return undefined;
    async function* bytes(landing: Promise<Ingest>): AsyncGenerator<Uint8Array, void, void> {
      yield* (await landing).follow(signal);
    }
    return bytes(download.landing.promise);
  }

  #start(reference: Reference, blob: Descriptor, credentials: Credentials | undefined): Download {
    const controller = new AbortController();
    const listeners = new Set<DownloadListener>();
    const { signal } = controller;
    const landing = Promise.withResolvers<Ingest>();
    landing.promise.catch(() => {});
    const transfer = (): Promise<void> =>
      this.#transfer(reference, blob, credentials, listeners, landing.resolve, signal);
    // A config is small, and all else waits for it.
    const work = isImageConfigType(blob.mediaType) ? transfer() : this.#slots.run(transfer, signal);
    const done = work.finally(() => this.#running.delete(blob.digest));
    // Where it never landed, its followers hear of the failure.
    done.catch((error: unknown) => landing.reject(error));
    const download: Download = { done, landing, controller, listeners };
    this.#running.set(blob.digest, download);
    return download;
  }

  /** Wrong bytes are fetched once more, whole and from the registry itself, where that may give others. */
  async #transfer(
    reference: Reference,
    blob: Descriptor,
    credentials: Credentials | undefined,
    listeners: ReadonlySet<DownloadListener>,
    landed: (ingest: Ingest) => void,
    signal: AbortSignal,
  ): Promise<void> {
    const mirrors = this.#registry.hasMirrors(reference);
    const first = { credentials, mirrors, resumed: false };
    try {
      await this.#once(reference, blob, first, listeners, landed, signal);
    } catch (error) {
      const otherBytes = error instanceof Fault && error.kind === 'invalid' && (first.resumed || mirrors);
      if (signal.aborted || !(otherBytes || error instanceof BlobChanged)) throw error;
      const again = { credentials, mirrors: false, resumed: false };
      await this.#once(reference, blob, again, listeners, () => {}, signal);
    }
  }

  /** @throws Fault invalid, BlobChanged when the bytes are not the blob; nothing of them is kept then */
  async #once(
    reference: Reference,
    blob: Descriptor,
    how: { credentials: Credentials | undefined; mirrors: boolean; resumed: boolean },
    listeners: ReadonlySet<DownloadListener>,
    landed: (ingest: Ingest) => void,
    signal: AbortSignal,
  ): Promise<void> {
    await using ingest = await this.#content.openIngest({ digest: blob.digest, size: blob.size });
    landed(ingest);
    how.resumed = ingest.offset > 0;
    const onWait = (seconds: number): void => {
      for (const listener of listeners) listener.waiting(seconds);
    };
    const { credentials, mirrors } = how;
    const options = { credentials, mirrors, start: ingest.offset, onWait };
    let current = ingest.offset;
    try {
      for await (const chunk of this.#registry.blob(reference, blob, options, signal)) {
        await ingest.write(chunk);
        current += chunk.length;
        for (const listener of listeners) listener.progress(current, blob.size);
      }
    } catch (error) {
      if (error instanceof BlobChanged || faultKind(error) === 'invalid') await ingest.discard();
      throw error;
    }
    for (const listener of listeners) listener.verifying();
    try {
      await ingest.commit();
    } catch (error) {
      if (!(error instanceof Fault) || error.kind !== 'invalid') throw error;
      const what = isImageConfigType(blob.mediaType) ? 'image config' : 'filesystem layer';
      throw new Fault('invalid', `${what} verification failed for digest ${blob.digest}`, { cause: error });
    }
  }
}
