/** The overlayfs snapshots under one root: layers in `l`, writable ones in `w`, read-only views in `v`, scratch in `t`. */
import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, rmdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { mountOverlay, spreadDirectories, unmount } from '../linux/index.ts';
import { Fault } from '../std/index.ts';
import { compareStacks } from './compare.ts';
import { treeSize } from './disk-usage.ts';
import type { Snapshots } from './door.ts';
import { filesystemChanges } from './filesystem-changes.ts';
import { layerTar } from './layer-tar.ts';
import { Layers } from './layers.ts';
import { stackFiles } from './stack-files.ts';
import { mountPoints, Writables } from './writables.ts';

/** Opens the store and clears what a crash left: half-unpacked layers, half-deleted snapshots, mounted views. */
export async function openSnapshots(options: { root: string }): Promise<Snapshots> {
  const { root } = options;
  const directory = (name: string): string => {
    const path = join(root, name);
    mkdirSync(path, { recursive: true, mode: 0o711 });
    return path;
  };
  const scratchRoot = directory('t');
  // Layers and snapshots are made here and moved to their places.
  spreadDirectories(scratchRoot);
  const viewRoot = directory('v');
  const empty = directory('e');
  const mounts = mountPoints();
  for (const name of readdirSync(viewRoot)) {
    if (mounts.has(join(viewRoot, name))) unmount(join(viewRoot, name));
    rmdirSync(join(viewRoot, name));
  }
  const scratch = (): string => join(scratchRoot, randomBytes(6).toString('hex'));
  const layers = new Layers(join(root, 'l'), scratch);
  const writables = new Writables(join(root, 'w'), empty, layers, scratch);
  for (const name of readdirSync(scratchRoot)) {
    unmount(join(scratchRoot, name, 'merged'));
    await rm(join(scratchRoot, name), { recursive: true, force: true });
  }
  const applying = new Map<string, Promise<void>>();

  const apply: Snapshots['apply'] = async (request, signal) => {
    for (;;) {
      if (layers.get(request.chainId) !== undefined) return;
      const running = applying.get(request.chainId);
      if (running === undefined) break;
      // If the other caller gives up, this one does the work itself.
      await running.catch(() => {});
      signal?.throwIfAborted();
    }
    const work = layers.apply(request, signal).finally(() => applying.delete(request.chainId));
    applying.set(request.chainId, work);
    await work;
  };

  const owners: (() => Iterable<string>)[] = [];
  const collect = async (): Promise<void> => {
    const live = new Set<string>();
    for (const owner of owners) for (const chainId of owner()) live.add(chainId);
    for (let removed = -1; removed !== 0; ) {
      removed = 0;
      for (const layer of layers.all()) {
        if (live.has(layer.chainId) || layers.hasChild(layer.chainId) || writables.uses(layer.chainId)) continue;
        await layers.remove(layer);
        removed++;
      }
    }
  };

  return {
    has: (chainId) => layers.get(chainId) !== undefined,
    apply,
    layerSize: (chainId) => layers.mustGet(chainId).size,
    describeLayer: (chainId) => {
      const [upper, ...lower] = layers.stack(chainId) as [string, ...string[]];
      const beside = (name: string): string => join(dirname(upper), name);
      return {
        ...(lower.length === 0 ? {} : { LowerDir: lower.join(':') }),
        MergedDir: beside('merged'),
        UpperDir: upper,
        WorkDir: beside('work'),
      };
    },
    layers: () => layers.all().map((layer) => layer.chainId),
    removeLayer: async (chainId) => {
      const layer = layers.get(chainId);
      if (layer === undefined) return;
      if (layers.hasChild(chainId) || writables.uses(chainId)) {
        throw new Fault('conflict', `Cannot remove layer ${chainId}: another layer or a container stands on it`);
      }
      await layers.remove(layer);
    },
    addOwner: (live) => void owners.push(live),
    collect,
    prepare: async (id, parent) => writables.prepare(id, parent),
    mount: (id) => writables.mount(id),
    unmount: (id) => writables.unmount(id),
    describe: (id) => ({
      merged: writables.path(id, 'merged'),
      data: {
        LowerDir: writables.lower(id).join(':'),
        MergedDir: writables.path(id, 'merged'),
        UpperDir: writables.path(id, 'fs'),
        WorkDir: writables.path(id, 'work'),
      },
    }),
    exists: (id) => writables.has(id),
    remove: (id) => writables.remove(id),
    writables: () => writables.ids(),
    usage: async (id) => treeSize(Buffer.from(writables.path(writables.get(id).id, 'fs'))),
    changes: async (id) =>
      filesystemChanges(Buffer.from(writables.path(id, 'fs')), layers.lower(writables.get(id).parent)),
    diff: (id, signal) =>
      layerTar(Buffer.from(writables.path(id, 'fs')), layers.lower(writables.get(id).parent), signal),
    compare: (from, to, signal) => compareStacks(layers.lower(from), layers.lower(to), signal),
    files: (chainId) => stackFiles(layers.lower(chainId)),
    view: (chainId) => {
      const lower = layers.stack(chainId);
      const path = join(viewRoot, randomBytes(6).toString('hex'));
      mkdirSync(path, { mode: 0o700 });
      mountOverlay({ lower: [...lower, empty], target: path });
      let open = true;
      return {
        path,
        [Symbol.dispose]: () => {
          if (!open) return;
          open = false;
          unmount(path);
          rmdirSync(path);
        },
      };
    },
  };
}
