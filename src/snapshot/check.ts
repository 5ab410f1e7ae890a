/** What is in the folders of the snapshot room, against what the room knows: records, strays, leftovers. No contents. */
import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { foreignFile, type Problem, strayFile } from '../api/index.ts';
import { diskUsage } from '../linux/index.ts';
import { chainId as chainOf, type Digest, initChainId, sha256 } from '../oci/index.ts';
import { shortId } from '../std/index.ts';
import { type Layer, type LayerRecord, type Layers, readLayerRecord } from './layers.ts';
import type { Scratch } from './scratch.ts';
import type { Writables } from './writables.ts';

export interface CheckParts {
  root: string;
  layers: Layers;
  writables: Writables;
  scratch: Scratch;
  /** Whether an owner, a hold, a layer above or a container needs the layer. */
  needs: (chainId: string) => boolean;
  collect: (chainIds: Iterable<string>) => Promise<string[]>;
  /** Names of the views that are open. */
  views: () => ReadonlySet<string>;
}

const folders = ['e', 'l', 't', 'v', 'w'];

export async function* checkSnapshots(parts: CheckParts): AsyncGenerator<Problem, void, void> {
  const { root, layers, writables, scratch } = parts;
  for (const name of readdirSync(layers.root)) {
    const layer = layers.named(name);
    if (layer === undefined) yield* stray(join(layers.root, name), 'it is no layer of this store');
    else yield* checkLayer(parts, layer);
  }
  for (const layer of layers.all()) {
    if (isThere(join(layers.root, layer.name)) || layers.get(layer.chainId) !== layer) continue;
    yield layerProblem(layer, 'missing', join(layers.root, layer.name), 'its folder is gone');
  }
  for (const path of scratch.strays()) yield* stray(path, 'nothing works on it');
  for (const name of readdirSync(join(root, 'v')))
    if (!parts.views().has(name)) yield* stray(join(root, 'v', name), 'nobody looks at it');
  for (const name of readdirSync(join(root, 'e')))
    yield* stray(join(root, 'e', name), 'this folder stands for "no layer" and must be empty');
  for (const path of writables.strays()) yield* foreign(path, 'it is no snapshot of this store');
  for (const name of readdirSync(root))
    if (!folders.includes(name)) yield* stray(join(root, name), 'it is no folder of this store');
}

async function* checkLayer(parts: CheckParts, layer: Layer): AsyncGenerator<Problem, void, void> {
  const { layers, needs, collect } = parts;
  const folder = join(layers.root, layer.name);
  const { name: _, ...record } = layer;
  if (!needs(layer.chainId)) {
    yield {
      ...layerProblem(layer, 'stray', folder, 'no image and no container needs it'),
      Size: await diskUsage(folder),
      repair: async () => `removed ${(await collect([layer.chainId])).length} layer`,
    };
    return;
  }
  if (!sameRecord(readLayerRecord(folder), record)) {
    yield {
      ...layerProblem(layer, 'damaged', join(folder, 'layer.json'), 'its record is not what was written'),
      repair: async () => {
        layers.writeRecord(layer.name, record);
        return 'written again';
      },
    };
  }
  if (layer.parent !== undefined && layers.get(layer.parent) === undefined)
    yield layerProblem(layer, 'damaged', folder, `the layer below it, ${shortId(layer.parent)}, is missing`);
  if (!isNamedRightly(layer))
    yield layerProblem(layer, 'damaged', folder, 'its chain id is not that of its parent and its own diff id');
  const extra = readdirSync(folder).filter((name) => name !== 'fs' && name !== 'layer.json');
  for (const name of extra) yield* stray(join(folder, name), 'it is no part of the layer');
  if (!isThere(join(folder, 'fs')) && isThere(folder))
    yield layerProblem(layer, 'damaged', join(folder, 'fs'), 'its files are gone');
}

function sameRecord(found: LayerRecord | undefined, wanted: LayerRecord): boolean {
  if (found === undefined) return false;
  return (['chainId', 'parent', 'diffId', 'size', 'opaque'] as const).every((key) => found[key] === wanted[key]);
}

/** An image's layer by the formula of the OCI, or the layer of mount points above an image. */
function isNamedRightly({ chainId, parent, diffId }: Layer): boolean {
  if (chainId === initChainId(parent)) return true;
  return chainId === (parent === undefined ? chainOf([diffId as Digest]) : sha256(`${parent} ${diffId}`));
}

function layerProblem(layer: Layer, problem: Problem['Problem'], path: string, detail: string): Problem {
  return {
    Kind: 'layer',
    Name: shortId(layer.chainId),
    Problem: problem,
    Detail: detail,
    Path: path,
    Size: 0,
    Action: 'see what is said of the image that has the layer',
  };
}

/** Something of our own making that nothing needs. What is gone by now was being deleted. */
async function* stray(path: string, detail: string): AsyncGenerator<Problem, void, void> {
  if (isThere(path)) yield strayFile(path, await diskUsage(path), detail);
}

/** Something that may be a person's. */
async function* foreign(path: string, detail: string): AsyncGenerator<Problem, void, void> {
  if (isThere(path)) yield foreignFile(path, await diskUsage(path), detail);
}

function isThere(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}
