/**
 * Manifests and indexes, by digest and by tag. What a digest names is served as it is here, and never asked for. What a tag names is
 * asked upstream by HEAD when it was not for a while; when upstream is gone, slow or refuses, what was fetched before is served, and
 * said to be old.
 */
import type { Content } from '../content/index.ts';
import {
  type Descriptor,
  formatReference,
  manifestLimit,
  parseManifest,
  type Reference,
  referenceName,
  withDigest,
} from '../oci/index.ts';
import type { Resolved } from '../registry/index.ts';
import { Background, faultKind, type Logger, messageOf, Shared } from '../std/index.ts';
import type { Catalog, ManifestRecord } from './catalog.ts';
import { Refusal } from './refusal.ts';
import { TagMemory } from './tag-memory.ts';
import type { Upstream } from './upstream.ts';
import { within } from './within.ts';

export interface ManifestsOptions {
  content: Content;
  catalog: Catalog;
  upstream: Upstream;
  log: Logger;
  now: () => number;
  /** How long upstream is waited for where there is something to serve without it. */
  hurryMs: number;
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

export class Manifests implements AsyncDisposable {
  readonly #options: ManifestsOptions;
  readonly #asking = new Shared<Descriptor>();
  readonly #memory: TagMemory;
  readonly #closing = new AbortController();
  /** What fails in it is told to those who still wait. */
  readonly #background = new Background(() => {});

  constructor(options: ManifestsOptions) {
    this.#options = options;
    this.#memory = new TagMemory(options.now);
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
    const { catalog, upstream } = this.#options;
    const known = catalog.tag(referenceName(reference), tag);
    const fresh = this.#memory.fresh(reference);
    if (known === undefined) return { descriptor: fresh ?? (await this.#ask(reference, asker)), doubt: undefined };
    const resting = fresh === undefined ? upstream.resting(reference, 'describe') : undefined;
    if (resting !== undefined) return doubtful(known, tag, resting);
    let said: Descriptor;
    try {
      said = fresh ?? (await this.#hurry((patient) => this.#ask(reference, patient), asker));
    } catch (error) {
      asker.signal.throwIfAborted();
      if (!isFinal(error)) return this.#old(known, tag, error);
      await catalog.dropTag(referenceName(reference), tag);
      throw error;
    }
    try {
      const exact = withDigest(reference, said.digest);
      // A tag that moved leads here only when what it leads to can be had.
      if (this.#here(exact) === undefined) await this.#hurry((patient) => this.#fetchOnce(exact, patient), asker);
      return { descriptor: said, doubt: undefined };
    } catch (error) {
      asker.signal.throwIfAborted();
      return this.#old(known, tag, error);
    }
  }

  #old(known: ManifestRecord, tag: string, error: unknown): Described {
    const image = `${known.repository}:${tag}`;
    if (this.#memory.mayTell(image)) {
      const fields = { image, digest: known.digest, error: messageOf(error) };
      this.#options.log.warn('upstream cannot say what a tag means: the cache serves what it meant before', fields);
    }
    return doubtful(known, tag, error);
  }

  /** Waits a little for work that goes on without the asker: on a slow line the answer comes in time for the next one. */
  async #hurry(work: (patient: Asker) => Promise<Descriptor>, asker: Asker): Promise<Descriptor> {
    const going = work({ ...asker, signal: this.#closing.signal });
    this.#background.run(going);
    return within(going, this.#options.hurryMs, asker.signal);
  }

  #ask(reference: Reference, asker: Asker): Promise<Descriptor> {
    const key = `ask ${formatReference(reference)}`;
    return this.#share(key, reference, asker, (signal) => this.#said(reference, signal));
  }

  #fetchOnce(reference: Reference, asker: Asker): Promise<Descriptor> {
    const key = `fetch ${formatReference(reference)}`;
    return this.#share(key, reference, asker, (signal) => this.#fetch(reference, signal));
  }

  /** Asks upstream what a tag or digest names, without fetching it where that can be. */
  async #said(reference: Reference, signal: AbortSignal): Promise<Descriptor> {
    const { upstream, content, catalog } = this.#options;
    const said = await upstream.describe(reference, signal);
    const descriptor = said ?? (await this.#fetch(reference, signal));
    this.#memory.remember(reference, descriptor);
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

  async #fetch(reference: Reference, signal: AbortSignal): Promise<Descriptor> {
    const resolved = await this.#options.upstream.resolve(reference, signal);
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
    this.#memory.remember(reference, descriptor);
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
    // Docker and containerd ask what a tag means, and then fetch by digest: the tag belongs to what comes then.
    for (const tag of this.#memory.tagsOf(reference, digest)) await catalog.setTag(repository, tag, digest);
    return descriptor;
  }

  #here(reference: Reference): Descriptor | undefined {
    const { catalog } = this.#options;
    const record = catalog.manifest(referenceName(reference), reference.digest!);
    if (record === undefined) return undefined;
    catalog.used(record);
    return descriptorOf(record);
  }

  /** The same question of several is asked once. */
  async #share(
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

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(new Error('the cache is closed'));
    await this.#background.settled();
  }
}

function doubtful(known: ManifestRecord, tag: string, error: unknown): Described {
  return { descriptor: descriptorOf(known), doubt: `${messageOf(error)}; this is what ${tag} meant before` };
}

/** What upstream says of the tag itself, and will say again; not what this cache refuses. */
function isFinal(error: unknown): boolean {
  return !(error instanceof Refusal) && ['not-found', 'unauthorized', 'forbidden'].includes(faultKind(error));
}

function descriptorOf({ mediaType, digest, size }: ManifestRecord): Descriptor {
  return { mediaType, digest, size };
}
