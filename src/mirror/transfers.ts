/** Blobs on their way: one transfer of each, whoever wants it, under whatever repository's name. */
import { join } from 'node:path';
import type { Blob, Content } from '../content/index.ts';
import { type Digest, type Reference, referenceName } from '../oci/index.ts';
import { BlobChanged } from '../registry/index.ts';
import { type FaultKind, faultKind, isDiskFull, type Logger, messageOf } from '../std/index.ts';
import type { Catalog } from './catalog.ts';
import { type PartFile, partName, Parts } from './parts.ts';
import { firstBytes, type Span, Transfer } from './transfer.ts';
import type { Upstream } from './upstream.ts';

export interface TransfersOptions {
  root: string;
  content: Content;
  catalog: Catalog;
  upstream: Upstream;
  log: Logger;
  now: () => number;
  /** A transfer ended: there is more on the disk, or less. */
  onEnd: () => void;
  /** One ended because the disk is too full for so many bytes. */
  onFull: (bytes: number) => void;
}

export interface WantedBlob extends Blob {
  reference: Reference;
}

interface Running {
  transfer: Transfer;
  reference: Reference;
  /** It may wait for another cache. */
  mirrored: boolean;
}

/** Speak of whom was asked, and not of the blob: under another name it may be had. */
const othersFaults: ReadonlySet<FaultKind> = new Set(['invalid', 'not-found', 'forbidden', 'unauthorized']);
const mostSuspects = 1000;

export class Transfers {
  readonly #options: TransfersOptions;
  readonly #parts: Parts;
  /** By digest and size: who lies about a size disturbs nobody who does not. */
  readonly #running = new Map<string, Running>();
  /** Blobs that came with wrong bytes: the next try asks the registry itself. */
  readonly #suspects = new Set<Digest>();

  constructor(options: TransfersOptions) {
    this.#options = options;
    this.#parts = new Parts(join(options.root, 'parts'), options.now());
  }

  /** Where parts are. */
  get folder(): string {
    return this.#parts.folder;
  }

  /** Whether the blob is on its way from what may be a mirror. */
  mirrored(blob: Blob): boolean {
    return this.#running.get(partName(blob))?.mirrored === true;
  }

  /** From the store, from a transfer that goes on, or from one that begins now. @throws Fault, also under way */
  async *read(wanted: WantedBlob, span: Span, signal: AbortSignal): AsyncGenerator<Uint8Array, void, void> {
    const { content } = this.#options;
    using hold = content.hold();
    hold.add(wanted.digest);
    for (;;) {
      signal.throwIfAborted();
      const running = this.#running.get(partName(wanted));
      const here = content.has(wanted.digest);
      if (!here && running?.transfer.over === true) {
        await running.transfer.done;
        continue;
      }
      let given = false;
      try {
        const bytes = here
          ? firstBytes(content.open(wanted.digest, { start: span.start, signal }), span.end - span.start)
          : (running ?? this.#start(wanted)).transfer.read(span, signal);
        for await (const piece of bytes) {
          given = true;
          yield piece;
        }
        return;
      } catch (error) {
        if (given || signal.aborted) throw error;
        // A file that was deleted behind our back is no more in the store; who was asked for others may know this blob otherwise.
        const another = here ? faultKind(error) === 'not-found' : running !== undefined;
        if (!another || !othersFaults.has(faultKind(error))) throw error;
      }
    }
  }

  /** The rest of a blob that is on its way for somebody else; undefined when none is. */
  join({ digest, size }: Blob, start: number, signal: AbortSignal): AsyncIterable<Uint8Array> | undefined {
    const running = this.#running.get(partName({ digest, size }));
    if (running === undefined || running.transfer.over) return undefined;
    return this.read({ reference: running.reference, digest, size }, { start, end: size }, signal);
  }

  /** Of transfers that go on, and of those that broke off. */
  parts(): { running: PartFile[]; left: PartFile[] } {
    const all = this.#parts.list();
    return {
      running: all.filter(({ name }) => this.#running.has(name)),
      left: all.filter(({ name }) => !this.#running.has(name)),
    };
  }

  /** Deletes what is left of a transfer, unless it goes on again. */
  async dropPart({ name }: PartFile): Promise<void> {
    if (!this.#running.has(name)) await this.#parts.delete(name);
  }

  #start({ reference, digest, size }: WantedBlob): Running {
    const { content, catalog, upstream, log, onEnd, onFull } = this.#options;
    const blob = { digest, size };
    const repository = referenceName(reference);
    const suspect = this.#suspects.delete(digest);
    const mirrors = !suspect && upstream.hasMirrors(reference);
    const transfer = new Transfer(blob, {
      openPart: () => this.#parts.open(blob),
      fetch: (start, signal) => {
        log.debug('the cache fetches a blob', { repository, digest, size, start });
        return upstream.blob(reference, blob, { start, mirrors }, signal);
      },
      land: async (part) => {
        using hold = content.hold();
        await content.adopt(part.path, blob, hold);
        await catalog.keep(repository, blob);
      },
      stored: (start, signal) => content.open(digest, { start, signal }),
      useless: (error) => isWrong(error) || isDiskFull(error),
    });
    const running = { transfer, reference, mirrored: mirrors };
    this.#running.set(partName(blob), running);
    void transfer.done.then(() => {
      this.#running.delete(partName(blob));
      const { failure } = transfer;
      if (isWrong(failure)) this.#suspect(digest);
      if (failure !== undefined && !transfer.abandoned)
        log.warn('a transfer of the cache broke off', { repository, digest, error: messageOf(failure) });
      if (isDiskFull(failure)) onFull(size);
      onEnd();
    });
    return running;
  }

  #suspect(digest: Digest): void {
    if (this.#suspects.size >= mostSuspects) this.#suspects.clear();
    this.#suspects.add(digest);
  }

  /** Ends all of them; what came stays for the next daemon. */
  async [Symbol.asyncDispose](): Promise<void> {
    const all = [...this.#running.values()];
    for (const { transfer } of all) transfer.abort(new Error('the cache is closed'));
    await Promise.all(all.map(({ transfer }) => transfer.done));
  }
}

/** Bytes came that are not the blob's. */
function isWrong(error: unknown): boolean {
  return error instanceof BlobChanged || faultKind(error) === 'invalid';
}
