/**
 * Images against the disk: records, configs, manifests, layers and names against each other, blobs against their digests,
 * unpacked layers against the blobs they came from. Yields what is wrong, with what would mend it.
 */
import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Problem, recordProblem, strayFile } from '../api/index.ts';
import type { BlobProblem } from '../content/index.ts';
import {
  type Descriptor,
  type Digest,
  familiarReference,
  type Manifest,
  parseImageConfig,
  parseManifest,
} from '../oci/index.ts';
import { Fault, faultKind, isDiskFull, messageOf, shortId } from '../std/index.ts';
import { decompress } from './decompress.ts';
import type { Puller } from './pull.ts';
import type { LostImage, StoredImage } from './records.ts';
import { replaceAdvice, restoreConfig, restoreLayer, restoreManifest } from './restore-blob.ts';

export interface ImageVerification {
  /** Leave out what reads every byte. */
  quick: boolean;
  /** Names of running containers whose file system has the layer. */
  runningOn: (chainId: string) => string[];
  progress: (step: string, done: number, total: number) => void;
  /** What could not be checked. */
  note: (text: string) => void;
  /** Filled in. */
  counts: { Images: number; Blobs: number; BlobBytes: number; Layers: number; LayersCompared: number };
}

export async function* verifyImages(
  puller: Puller,
  root: string,
  options: ImageVerification,
  signal: AbortSignal,
): AsyncGenerator<Problem, void, void> {
  const verifier = new Verifier(puller, options, signal);
  yield* verifier.lostImages();
  yield* verifier.images();
  yield* verifier.blobs();
  if (!options.quick) yield* verifier.layers();
  for (const fault of await puller.shelf.records.check())
    yield recordProblem('image', fault, (id) => puller.shelf.records.write(id));
  for (const fault of await puller.shelf.freed.check()) yield recordProblem('blob', fault);
  for (const name of readdirSync(root)) {
    const path = join(root, name);
    const stat = lstatSync(path, { throwIfNoEntry: false });
    if (stat === undefined || isOwnFile(name, stat.mtimeMs)) continue;
    if (name.endsWith('.broken'))
      yield recordProblem('image', { kind: 'set-aside', path, id: undefined, size: stat.size });
    else yield strayFile(path, stat.size, 'it is no file of the image store');
  }
  yield* puller.shelf.snapshots.check();
}

/** A file that is being written counts as one. */
function isOwnFile(name: string, mtimeMs: number): boolean {
  if (['images', 'freed', 'references.json', 'references.json.room', 'usage.json'].includes(name)) return true;
  return name.endsWith('.tmp') && Date.now() - mtimeMs < 60_000;
}

class Verifier {
  readonly #puller: Puller;
  readonly #options: ImageVerification;
  readonly #signal: AbortSignal;
  /** Blobs that are not to be trusted. */
  readonly #damaged = new Set<Digest>();

  constructor(puller: Puller, options: ImageVerification, signal: AbortSignal) {
    this.#puller = puller;
    this.#options = options;
    this.#signal = signal;
  }

  *lostImages(): Generator<Problem, void, void> {
    for (const lost of this.#puller.shelf.records.lost()) {
      yield {
        ...problem('image', nameOfLost(lost), 'missing', `its config ${lost.record.id} is missing or damaged`),
        Action: replaceAdvice(lost.references, lost.record.id),
        repair: () => this.#findImage(lost),
      };
    }
  }

  /** One that came from no registry is gone for good, and what is left of it with it. */
  async #findImage({ record, references }: LostImage): Promise<string> {
    const { shelf } = this.#puller;
    using hold = shelf.hold();
    await shelf.content.delete(record.id);
    if (!references.some((reference) => reference.digest !== undefined)) {
      await shelf.exclusive(() => shelf.discardLost(record));
      throw new Fault(
        'not-found',
        `it came from no registry, and what was left of it was removed; ${replaceAdvice([], record.id)}`,
      );
    }
    const how = await restoreConfig(this.#puller, record, { hold }, this.#signal);
    const config = parseImageConfig(await shelf.content.read(record.id));
    await shelf.exclusive(async () => shelf.records.find(record, config));
    const image = shelf.records.get(record.id)!;
    for (const chainId of image.chain) hold.addChain(chainId);
    await this.#unpack(image);
    return how;
  }

