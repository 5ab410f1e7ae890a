/** `wherry image diff`: what differs between two images in configuration, packages and files, told line by line. */
import { isUtf8 } from 'node:buffer';
import type { ComparedFile, ImageDifference } from '../api/index.ts';
import type { FileState, TreeDifference } from '../snapshot/index.ts';
import { configDifferences } from './config-diff.ts';
import { imageSize } from './describe.ts';
import { findImage } from './find.ts';
import { readPackages } from './packages.ts';
import type { StoredImage } from './records.ts';
import type { Shelf } from './shelf.ts';

/** Finds both images before the first line. @throws Fault not-found */
export function diffImages(
  shelf: Shelf,
  names: { from: string; to: string },
  platform: string | undefined,
  signal: AbortSignal,
): AsyncIterable<ImageDifference> {
  const from = findImage(shelf.records, names.from, platform);
  const to = findImage(shelf.records, names.to, platform);
  return differences(shelf, { image: from, name: names.from }, { image: to, name: names.to }, signal);
}

interface Side {
  image: StoredImage;
  name: string;
}

async function* differences(
  shelf: Shelf,
  from: Side,
  to: Side,
  signal: AbortSignal,
): AsyncGenerator<ImageDifference, void, void> {
  using hold = shelf.hold();
  for (const { image } of [from, to]) for (const chainId of image.chain) hold.addChain(chainId);
  const summary = { Config: 0, Packages: 0, Added: 0, Removed: 0, Changed: 0, AddedSize: 0, RemovedSize: 0 };
  const shared = from.image.chain.findIndex((chainId, index) => chainId !== to.image.chain[index]);
  const SharedLayers = shared < 0 ? from.image.chain.length : shared;
  yield { Kind: 'images', From: compared(shelf, from), To: compared(shelf, to), SharedLayers };
  for (const line of configDifferences(from.image.config, to.image.config)) {
    summary.Config++;
    yield line;
  }
  const [before, after] = [from.image.chain.at(-1), to.image.chain.at(-1)];
  if (before !== after) {
    for await (const line of packageDifferences(shelf, before, after)) {
      summary.Packages++;
      yield line;
    }
    for await (const each of shelf.snapshots.compare(before, after, signal)) {
      count(summary, each);
      yield fileLine(each);
    }
  }
  yield { Kind: 'summary', ...summary };
}

function compared(shelf: Shelf, { image, name }: Side): Extract<ImageDifference, { Kind: 'images' }>['From'] {
  return { Id: image.id, Name: name, Size: imageSize(shelf, image), Layers: image.chain.length };
}

async function* packageDifferences(
  shelf: Shelf,
  before: string | undefined,
  after: string | undefined,
): AsyncGenerator<ImageDifference, void, void> {
  const old = await readPackages(shelf.snapshots.files(before));
  const now = await readPackages(shelf.snapshots.files(after));
  for (const Manager of [...new Set([...old.keys(), ...now.keys()])].sort()) {
    const [a, b] = [old.get(Manager), now.get(Manager)];
    for (const Name of [...new Set([...(a?.keys() ?? []), ...(b?.keys() ?? [])])].sort()) {
      const [From, To] = [a?.get(Name) ?? null, b?.get(Name) ?? null];
      if (From !== To) yield { Kind: 'package', Manager, Name, From, To };
    }
  }
}

function count(
  summary: { Added: number; Removed: number; Changed: number; AddedSize: number; RemovedSize: number },
  each: TreeDifference,
): void {
  if (each.change === 'added') {
    summary.Added++;
    summary.AddedSize += each.to.size;
  } else if (each.change === 'removed') {
    summary.Removed++;
    summary.RemovedSize += each.from.size;
  } else {
    summary.Changed++;
    if (!each.fields.includes('content') && !each.fields.includes('type')) return;
    summary.AddedSize += each.to.size;
    summary.RemovedSize += each.from.size;
  }
}

function fileLine(each: TreeDifference): ImageDifference {
  const path = Buffer.concat([Buffer.from('/'), each.path]);
  return {
    Kind: 'file',
    Path: path.toString(),
    ...(isUtf8(path) ? {} : { PathBytes: path.toString('base64') }),
    Change: each.change,
    ...(each.change === 'changed' ? { Fields: each.fields } : {}),
    ...(each.change === 'added' ? {} : { From: fileOf(each.from) }),
    ...(each.change === 'removed' ? {} : { To: fileOf(each.to) }),
  };
}

function fileOf({ type, mode, uid, gid, size, target }: FileState): ComparedFile {
  return {
    Type: type,
    Mode: mode.toString(8).padStart(4, '0'),
    Uid: uid,
    Gid: gid,
    Size: size,
    ...(target === undefined ? {} : { Target: target.toString() }),
  };
}
