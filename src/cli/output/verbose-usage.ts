/** `system df -v`: every image, container, volume and cache record with what it takes. */
import type { DiskUsage } from '../../api/index.ts';
import { humanDuration, humanSize } from '../../std/index.ts';
import { ellipsis, shortId } from './short.ts';
import { alignColumns } from './tabwriter.ts';

export async function verboseUsage(usage: DiskUsage, format: string, now: number): Promise<string> {
  const tables = tablesOf(usage, now);
  if (format !== '' && format !== 'table') {
    const { compileTemplate, formatJson } = await import('../template/index.ts');
    const value = Object.fromEntries(tables.map(({ key, rows }) => [key, rows]));
    return `${format === 'json' ? formatJson(value) : compileTemplate(format).execute(value)}\n`;
  }
  return tables
    .map(({ title, rows, columns }) => {
      const cells = rows.map((row) => columns.map(([, field]) => row[field] ?? '').join('\t'));
      const lines = [columns.map(([name]) => name).join('\t'), ...cells];
      return `${title}\n\n${alignColumns(`${lines.join('\n')}\n`)}`;
    })
    .join('\n');
}

interface Table {
  key: string;
  title: string;
  columns: readonly (readonly [string, string])[];
  rows: Record<string, string>[];
}

function tablesOf({ Images, Containers, Volumes, BuildCache }: DiskUsage, now: number): Table[] {
  const since = (seconds: number): string => `${humanDuration(now - seconds * 1000)} ago`;
  return [
    {
      key: 'Images',
      title: 'Images space usage:',
      columns: [
        ['REPOSITORY', 'Repository'],
        ['TAG', 'Tag'],
        ['IMAGE ID', 'ID'],
        ['CREATED', 'CreatedSince'],
        ['SIZE', 'Size'],
        ['SHARED SIZE', 'SharedSize'],
        ['UNIQUE SIZE', 'UniqueSize'],
        ['CONTAINERS', 'Containers'],
      ],
      rows: (Images ?? []).map((image) => {
        const [name = '<none>:<none>'] = image.RepoTags ?? [];
        const colon = name.lastIndexOf(':');
        return {
          Repository: name.slice(0, colon),
          Tag: name.slice(colon + 1),
          ID: shortId(image.Id),
          CreatedSince: since(image.Created),
          Size: humanSize(image.Size, 3),
          SharedSize: image.SharedSize === -1 ? 'N/A' : humanSize(image.SharedSize),
          UniqueSize: image.SharedSize === -1 ? 'N/A' : humanSize(image.Size - image.SharedSize),
          Containers: String(image.Containers),
        };
      }),
    },
    {
      key: 'Containers',
      title: 'Containers space usage:',
      columns: [
        ['CONTAINER ID', 'ID'],
        ['IMAGE', 'Image'],
        ['COMMAND', 'Command'],
        ['LOCAL VOLUMES', 'LocalVolumes'],
        ['SIZE', 'Size'],
        ['CREATED', 'RunningFor'],
        ['STATUS', 'Status'],
        ['NAMES', 'Names'],
      ],
      rows: (Containers ?? []).map((container) => ({
        ID: shortId(container.Id),
        Image: container.Image,
        Command: JSON.stringify(ellipsis(container.Command, 20)),
        LocalVolumes: String((container.Mounts ?? []).filter((mount) => mount.Driver === 'local').length),
        Size: humanSize(container.SizeRw ?? 0, 3),
        RunningFor: since(container.Created),
        Status: container.Status,
        Names: container.Names.map((name) => name.replace(/^\//, '')).join(','),
      })),
    },
    {
      key: 'Volumes',
      title: 'Local Volumes space usage:',
      columns: [
        ['VOLUME NAME', 'Name'],
        ['LINKS', 'Links'],
        ['SIZE', 'Size'],
      ],
      rows: (Volumes ?? []).map((volume) => ({
        Name: volume.Name,
        Links: volume.UsageData == null ? 'N/A' : String(volume.UsageData.RefCount),
        Size: volume.UsageData == null || volume.UsageData.Size === -1 ? 'N/A' : humanSize(volume.UsageData.Size),
      })),
    },
    {
      key: 'BuildCache',
      title: `Build cache usage: ${humanSize(cacheSize(BuildCache))}`,
      columns: [
        ['CACHE ID', 'ID'],
        ['CACHE TYPE', 'Type'],
        ['SIZE', 'Size'],
        ['CREATED', 'CreatedSince'],
        ['LAST USED', 'LastUsedSince'],
        ['USAGE', 'UsageCount'],
        ['SHARED', 'Shared'],
      ],
      rows: ((BuildCache ?? []) as CacheRecord[]).map((each) => ({
        ID: shortId(each.ID),
        Type: each.Type,
        Size: humanSize(each.Size, 3),
        CreatedSince: `${humanDuration(now - Date.parse(each.CreatedAt))} ago`,
        LastUsedSince: each.LastUsedAt == null ? '' : `${humanDuration(now - Date.parse(each.LastUsedAt))} ago`,
        UsageCount: String(each.UsageCount),
        Shared: String(each.Shared),
      })),
    },
  ];
}

interface CacheRecord {
  ID: string;
  Type: string;
  Size: number;
  CreatedAt: string;
  LastUsedAt?: string | null;
  UsageCount: number;
  Shared: boolean;
}

function cacheSize(records: readonly object[] | null | undefined): number {
  return ((records ?? []) as CacheRecord[]).reduce((total, each) => total + (each.Shared ? 0 : each.Size), 0);
}