  async *images(): AsyncGenerator<Problem, void, void> {
    const { shelf } = this.#puller;
    const images = shelf.records.all();
    const chains = new Set<string>();
    for (const [index, { id }] of images.entries()) {
      this.#signal.throwIfAborted();
      this.#options.progress('images', index, images.length);
      const image = shelf.records.get(id);
      if (image === undefined) continue;
      this.#options.counts.Images++;
      for (const chainId of image.chain) chains.add(chainId);
      yield* this.#parts(image);
      yield* this.#names(image);
      yield* this.#unpacked(image);
    }
    this.#options.counts.Layers = chains.size;
  }

  /** Config, manifest and layers: there, of one mind, and as long as they say. */
  async *#parts(image: StoredImage): AsyncGenerator<Problem, void, void> {
    const { shelf } = this.#puller;
    if (!shelf.content.has(image.id))
      yield this.#missing(image, 'config', image.id, (hold) =>
        restoreConfig(this.#puller, image, { hold }, this.#signal),
      );
    if (!shelf.content.has(image.manifest)) {
      yield this.#missing(image, 'manifest', image.manifest, (hold) =>
        restoreManifest(this.#puller, image, image.manifest, { hold }, this.#signal),
      );
    } else {
      const wrong = await this.#manifestProblem(image);
      if (wrong !== undefined)
        yield { ...problem('image', nameOf(this.#puller, image), 'damaged', wrong), Action: this.#advice(image) };
    }
    for (const layer of image.layers) {
      const size = shelf.content.size(layer.digest);
      if (size === layer.size || (size === undefined && shelf.freed.has(layer.digest))) continue;
      if (size === undefined) {
        yield this.#missing(image, 'layer', layer.digest, (hold) =>
          restoreLayer(this.#puller, image, layer, { hold }, this.#signal),
        );
      } else if (this.#options.quick) {
        this.#damaged.add(layer.digest);
        yield this.#damagedBlob(image, layer.digest, `has ${size} bytes, not ${layer.size}`);
      }
    }
  }

  async #manifestProblem(image: StoredImage): Promise<string | undefined> {
    let manifest: Manifest;
    try {
      const parsed = parseManifest(await this.#puller.shelf.content.read(image.manifest), '');
      if (parsed.kind !== 'manifest') return `its manifest ${image.manifest} is an index`;
      manifest = parsed.manifest;
    } catch (error) {
      // Damaged bytes are told when blobs are read.
      return this.#options.quick ? `its manifest cannot be read: ${messageOf(error)}` : undefined;
    }
    if (manifest.config.digest !== image.id) return `its manifest names another config, ${manifest.config.digest}`;
    const same = (layer: Descriptor, index: number): boolean => manifest.layers[index]?.digest === layer.digest;
    if (manifest.layers.length !== image.layers.length || !image.layers.every(same))
      return 'its manifest names other layers than its record';
    if (image.config.rootfs.diff_ids.length !== image.layers.length)
      return `its config has ${image.config.rootfs.diff_ids.length} layers, its manifest ${image.layers.length}`;
    return undefined;
  }

  /** The index by which an image came is needed to tell its digest again. */
  *#names(image: StoredImage): Generator<Problem, void, void> {
    for (const { digest } of this.#puller.shelf.records.references(image.id)) {
      if (digest === undefined || digest === image.manifest || this.#puller.shelf.content.has(digest)) continue;
      yield this.#missing(image, 'index', digest, (hold) =>
        restoreManifest(this.#puller, image, digest, { hold }, this.#signal),
      );
    }
  }

  *#unpacked(image: StoredImage): Generator<Problem, void, void> {
    const missing = image.chain.filter((chainId) => !this.#puller.shelf.snapshots.has(chainId));
    if (missing.length === 0) return;
    const which = missing.map(shortId).join(', ');
    yield {
      ...problem('layer', which, 'missing', `not unpacked, of image ${nameOf(this.#puller, image)}`),
      Action: 'unpack it again: wherry system verify --repair',
      repair: async () => {
        await this.#unpack(image);
        return 'unpacked again';
      },
    };
  }

  async #unpack(image: StoredImage): Promise<void> {
    const { shelf } = this.#puller;
    using hold = shelf.hold();
    for (const chainId of image.chain) hold.addChain(chainId);
    for (const [index, layer] of image.layers.entries()) {
      if (shelf.snapshots.has(image.chain[index]!) || shelf.content.has(layer.digest)) continue;
      await restoreLayer(this.#puller, image, layer, { hold }, this.#signal);
    }
    await shelf.unpack(image, {}, this.#signal);
  }

  async *blobs(): AsyncGenerator<Problem, void, void> {
    const { content } = this.#puller.shelf;
    const { counts, quick } = this.#options;
    const all = content.list();
    counts.Blobs = all.length;
    counts.BlobBytes = all.reduce((sum, { size }) => sum + size, 0);
    let read = 0;
    const progress = (bytes: number): void => {
      read += bytes;
      this.#options.progress('blobs', read, counts.BlobBytes);
    };
    for await (const found of content.check({ quick, progress }, this.#signal)) yield this.#blobProblem(found);
  }

  #blobProblem({ kind, path, digest, size, detail }: BlobProblem): Problem {
    const { content } = this.#puller.shelf;
    if (kind === 'foreign' || digest === undefined) return strayFile(path, size, detail);
    if (kind === 'unneeded') {
      return {
        ...problem('blob', shortId(digest), 'stray', detail),
        Path: path,
        Size: size,
        Action: 'remove it: wherry system verify --repair',
        repair: async () => {
          await content.collect([digest]);
          return 'removed';
        },
      };
    }
    this.#damaged.add(digest);
    const image = this.#puller.shelf.records.all().find((each) => partOf(this.#puller, each, digest) !== undefined);
    if (image !== undefined) return { ...this.#damagedBlob(image, digest, detail), Path: path, Size: size };
    return {
      ...problem('blob', shortId(digest), 'damaged', detail),
      Path: path,
      Size: size,
      Action: 'remove it: wherry system verify --repair',
      repair: async () => {
        await content.delete(digest);
        return 'removed';
      },
    };
  }

  /** The bad bytes go in any case: nobody should be served them. */
  #damagedBlob(image: StoredImage, digest: Digest, detail: string): Problem {
    const { shelf } = this.#puller;
    const part = partOf(this.#puller, image, digest) ?? 'blob';
    return {
      ...problem(
        'blob',
        shortId(digest),
        'damaged',
        `${detail}; it is the ${part} of image ${nameOf(this.#puller, image)}`,
      ),
      Action: this.#advice(image),
      repair: async () => {
        using hold = shelf.hold();
        await shelf.content.delete(digest);
        const how = await this.#restorePart(image, part, digest, hold);
        this.#damaged.delete(digest);
        return how;
      },
    };
  }

  async #restorePart(
    image: StoredImage,
    part: string,
    digest: Digest,
    hold: ReturnType<Puller['shelf']['hold']>,
  ): Promise<string> {
    const layer = image.layers.find((each) => each.digest === digest);
    if (layer !== undefined) return restoreLayer(this.#puller, image, layer, { hold }, this.#signal);
    if (part !== 'config') return restoreManifest(this.#puller, image, digest, { hold }, this.#signal);
    try {
      return await restoreConfig(this.#puller, image, { hold }, this.#signal);
    } catch (error) {
      // The next daemon could not read it, either.
      this.#puller.shelf.records.lose(image.id);
      throw error;
    }
  }

  #missing(
    image: StoredImage,
    part: string,
    digest: Digest,
    restore: (hold: ReturnType<Puller['shelf']['hold']>) => Promise<string>,
  ): Problem {
    return {
      ...problem('blob', shortId(digest), 'missing', `it is the ${part} of image ${nameOf(this.#puller, image)}`),
      Action: this.#advice(image),
      repair: async () => {
        using hold = this.#puller.shelf.hold();
        return await restore(hold);
      },
    };
  }

  #advice(image: StoredImage): string {
    const { records } = this.#puller.shelf;
    return `mend it: wherry system verify --repair; or ${replaceAdvice(records.references(image.id), image.id)}`;
  }

  /** Each unpacked layer whose blob is here, or that was made here and has none, the lower ones first. */
  async *layers(): AsyncGenerator<Problem, void, void> {
    const { shelf } = this.#puller;
    const seen = new Set<string>();
    const todo: { image: StoredImage; chainId: Digest; layer: Descriptor }[] = [];
    for (const image of shelf.records.all()) {
      for (const [index, chainId] of image.chain.entries()) {
        const layer = image.layers[index];
        if (layer === undefined || seen.has(chainId)) continue;
        seen.add(chainId);
        todo.push({ image, chainId, layer });
      }
    }
    const total = todo.reduce((sum, { layer }) => sum + layer.size, 0);
    let done = 0;
    for (const { image, chainId, layer } of todo) {
      this.#signal.throwIfAborted();
      this.#options.progress('layers', done, total);
      done += layer.size;
      const usable = shelf.content.has(layer.digest) && !this.#damaged.has(layer.digest);
      if (!shelf.snapshots.has(chainId)) continue;
      if (usable) yield* this.#layer(image, chainId, layer);
      else if (shelf.freed.isMadeHere(layer.digest)) yield* this.#madeLayer(image, chainId);
    }
  }

  /** There is nothing to compare it with but its own digest. */
  async *#madeLayer(image: StoredImage, chainId: string): AsyncGenerator<Problem, void, void> {
    const { shelf } = this.#puller;
    using hold = shelf.hold();
    hold.addChain(chainId);
    this.#options.counts.LayersCompared++;
    if (await shelf.snapshots.isWhole(chainId, this.#signal)) return;
    const detail = `its files are not what was built; it is of image ${nameOf(this.#puller, image)}`;
    const names = shelf.records.references(image.id);
    yield { ...problem('layer', shortId(chainId), 'damaged', detail), Action: replaceAdvice(names, image.id) };
  }

  async *#layer(image: StoredImage, chainId: string, layer: Descriptor): AsyncGenerator<Problem, void, void> {
    const { shelf } = this.#puller;
    using hold = shelf.hold();
    hold.blobs.add(layer.digest);
    hold.addChain(chainId);
    const tar = (): AsyncIterable<Uint8Array> => decompress(shelf.content.open(layer.digest, { signal: this.#signal }));
    let differences;
    try {
      differences = await shelf.snapshots.checkLayer(chainId, tar(), this.#signal);
    } catch (error) {
      this.#signal.throwIfAborted();
      if (!isDiskFull(error) && faultKind(error) !== 'invalid') throw error;
      this.#options.note(
        `layer ${shortId(chainId)} of image ${nameOf(this.#puller, image)} was not compared: ${messageOf(error)}`,
      );
      return;
    }
    this.#options.counts.LayersCompared++;
    const [first] = differences;
    // Made here it may look otherwise than unpacked from its archive, and be the same.
    if (first === undefined || (await shelf.snapshots.isWhole(chainId, this.#signal))) return;
    const more = differences.length === 1 ? '' : `, and ${differences.length - 1} more`;
    const detail = `${first.path} ${first.detail}${more}; it is of image ${nameOf(this.#puller, image)}`;
    const found = problem('layer', shortId(chainId), 'damaged', detail);
    const running = this.#options.runningOn(chainId);
    if (running.length > 0) {
      const stop = `wherry stop ${running.join(' ')}`;
      yield {
        ...found,
        Action: `running containers see it; stop them, then mend it: ${stop}; wherry system verify --repair`,
      };
      return;
    }
    yield {
      ...found,
      Action: 'unpack it again: wherry system verify --repair',
      repair: async () => {
        using again = shelf.hold();
        again.addChain(chainId);
        const started = this.#options.runningOn(chainId);
        if (started.length > 0) throw new Fault('conflict', `${started.join(', ')} has been started meanwhile`);
        await shelf.snapshots.rebuild(chainId, tar(), this.#signal);
        return 'unpacked again';
      },
    };
  }
}

function problem(kind: Problem['Kind'], name: string, what: Problem['Problem'], detail: string): Problem {
  return { Kind: kind, Name: name, Problem: what, Detail: detail, Path: '', Size: 0, Action: '' };
}

function partOf(
  { shelf }: Puller,
  image: StoredImage,
  digest: Digest,
): 'config' | 'manifest' | 'layer' | 'index' | undefined {
  if (image.id === digest) return 'config';
  if (image.manifest === digest) return 'manifest';
  if (image.layers.some((layer) => layer.digest === digest)) return 'layer';
  return shelf.records.references(image.id).some((reference) => reference.digest === digest) ? 'index' : undefined;
}

function nameOf({ shelf }: Puller, image: StoredImage): string {
  const [reference] = shelf.records.references(image.id);
  return reference === undefined ? shortId(image.id) : familiarReference(reference);
}

function nameOfLost({ record, references: [reference] }: LostImage): string {
  return reference === undefined ? shortId(record.id) : familiarReference(reference);
}
