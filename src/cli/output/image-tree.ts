/** Images as a tree: under each its other names and the platforms it has, with what they take and which containers use them. */
import type { ContainerSummary, ImageManifestSummary, ImageSummary } from '../../api/index.ts';
import { humanSize } from '../../std/index.ts';
import { fitTable } from './fit-table.ts';
import { printable } from './printable.ts';
import { shortId } from './short.ts';

type Row = [name: string, id: string, unpacked: string, stored: string, use: string];

/** @param width as `fitTable` takes it. A daemon that does not tell of platforms has only the unpacked sizes. */
export function imageTree(
  images: readonly ImageSummary[],
  containers: readonly ContainerSummary[],
  width: number | undefined,
): string {
  const users = Map.groupBy(containers, (container) => container.ImageID);
  const rows: Row[] = [['IMAGE', 'ID', 'UNPACKED', 'STORED', 'IN USE']];
  for (const image of images) {
    const [first = '<untagged>', ...names] = image.RepoTags ?? [];
    const platforms = image.Manifests ?? [];
    const stored = platforms.reduce((sum, each) => sum + each.Size.Content, 0);
    const use = (users.get(image.Id) ?? []).map(nameOf).sort().join(', ');
    rows.push([first, shortId(image.Id), humanSize(image.Size, 3), stored === 0 ? '' : humanSize(stored, 3), use]);
    const children: Row[] = [
      ...names.map((name): Row => [name, '', '', '', '']),
      ...platforms.map((platform) => platformRow(platform, use)),
    ];
    for (const [index, [name, ...cells]] of children.entries()) {
      rows.push([`${index === children.length - 1 ? '└─' : '├─'} ${name}`, ...cells]);
    }
  }
  return fitTable(rows, width, [0, 4]);
}

function platformRow({ ID, Available, Size, ImageData }: ImageManifestSummary, use: string): Row {
  const { os, architecture, variant } = ImageData.Platform;
  const name = printable([os, architecture, variant].filter(Boolean).join('/'));
  if (!Available) return [name, shortId(ID), 'not here', '', ''];
  return [name, shortId(ID), humanSize(ImageData.Size.Unpacked, 3), humanSize(Size.Content, 3), use];
}

function nameOf({ Names, Id }: ContainerSummary): string {
  return Names[0]?.replace(/^\//, '') ?? shortId(Id);
}
