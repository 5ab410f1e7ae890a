/** `wherry system df`. */
import { noArgs, type Command } from '../command.ts';
import type { DiskUsage, SpaceReport } from '../../api/index.ts';
import { humanSize } from '../../std/index.ts';
import { formatList, type ListShape, type Row } from '../output/list.ts';
import { formatHelp } from '../output/format-help.ts';
import { spaceDetails } from '../output/space.ts';
import { ifWherry } from '../wherry-only.ts';

export const command: Command = {
  use: '[OPTIONS]',
  flags: `
      --format string   ${formatHelp}
  -v, --verbose         Show detailed information on space usage
`,
  arity: noArgs,

  examples: `
# What takes the disk, logs and stored archives included
wherry system df
# Each thing
wherry system df -v`,
  async run(session, { flags }) {
    const client = await session.client();
    const format = flags.string('format');
    const verbose = flags.bool('verbose');
    const space = verbose && format !== '' ? undefined : await ifWherry(client.system.space());
    if (space !== undefined) {
      session.out.write(
        verbose ? spaceDetails(space, session.now()) : await formatList(shape, spaceRows(space), format),
      );
      if (format === '' || format === 'table') session.out.write(`${verbose ? '\n' : ''}${freeText(space)}`);
      return;
    }
    const usage = await client.system.diskUsage();
    if (verbose) {
      const { verboseUsage } = await import('../output/verbose-usage.ts');
      session.out.write(await verboseUsage(usage, format, session.now()));
      return;
    }
    session.out.write(await formatList(shape, usageRows(usage), format));
  },
};

/** Every byte of the data root is in one row; the last is their sum. */
function spaceRows({ Rows, Total }: SpaceReport): Row[] {
  const row = (Type: string, count: string, active: string, size: number, reclaimable: number): Row => ({
    Type,
    TotalCount: count,
    Active: active,
    Size: humanSize(size),
    Reclaimable:
      size > 0 ? `${humanSize(reclaimable)} (${Math.trunc((reclaimable * 100) / size)}%)` : humanSize(reclaimable),
  });
  const reclaimable = Rows.reduce((sum, each) => sum + each.Reclaimable, 0);
  return [
    ...Rows.map(({ Type, TotalCount, Active, Size, Reclaimable }) =>
      Type === 'Other'
        ? row(Type, '', '', Size, Reclaimable)
        : row(Type, String(TotalCount), String(Active), Size, Reclaimable),
    ),
    row('Total', '', '', Total, reclaimable),
  ];
}

function freeText({ Root, FileSystem: { Size, Available, Inodes, FreeInodes } }: SpaceReport): string {
  const inodes = Inodes > 0 && FreeInodes * 20 < Inodes ? `, and ${FreeInodes} of ${Inodes} inodes` : '';
  return `${humanSize(Available)} of ${humanSize(Size)} are free${inodes} where ${Root} is.\n`;
}

const shape: ListShape = {
  type: 'diskUsageContext',
  headers: { Type: 'TYPE', TotalCount: 'TOTAL', Active: 'ACTIVE', Size: 'SIZE', Reclaimable: 'RECLAIMABLE' },
  columns: ['Type', 'TotalCount', 'Active', 'Size', 'Reclaimable'],
};

interface CacheRecord {
  Size?: number;
  InUse?: boolean;
  Shared?: boolean;
}

function usageRows({
  Images,
  Containers,
  Volumes,
  BuildCache,
  LayersSize,
  ...rest
}: DiskUsage & { BuilderSize?: number }): Row[] {
  const row = (
    Type: string,
    total: number,
    active: number,
    size: number,
    reclaimable: number,
    share: boolean,
  ): Row => ({
    Type,
    TotalCount: String(total),
    Active: String(active),
    Size: humanSize(size),
    Reclaimable:
      share && size > 0
        ? `${humanSize(reclaimable)} (${Math.trunc((reclaimable * 100) / size)}%)`
        : humanSize(reclaimable),
  });
  const images = Images ?? [];
  const used = images.filter((image) => image.Containers > 0);
  const usedSize = used.reduce(
    (total, image) => total + (image.Size === -1 || image.SharedSize === -1 ? 0 : image.Size - image.SharedSize),
    0,
  );
  const containers = Containers ?? [];
  const isActive = (state: string): boolean => /running|paused|restarting/.test(state.toLowerCase());
  const containerSize = containers.reduce((total, each) => total + (each.SizeRw ?? 0), 0);
  const idle = containers
    .filter((each) => !isActive(each.State))
    .reduce((total, each) => total + (each.SizeRw ?? 0), 0);
  const volumes = (Volumes ?? []).map((volume) => volume.UsageData ?? { Size: -1, RefCount: -1 });
  const sized = volumes.filter((volume) => volume.Size !== -1);
  const volumeSize = sized.reduce((total, volume) => total + volume.Size, 0);
  const unused = sized.filter((volume) => volume.RefCount === 0).reduce((total, volume) => total + volume.Size, 0);
  const cache = (BuildCache ?? []) as CacheRecord[];
  const cacheSize =
    rest.BuilderSize ?? cache.reduce((total, each) => total + (each.Shared === true ? 0 : (each.Size ?? 0)), 0);
  const cacheInUse = cache.filter((each) => each.InUse === true);
  const busy = cacheInUse.reduce((total, each) => total + (each.Shared === true ? 0 : (each.Size ?? 0)), 0);
  return [
    row('Images', images.length, used.length, LayersSize, LayersSize - usedSize, true),
    row(
      'Containers',
      containers.length,
      containers.filter((each) => isActive(each.State)).length,
      containerSize,
      idle,
      true,
    ),
    row('Local Volumes', volumes.length, volumes.filter((each) => each.RefCount > 0).length, volumeSize, unused, true),
    row('Build Cache', cache.length, cacheInUse.length, cacheSize, cacheSize - busy, false),
  ];
}
