/** `system df` that adds up: everything in the data root belongs to one row, and the rows are what the disk says. */
import { realpathSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import type { ContainerSummary, SpaceDetails, SpaceReport, SpaceRow } from '../api/index.ts';
import type { Builder } from '../build/index.ts';
import type { ContainerRoom } from '../container/index.ts';
import type { Content } from '../content/index.ts';
import type { ImageStore } from '../image/index.ts';
import { diskUsage } from '../linux/index.ts';
import type { Mirror } from '../mirror/index.ts';
import type { Snapshots } from '../snapshot/index.ts';
import { freeSpace } from '../std/index.ts';
import type { Volumes } from '../volume/index.ts';

export interface SpaceParts {
  dataRoot: string;
  content: Content;
  snapshots: Snapshots;
  images: ImageStore;
  builder: Builder;
  room: ContainerRoom;
  volumes: Volumes;
  /** The pull-through cache, where there is one. */
  mirror: Mirror | undefined;
}

/** Something that is counted: where it is, and what it takes. */
interface Counted {
  path: string;
  size: number;
}

export async function spaceReport(parts: SpaceParts): Promise<SpaceReport> {
  const { dataRoot } = parts;
  const containers = await parts.room.containers.list({ all: true, limit: 0, size: false, filters: new Map() });
  const images = await imageSpace(parts);
  const written = await containerSpace(parts, containers);
  const volumes = await volumeSpace(parts);
  const trash = (await parts.volumes.trash()).map(({ name, removedAt, path, size }) => ({
    Name: name,
    RemovedAt: removedAt,
    Size: size,
    path: dirname(path),
  }));
  const Rows: SpaceRow[] = [
    images.unpacked,
    written.files,
    volumes.row,
    images.buildCache,
    images.archives,
    written.logs,
    row('Volume Trash', trash.length, 0, total(trash.map(({ Size }) => Size))),
    images.downloads,
    ...(images.cache === undefined ? [] : [images.cache]),
  ];
  // The data root may be a symbolic link; the walk begins behind it.
  const root = realpathSync(dataRoot);
  const behind = (path: string): string => join(root, relative(dataRoot, path));
  const counted = new Set(
    [...images.counted, ...written.counted, ...volumes.counted, ...trash].map(({ path }) => behind(path)),
  );
  // Records, folders, and what is half made.
  Rows.push(row('Other', 0, 0, await diskUsage(root, counted), 0));
  const space = freeSpace(dataRoot);
  return {
    Root: dataRoot,
    Rows,
    Total: total(Rows.map(({ Size }) => Size)),
    FileSystem: {
      Size: space.total,
      Available: space.available,
      Inodes: space.inodes,
      FreeInodes: space.freeInodes,
    },
    Details: {
      Images: images.details,
      Containers: written.details,
      Volumes: volumes.details,
      Trash: trash.map(({ Name, RemovedAt, Size }) => ({ Name, RemovedAt, Size })),
      Downloads: images.downloading,
    },
  };
}

async function imageSpace({ dataRoot, snapshots, content, images, builder, mirror }: SpaceParts): Promise<{
  unpacked: SpaceRow;
  /** Layers and blobs of builds that no image has, and the folders that builds use. */
  buildCache: SpaceRow;
  archives: SpaceRow;
  downloads: SpaceRow;
  /** What other machines pulled through this one, and no image here has. */
  cache: SpaceRow | undefined;
  counted: Counted[];
  details: SpaceDetails['Images'];
  downloading: SpaceDetails['Downloads'];
}> {
  const holdings = images.holdings();
  const used = holdings.filter(({ containers }) => containers > 0);
  const layers = new Map<string, Counted>();
  for (const chainId of snapshots.layers()) {
    const path = dirname(snapshots.describeLayer(chainId)['UpperDir']!);
    layers.set(chainId, { path, size: await snapshots.layerUsage(chainId) });
  }
  const files = await content.files();
  const blobs = new Map(
    files.filter((file) => file.unfinished === undefined).map((file) => [file.digest as string, file.usage]),
  );
  const unfinished = files.filter((file) => file.unfinished !== undefined);
  const imageBlobs = new Set<string>(holdings.flatMap((holding) => holding.blobs));
  const cached = mirror?.usage();
  const cachedBlobs = new Map<string, number>();
  for (const { digest } of cached?.blobs ?? []) {
    const usage = blobs.get(digest);
    if (usage === undefined || imageBlobs.has(digest)) continue;
    cachedBlobs.set(digest, usage);
    blobs.delete(digest);
  }
  const { records, ...built } = await builder.usage();
  // Trees that clients have sent, kept for the next build.
  const sent = { path: join(dataRoot, 'buildkit'), size: await diskUsage(join(dataRoot, 'buildkit')) };
  const builtBlobs = [...built.blobs].filter((digest) => blobs.has(digest));
  const builtSize = total([
    ...[...built.chains].map((chainId) => layers.get(chainId)?.size ?? 0),
    ...builtBlobs.map((digest) => blobs.get(digest) ?? 0),
    ...built.folders.map(({ size }) => size),
    sent.size,
  ]);
  const others = [...layers].filter(([chainId]) => !built.chains.has(chainId));
  for (const digest of builtBlobs) blobs.delete(digest);
  const layerSize = (chainId: string): number => layers.get(chainId)?.size ?? 0;
  const blobSize = (digest: string): number => blobs.get(digest) ?? 0;
  const standsOn = (chainId: string): boolean => snapshots.writables().some((id) => snapshots.standsOn(id, chainId));
  const usedChains = new Set(used.flatMap(({ chain }) => chain));
  const usedBlobs = new Set(used.flatMap((holding) => holding.blobs));
  const sharers = new Map<string, number>();
  for (const { chain } of holdings) for (const id of chain) sharers.set(id, (sharers.get(id) ?? 0) + 1);
  const count = holdings.length;
  const freeLayers = others
    .map(([chainId]) => chainId)
    .filter((chainId) => !usedChains.has(chainId) && !standsOn(chainId));
  const freeBlobs = [...blobs.keys()].filter((digest) => !usedBlobs.has(digest));
  return {
    unpacked: row(
      'Images',
      count,
      used.length,
      total(others.map(([, { size }]) => size)),
      total(freeLayers.map(layerSize)),
    ),
    archives: row(
      'Image Archives',
      blobs.size,
      usedBlobs.size,
      total([...blobs.values()]),
      total(freeBlobs.map(blobSize)),
    ),
    cache:
      cached === undefined
        ? undefined
        : row(
            'Pull-through Cache',
            cachedBlobs.size,
            cached.parts.length,
            total([...cachedBlobs.values(), ...cached.parts.map(({ size }) => size)]),
            total([...cachedBlobs.values()]),
          ),
    downloads: row('Partial Downloads', unfinished.length, 0, total(unfinished.map(({ usage }) => usage))),
    buildCache: row('Build Cache', records, 0, builtSize),
    counted: [
      ...layers.values(),
      ...files.map(({ path, usage }) => ({ path, size: usage })),
      ...(cached?.parts ?? []),
      ...built.folders,
      sent,
    ],
    details: holdings.map((holding) => ({
      Id: holding.id,
      Name: holding.name,
      Unpacked: total(holding.chain.map(layerSize)),
      Unique: total(holding.chain.filter((chainId) => sharers.get(chainId) === 1).map(layerSize)),
      Archives: total(holding.blobs.map(blobSize)),
      Containers: holding.containers,
    })),
    downloading: unfinished.map(({ digest, usage, unfinished: download }) => ({
      Digest: digest,
      Size: usage,
      At: new Date(download!.at).toISOString(),
      Whole: download!.whole,
    })),
  };
}

async function containerSpace(
  { dataRoot, snapshots }: SpaceParts,
  containers: readonly ContainerSummary[],
): Promise<{ files: SpaceRow; logs: SpaceRow; counted: Counted[]; details: SpaceDetails['Containers'] }> {
  const isActive = (state: string): boolean => ['running', 'paused', 'restarting'].includes(state);
  const owned = new Map(containers.map((container) => [container.Id, container]));
  /** A container's own snapshot and those of images mounted in it: their names begin with its id. */
  const snapshotSizes = new Map<string, number>();
  const counted: Counted[] = [];
  for (const id of snapshots.writables()) {
    const size = await snapshots.diskUsage(id);
    counted.push({ path: dirname(snapshots.describe(id).data['UpperDir']!), size });
    const owner = id.slice(0, 64);
    snapshotSizes.set(owner, (snapshotSizes.get(owner) ?? 0) + size);
  }
  const details: SpaceDetails['Containers'] = [];
  for (const { Id, Names, Image, State } of containers) {
    const path = join(dataRoot, 'containers', Id);
    const Log = await diskUsage(path);
    counted.push({ path, size: Log });
    details.push({
      Id,
      Name: (Names[0] ?? '').replace(/^\//, ''),
      Image,
      State,
      Files: snapshotSizes.get(Id) ?? 0,
      Log,
    });
  }
  const active = containers.filter(({ State }) => isActive(State)).length;
  const idle = details.filter(({ State }) => !isActive(State));
  const ownerless = [...snapshotSizes].filter(([id]) => !owned.has(id)).map(([, size]) => size);
  const files = total(details.map(({ Files }) => Files)) + total(ownerless);
  return {
    files: row('Containers', containers.length, active, files, total(idle.map(({ Files }) => Files))),
    logs: row(
      'Container Logs',
      containers.length,
      active,
      total(details.map(({ Log }) => Log)),
      total(idle.map(({ Log }) => Log)),
    ),
    counted,
    details,
  };
}

async function volumeSpace({ dataRoot, volumes, room }: SpaceParts): Promise<{
  row: SpaceRow;
  counted: Counted[];
  details: SpaceDetails['Volumes'];
}> {
  const counted: Counted[] = [];
  const details: SpaceDetails['Volumes'] = [];
  for (const { Name } of (await volumes.list(new Map())).Volumes) {
    const path = join(dataRoot, 'volumes', Name);
    const Size = await diskUsage(path);
    counted.push({ path, size: Size });
    details.push({ Name, Size, Containers: room.volumeUses(Name).length });
  }
  const unused = details.filter(({ Containers }) => Containers === 0);
  return {
    row: row(
      'Local Volumes',
      details.length,
      details.length - unused.length,
      total(details.map(({ Size }) => Size)),
      total(unused.map(({ Size }) => Size)),
    ),
    counted,
    details,
  };
}

function row(Type: string, TotalCount: number, Active: number, Size: number, Reclaimable = Size): SpaceRow {
  return { Type, TotalCount, Active, Size, Reclaimable };
}

function total(sizes: readonly number[]): number {
  return sizes.reduce((sum, size) => sum + size, 0);
}
