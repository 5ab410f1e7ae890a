/** The overlayfs snapshots under one root: layers in `l`, writable ones in `w`, read-only views in `v`, scratch in `t`. */
import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, rmdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { diskUsage, unmount } from '../linux/index.ts';
import { Digester } from '../oci/index.ts';
import { Background, Fault, type Logger } from '../std/index.ts';
import { checkSnapshots } from './check.ts';
import { compareStacks } from './compare.ts';
import { treeSize } from './disk-usage.ts';
import type { Snapshots } from './door.ts';
import { filesystemChanges } from './filesystem-changes.ts';
import { settleFuseMarks } from './fuse-marks.ts';
import { layerTar } from './layer-tar.ts';
import { Layers } from './layers.ts';
import { chooseOverlay, mountLayers } from './mount-layers.ts';
import { LayerOwners } from './owners.ts';
import { Scratch } from './scratch.ts';
import { stackFiles } from './stack-files.ts';
import { mountPoints, Writables } from './writables.ts';

/** Opens the store and clears what a crash left: half-unpacked layers, half-deleted snapshots, mounted views. */
export async function openSnapshots(options: {
  root: string;
  /** "fuse-overlayfs" also where the kernel could; root of a user namespace only. */
  driver?: string | undefined;
  log?: Logger;
}): Promise<Snapshots> {
  const { root, log } = options;
  const directory = (name: string): string => {
    const path = join(root, name);
    mkdirSync(path, { recursive: true, mode: 0o711 });
    return path;
  };
  const viewRoot = directory('v');
  const empty = directory('e');
  const mounts = mountPoints();
  for (const name of readdirSync(viewRoot)) {
    if (mounts.has(join(viewRoot, name))) unmount(join(viewRoot, name));
    rmdirSync(join(viewRoot, name));
  }
  const scratch = new Scratch(directory('t'));
  chooseOverlay(directory('t'), options.driver);
  const layers = new Layers(directory('l'), scratch, (diffId, names) =>
    log?.warn('device nodes of a layer are left out: root of a user namespace may make none', {
      layer: diffId,
      devices: names.slice(0, 20).join(' '),
      count: names.length,
    }),
  );
  const writables = new Writables(directory('w'), empty, layers, scratch);
  await scratch.clear();
  const applying = new Map<string, Promise<void>>();
  const owners = new LayerOwners();
  const views = new Set<string>();
  /** Bytes on disk by chain id: a layer never changes. */
  const usages = new Map<string, Promise<number>>();
  // What cannot be deleted now is deleted by the next daemon, which clears the scratch.
  const background = new Background(() => {});
  let collects = false;

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

  const isUsed = (chainId: string): boolean =>
    owners.isHeld(chainId) || layers.hasChild(chainId) || writables.uses(chainId);

  /** Takes away, in one turn of the event loop, what of `among` nobody needs; the files are still to be deleted. */
  const sweep = (among: Iterable<string>): { chainId: string; trash: string }[] => {
    const live = owners.live();
    const left = new Set(among);
    const swept: { chainId: string; trash: string }[] = [];
    for (let before = -1; before !== swept.length; ) {
      before = swept.length;
      for (const chainId of left) {
        const layer = layers.get(chainId);
        if (layer !== undefined && (live.has(chainId) || isUsed(chainId))) continue;
        left.delete(chainId);
        if (layer !== undefined) swept.push({ chainId, trash: layers.detach(layer) });
      }
    }
    return swept;
  };

  const collect: Snapshots['collect'] = async (among) => {
    collects = true;
    const swept = sweep(among ?? layers.all().map((layer) => layer.chainId));
    for (const { chainId, trash } of swept) {
      usages.delete(chainId);
      await scratch.remove(trash);
    }
    return swept.map(({ chainId }) => chainId);
  };

  const archive: Snapshots['archive'] = (chainId, signal) => {
    const layer = layers.mustGet(chainId);
    return layerTar(Buffer.from(layers.files(layer)), layers.lower(layer.parent), signal);
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
      if (isUsed(chainId)) {
        throw new Fault('conflict', `Cannot remove layer ${chainId}: another layer or a container stands on it`);
      }
      await scratch.remove(layers.detach(layer));
    },
    addOwner: (live) => owners.addOwner(live),
    hold: () =>
      owners.hold((chainIds) => {
        if (!collects) return;
        for (const { trash } of sweep(chainIds)) background.run(scratch.remove(trash));
      }),
    collect,
    layerUsage: (chainId) => {
      const layer = layers.mustGet(chainId);
      let usage = usages.get(chainId);
      if (usage === undefined) usages.set(chainId, (usage = diskUsage(join(layers.root, layer.name))));
      return usage;
    },
    check: () => {
      const live = owners.live();
      return checkSnapshots({
        root,
        layers,
        writables,
        scratch,
        // Asked again where it matters: images come and go meanwhile.
        needs: (chainId) => live.has(chainId) || isUsed(chainId) || owners.live().has(chainId),
        collect,
        views: () => views,
      });
    },
    checkLayer: async (chainId, tar, signal) => {
      const layer = layers.mustGet(chainId);
      const skeleton = scratch.take();
      try {
        mkdirSync(skeleton, { mode: 0o755 });
        return await layers.compare(layer, tar, skeleton, signal);
      } finally {
        await scratch.remove(skeleton);
      }
    },
    rebuild: async (chainId, tar, signal) => {
      const layer = layers.mustGet(chainId);
      const { parent, diffId } = layer;
      await layers.replace(layer, await layers.unpack({ chainId, parent, diffId, tar }, signal));
      usages.delete(chainId);
    },
    isWhole: async (chainId, signal) => {
      const { diffId } = layers.mustGet(chainId);
      const digester = new Digester(diffId.slice(0, diffId.indexOf(':')));
      for await (const chunk of archive(chainId, signal)) digester.update(chunk);
      return digester.digest() === diffId;
    },
    archive,
    prepare: async (id, parent) => writables.prepare(id, parent),
    adopt: async (id, { chainId, diffId }) => {
      const { parent } = writables.get(id);
      const files = writables.path(id, 'fs');
      if (layers.get(chainId) === undefined && !applying.has(chainId)) {
        writables.unmount(id);
        settleFuseMarks(Buffer.from(files));
        const size = await treeSize(Buffer.from(files));
        // Another may have come meanwhile.
        if (layers.get(chainId) === undefined) layers.adopt(files, { chainId, parent, diffId, size, opaque: false });
      }
      await applying.get(chainId);
      await writables.remove(id);
    },
    settle: () => layers.settle(),
    mount: (id, options) => writables.mount(id, options),
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
    diskUsage: (id) => diskUsage(writables.folder(id)),
    standsOn: (id, chainId) => layers.isAbove(writables.parent(id), chainId),
    isDamaged: (id) => writables.isDamaged(id),
    reparent: (id, chainId) => writables.reparent(id, chainId),
    changes: async (id) =>
      filesystemChanges(Buffer.from(writables.path(id, 'fs')), layers.lower(writables.get(id).parent)),
    diff: (id, signal) =>
      layerTar(Buffer.from(writables.path(id, 'fs')), layers.lower(writables.get(id).parent), signal),
    compare: (from, to, signal) => compareStacks(layers.lower(from), layers.lower(to), signal),
    files: (chainId) => stackFiles(layers.lower(chainId)),
    view: (chainId) => {
      const lower = layers.stack(chainId);
      const name = randomBytes(6).toString('hex');
      const path = join(viewRoot, name);
      views.add(name);
      try {
        mkdirSync(path, { mode: 0o700 });
        mountLayers({ lower: [...lower, empty], target: path });
      } catch (error) {
        rmSync(path, { recursive: true, force: true });
        views.delete(name);
        throw error;
      }
      let open = true;
      return {
        path,
        [Symbol.dispose]: () => {
          if (!open) return;
          open = false;
          unmount(path);
          rmdirSync(path);
          views.delete(name);
        },
      };
    },
  };
}
