/**
 * What to free when the disk runs low, in the order in which it hurts least: downloads that ended early, then stored archives
 * of layers that are unpacked here and can be had again, then images that nothing means. A plan: it frees nothing.
 */
import type { Descriptor, Digest } from '../oci/index.ts';

export interface GcImage {
  id: Digest;
  name: string;
  /** Why it stays ("a container uses it"); undefined for one that may go. */
  stays: string | undefined;
  /** Milliseconds since the epoch; 0 when nobody remembers. */
  usedAt: number;
  /** Its unpacked layers, the layer of mount points too, with their bytes on disk. */
  layers: ReadonlyMap<string, number>;
  /** All its blobs that are here, with their bytes on disk. */
  blobs: ReadonlyMap<Digest, number>;
  /** Archives of layers that are unpacked. */
  archives: readonly Descriptor[];
  /** The image by whose digest it came, as `host/path@sha256:…`; undefined when it came from no registry. */
  source: string | undefined;
}

export interface GcState {
  /** Milliseconds since the epoch. */
  now: number;
  /** Nobody goes on with them now. */
  downloads: readonly { digest: Digest; size: number; at: number }[];
  images: readonly GcImage[];
}

export type GcStep = {
  name: string;
  /** Bytes of the disk that it gives back. */
  size: number;
  because: string;
} & (
  | { kind: 'download'; digest: Digest }
  | { kind: 'archive'; blob: Descriptor; source: string }
  | { kind: 'image'; id: Digest }
);

/** Steps until `need` bytes are freed, or until nothing is left that may go. */
export function planGc(state: GcState, need: number): GcStep[] {
  const plan: GcStep[] = [];
  let freed = 0;
  for (const step of candidates(state)) {
    if (freed >= need) break;
    if (step.size <= 0) continue;
    plan.push(step);
    freed += step.size;
  }
  return plan;
}

function* candidates(state: GcState): Generator<GcStep, void, void> {
  yield* downloads(state);
  const gone = new Set<Digest>();
  for (const step of archives(state)) {
    yield step;
    // What was not wanted any more would not have been asked for.
    if (step.kind === 'archive') gone.add(step.blob.digest);
  }
  yield* images(state, gone);
}

function downloads({ downloads: all, now }: GcState): GcStep[] {
  return all
    .toSorted((a, b) => a.at - b.at)
    .map(({ digest, size, at }) => ({
      kind: 'download',
      digest,
      name: digest,
      size,
      because: `a download that stopped ${ago(now, at)}`,
    }));
}

interface Archive {
  blob: Descriptor;
  size: number;
  usedAt: number;
  /** The image that was used last. */
  name: string;
  source: string | undefined;
}

/** A blob counts as used when any image that has it was; each image that has it must do without. */
function archives({ images: all, now }: GcState): GcStep[] {
  const found = new Map<Digest, Archive>();
  const kept = new Set<Digest>();
  for (const image of all) {
    const free = new Set(image.archives.map(({ digest }) => digest));
    for (const digest of image.blobs.keys()) if (!free.has(digest)) kept.add(digest);
    for (const blob of image.archives) {
      const size = image.blobs.get(blob.digest);
      if (size === undefined) continue;
      const known = found.get(blob.digest);
      const source = known?.source ?? image.source;
      const latest = known === undefined || image.usedAt > known.usedAt ? image : undefined;
      found.set(blob.digest, {
        blob,
        size,
        source,
        usedAt: latest?.usedAt ?? known!.usedAt,
        name: latest?.name ?? known!.name,
      });
    }
  }
  return [...found.values()]
    .filter((archive): archive is Archive & { source: string } => archive.source !== undefined)
    .filter(({ blob }) => !kept.has(blob.digest))
    .sort((a, b) => a.usedAt - b.usedAt || b.size - a.size)
    .map(({ blob, size, source, usedAt, name }) => ({
      kind: 'archive',
      blob,
      source,
      name,
      size,
      because: `it is unpacked, ${name} was last used ${ago(now, usedAt)}, and it can be had again from ${repositoryOf(source)}`,
    }));
}

/** What two images share goes with the last of them. */
function* images({ images: all, now }: GcState, goneArchives: ReadonlySet<Digest>): Generator<GcStep, void, void> {
  const left = new Set(all);
  const going = all.filter(({ stays }) => stays === undefined).toSorted((a, b) => a.usedAt - b.usedAt);
  for (const image of going) {
    left.delete(image);
    const layers = new Set([...left].flatMap((other) => [...other.layers.keys()]));
    const blobs = new Set<Digest>([...goneArchives, ...[...left].flatMap((other) => [...other.blobs.keys()])]);
    let size = 0;
    for (const [chainId, bytes] of image.layers) if (!layers.has(chainId)) size += bytes;
    for (const [digest, bytes] of image.blobs) if (!blobs.has(digest)) size += bytes;
    yield {
      kind: 'image',
      id: image.id,
      name: image.name,
      size,
      because: `no name means it and no container uses it; last used ${ago(now, image.usedAt)}`,
    };
  }
}

function repositoryOf(source: string): string {
  return source.slice(0, source.lastIndexOf('@'));
}

function ago(now: number, at: number): string {
  if (at === 0) return 'before anybody remembers';
  const minutes = Math.max(0, Math.trunc((now - at) / 60_000));
  if (minutes < 60) return `${minutes} min ago`;
  return minutes < 60 * 48 ? `${Math.trunc(minutes / 60)} h ago` : `${Math.trunc(minutes / 60 / 24)} days ago`;
}
