/**
 * Manifests and indexes, by digest and by tag. What a digest names is served as it is here, and never asked for. What a tag names is
 * asked upstream by HEAD when it was not for a while; when upstream is gone, slow or refuses, what was fetched before is served, and
 * said to be old.
 */
import type { Content } from '../content/index.ts';
import {
  type Descriptor,
  type Digest,
  formatReference,
  manifestLimit,
  parseManifest,
  type Reference,
  referenceName,
  withDigest,
} from '../oci/index.ts';
import type { Resolved } from '../registry/index.ts';
import { faultKind, type Logger, messageOf, Shared } from '../std/index.ts';
import type { Catalog, ManifestRecord } from './catalog.ts';
import { Refusal } from './refusal.ts';
import type { Upstream } from './upstream.ts';

export interface ManifestsOptions {
  content: Content;
  catalog: Catalog;
  upstream: Upstream;
  log: Logger;
  now: () => number;
}

export interface Described {
  descriptor: Descriptor;
  /** Why it could not be made sure that this is what the tag means now; undefined when it is. */
  doubt: string | undefined;
}

export interface Asker {
  /** The request came through another cache: it must not wait for what this one has asked of others, who may be waiting for it. */
  isCache: boolean;
  signal: AbortSignal;
}

/** So long a tag is believed to mean what it meant. */
const freshMs = 30_000;
/** So long upstream is waited for where there is something to serve without it. */
const hurryMs = 5_000;
const mostChecked = 20_000;

export class Manifests {
  readonly #options: ManifestsOptions;
  readonly #asking = new Shared<Descriptor>();
  /** What tags were last said to mean, and when: also such whose manifest nobody has fetched yet. */
  readonly #checked = new Map<string, { descriptor: Descriptor; at: number }>();

  constructor(options: ManifestsOptions) {
    this.#options = options;
  }

  /** What a HEAD tells: of a manifest that is not here, what upstream's tells. @throws Fault not-found, … as upstream answers */
  async describe(reference: Reference, asker: Asker): Promise<Described> {
    if (reference.tag !== undefined) return this.#meaning(reference, reference.tag, asker);
    const descriptor = this.#here(reference) ?? (await this.#ask(reference, asker));
    return { descriptor, doubt: undefined };
  }

  /** The manifest itself. @throws Fault not-found, … as upstream answers */
  async open(reference: Reference, asker: Asker): Promise<Described & { bytes: Buffer }> {
    const { content } = this.#options;
    const meant = reference.tag === undefined ? undefined : await this.#meaning(reference, reference.tag, asker);
    const exact = meant === undefined ? reference : withDigest(reference, meant.descriptor.digest);
    const doubt = meant?.doubt;
    let descriptor = this.#here(exact);
    // Whether what is here is the repository's is asked; its bytes are not.
    if (descriptor === undefined && content.has(exact.digest!)) descriptor = await this.#ask(exact, asker);
    descriptor ??= await this.#fetchOnce(exact, asker);
    return { descriptor, doubt, bytes: await content.read(descriptor.digest, manifestLimit) };
  }

  /** What a tag means: as upstream says, or as it was known before where upstream cannot be asked. */
  async #meaning(reference: Reference, tag: string, asker: Asker): Promise<Described> {
    const { catalog } = this.#options;
    const repository = referenceName(reference);
    const known = catalog.tag(repository, tag);
    const fresh = this.#fresh(reference);
    if (known === undefined) return { descriptor: fresh ?? (await this.#ask(reference, asker)), doubt: undefined };
    try {
      const resting = fresh === undefined ? this.#options.upstream.resting(reference, 'describe') : undefined;
      if (resting !== undefined) return doubtful(known, tag, resting);
      const descriptor = fresh ?? (await this.#ask(reference, asker, hurryMs));
      const exact = withDigest(reference, descriptor.digest);
      // A tag that moved leads here only when what it leads to can be had.
      if (this.#here(exact) === undefined) await this.#fetchOnce(exact, asker, hurryMs);
      return { descriptor, doubt: undefined };
    } catch (error) {
      asker.signal.throwIfAborted();
      if (isFinal(error)) {
        await catalog.dropTag(repository, tag);
        throw error;
      }
      this.#options.log.warn('upstream cannot say what a tag means: the cache serves what it meant before', {
        image: formatReference(reference),
        digest: known.digest,
        error: messageOf(error),
      });
      return doubtful(known, tag, error);
    }
  }

  /** What upstream said not long ago. */
  #fresh(reference: Reference): Descriptor | undefined {
    const checked = this.#checked.get(formatReference(reference));
    return checked !== undefined && this.#options.now() - checked.at < freshMs ? checked.descriptor : undefined;
  }

