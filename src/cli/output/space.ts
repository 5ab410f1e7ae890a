/** `system df -v` of a Wherry daemon: each thing with what it takes of the disk. */
import type { SpaceReport } from '../../api/index.ts';
import { humanDuration, humanSize } from '../../std/index.ts';
import { shortId } from './short.ts';
import { alignColumns } from './tabwriter.ts';

export function spaceDetails({ Details }: SpaceReport, now: number): string {
  const size = (bytes: number): string => humanSize(bytes, 3);
  const ago = (time: string): string => `${humanDuration(now - Date.parse(time))} ago`;
  return [
    section(
      'Images on disk:',
      ['IMAGE', 'IMAGE ID', 'UNPACKED', 'UNIQUE', 'ARCHIVES', 'CONTAINERS'],
      Details.Images.map((image) => [
        image.Name,
        shortId(image.Id),
        size(image.Unpacked),
        size(image.Unique),
        size(image.Archives),
        String(image.Containers),
      ]),
    ),
    section(
      'Containers on disk:',
      ['CONTAINER ID', 'IMAGE', 'STATE', 'FILES', 'LOG', 'NAMES'],
      Details.Containers.map((each) => [
        shortId(each.Id),
        each.Image,
        each.State,
        size(each.Files),
        size(each.Log),
        each.Name,
      ]),
    ),
    section(
      'Volumes on disk:',
      ['VOLUME NAME', 'LINKS', 'SIZE'],
      Details.Volumes.map(({ Name, Containers, Size }) => [Name, String(Containers), size(Size)]),
    ),
    section(
      'Volume trash (wherry volume restore brings back):',
      ['VOLUME NAME', 'REMOVED', 'SIZE'],
      Details.Trash.map(({ Name, RemovedAt, Size }) => [Name, ago(RemovedAt), size(Size)]),
    ),
    section(
      'Partial downloads:',
      ['BLOB', 'STOPPED', 'SIZE', 'STATE'],
      Details.Downloads.map((each) => [
        shortId(each.Digest),
        ago(each.At),
        size(each.Size),
        each.Whole ? 'complete, of an image that is not' : 'begun',
      ]),
    ),
  ].join('\n');
}

function section(title: string, columns: readonly string[], rows: readonly (readonly string[])[]): string {
  return `${title}\n\n${alignColumns(`${[columns, ...rows].map((cells) => cells.join('\t')).join('\n')}\n`)}`;
}
