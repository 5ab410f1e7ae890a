/** Fetches blobs into the store; a blob that several pulls want at once is fetched once and reported to all of them. */
import type { Content } from '../content/index.ts';
import { type Descriptor, isImageConfigType, type Reference } from '../oci/index.ts';
import type { Credentials, Registry } from '../registry/index.ts';
import { Fault } from '../std/index.ts';
import type { ImageHold } from './shelf.ts';

export interface DownloadListener {
  progress(current: number, total: number): void;
  verifying(): void;
}

interface Download {
  /** Went on from bytes that an earlier transfer left. */
  resumed: boolean;
  done: Promise<void>;
  controller: AbortController;
  listeners: Set<DownloadListener>;
}

export class Downloads {
  readonly #content: Content;
  readonly #registry: Registry;
  readonly #running = new Map<string, Download>();

  constructor(content: Content, registry: Registry) {
    this.#content = content;
    this.#registry = registry;
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
    const listener = options.listener ?? { progress: () => {}, verifying: () => {} };
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
      // The wrong bytes were an earlier pull's, and are gone by now: a transfer of our own may be right.
      const foreign = joined || current.resumed;
      if (signal.aborted || !foreign || !(error instanceof Fault) || error.kind !== 'invalid') throw error;
      again = true;
    } finally {
      signal.removeEventListener('abort', leave);
      listeners.delete(listener);
      // The one who stopped the transfer sees it end, so that its temporary file is closed.
      if (controller.signal.aborted) await done.catch(() => {});
    }
    if (again) await this.fetch(reference, blob, options, signal);
  }

  #start(reference: Reference, blob: Descriptor, credentials: Credentials | undefined): Download {
    const controller = new AbortController();
    const listeners = new Set<DownloadListener>();
    const download: Download = { done: Promise.resolve(), controller, listeners, resumed: false };
    const resumed = (): void => {
      download.resumed = true;
    };
    download.done = this.#transfer(reference, blob, credentials, listeners, controller.signal, resumed).finally(() =>
      this.#running.delete(blob.digest),
    );
    download.done.catch(() => {});
    this.#running.set(blob.digest, download);
    return download;
  }

  async #transfer(
    reference: Reference,
    blob: Descriptor,
    credentials: Credentials | undefined,
    listeners: ReadonlySet<DownloadListener>,
    signal: AbortSignal,
    onResumed: () => void,
  ): Promise<void> {
    await using ingest = await this.#content.openIngest({ digest: blob.digest, size: blob.size });
    if (ingest.offset > 0) onResumed();
    let current = ingest.offset;
    for await (const chunk of this.#registry.blob(reference, blob, ingest.offset, credentials, signal)) {
      await ingest.write(chunk);
      current += chunk.length;
      for (const listener of listeners) listener.progress(current, blob.size);
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