  #ask(reference: Reference, asker: Asker, waitMs?: number): Promise<Descriptor> {
    return this.#share(`ask ${formatReference(reference)}`, reference, asker, (signal) =>
      this.#said(reference, signal, waitMs),
    );
  }

  #fetchOnce(reference: Reference, asker: Asker, waitMs?: number): Promise<Descriptor> {
    return this.#share(`fetch ${formatReference(reference)}`, reference, asker, (signal) =>
      this.#fetch(reference, signal, waitMs),
    );
  }

  /** Asks upstream what a tag or digest names, without fetching it where that can be. */
  async #said(reference: Reference, signal: AbortSignal, waitMs?: number): Promise<Descriptor> {
    const { upstream, content, catalog } = this.#options;
    const said = await upstream.describe(reference, signal, waitMs);
    const descriptor = said ?? (await this.#fetch(reference, signal, waitMs));
    this.#remember(reference, descriptor);
    const { digest } = descriptor;
    // It may be here without having come through the cache: that it is the repository's is known now.
    if (content.has(digest) && catalog.manifest(referenceName(reference), digest) === undefined) {
      using hold = content.hold();
      hold.add(digest);
      await this.#record(reference, descriptor, await content.read(digest, manifestLimit));
    } else if (reference.tag !== undefined && catalog.manifest(referenceName(reference), digest) !== undefined)
      await catalog.setTag(referenceName(reference), reference.tag, digest);
    return descriptor;
  }

  async #fetch(reference: Reference, signal: AbortSignal, waitMs?: number): Promise<Descriptor> {
    const resolved = await this.#options.upstream.resolve(reference, signal, waitMs);
    const { digest } = resolved.descriptor;
    this.#options.log.info('the cache fetched a manifest', { image: formatReference(reference), digest });
    return this.learn(reference, resolved);
  }

  /** Takes a manifest that upstream gave to somebody who showed no credentials: anybody may have it. */
  async learn(reference: Reference, { descriptor, bytes }: Resolved): Promise<Descriptor> {
    const { content } = this.#options;
    using hold = content.hold();
    async function* once(): AsyncGenerator<Uint8Array> {
      yield bytes;
    }
    await content.ingest(once(), { digest: descriptor.digest, hold });
    this.#remember(reference, descriptor);
    return await this.#record(reference, descriptor, bytes);
  }

  /** The bytes, which are in the store and held, are the repository's from now on, and what its tags are known to mean. */
  async #record(reference: Reference, { digest, mediaType }: Descriptor, bytes: Buffer): Promise<Descriptor> {
    const { catalog } = this.#options;
    const parsed = parseManifest(bytes, mediaType);
    const repository = referenceName(reference);
    const type = parsed.kind === 'index' ? parsed.index.mediaType : parsed.manifest.mediaType;
    const descriptor = { mediaType: type, digest, size: bytes.length };
    await catalog.addManifest(repository, descriptor, parsed);
    for (const tag of this.#tagsOf(reference, digest)) await catalog.setTag(repository, tag, digest);
    return descriptor;
  }

  /** Docker and containerd ask what a tag means, and then fetch by digest: the tag belongs to what comes then. */
  #tagsOf(reference: Reference, digest: Digest): string[] {
    const prefix = `${referenceName(reference)}:`;
    return [...this.#checked].flatMap(([key, { descriptor }]) =>
      key.startsWith(prefix) && descriptor.digest === digest ? [key.slice(prefix.length)] : [],
    );
  }

  #remember(reference: Reference, descriptor: Descriptor): void {
    if (reference.tag === undefined || reference.digest !== undefined) return;
    const key = formatReference(reference);
    this.#checked.delete(key);
    const [oldest] = this.#checked.keys();
    if (oldest !== undefined && this.#checked.size >= mostChecked) this.#checked.delete(oldest);
    this.#checked.set(key, { descriptor, at: this.#options.now() });
  }

  #here(reference: Reference): Descriptor | undefined {
    const { catalog } = this.#options;
    const record = catalog.manifest(referenceName(reference), reference.digest!);
    if (record === undefined) return undefined;
    catalog.used(record);
    return descriptorOf(record);
  }

  /** The same question of several is asked once. */
  #share(
    key: string,
    reference: Reference,
    asker: Asker,
    ask: (signal: AbortSignal) => Promise<Descriptor>,
  ): Promise<Descriptor> {
    if (asker.isCache && this.#asking.busy(key) && this.#options.upstream.hasMirrors(reference)) {
      throw new Refusal(404, 'MANIFEST_UNKNOWN', 'this cache is asking for it itself');
    }
    return this.#asking.run(key, ask, asker.signal);
  }
}

function doubtful(known: ManifestRecord, tag: string, error: unknown): Described {
  return { descriptor: descriptorOf(known), doubt: `${messageOf(error)}; this is what ${tag} meant before` };
}

/** What upstream says of the tag itself, and will say again. */
function isFinal(error: unknown): boolean {
  return ['not-found', 'unauthorized', 'forbidden'].includes(faultKind(error));
}

function descriptorOf({ mediaType, digest, size }: ManifestRecord): Descriptor {
  return { mediaType, digest, size };
}
