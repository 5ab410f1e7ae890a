/** `wherry volume ls`. */
import type { Volume } from '../../api/index.ts';
import { humanSize } from '../../std/index.ts';
import { noArgs, type Command } from '../command.ts';
import { formatList, type ListShape, type Row } from '../output/list.ts';
import { labelText } from '../output/short.ts';
import { naturalOrder } from '../output/natural-order.ts';
import { formatHelp } from '../output/format-help.ts';

export const command: Command = {
  use: '[OPTIONS]',
  flags: `
      --cluster         Display only cluster volumes, and use cluster volume list formatting
  -f, --filter filter   Provide filter values (e.g. "dangling=true")
      --format string   ${formatHelp}
  -q, --quiet           Only display volume names
`,
  arity: noArgs,
  examples: `
# All of them
wherry volume ls
# Those that no container uses
wherry volume ls -f dangling=true`,
  async run(session, { flags }) {
    const client = await session.client();
    const { Volumes } = await client.volumes.list(flags.filters());
    const volumes = (Volumes ?? []).sort((a, b) => naturalOrder(a.Name, b.Name));
    const quiet = flags.bool('quiet');
    const format = flags.string('format') || (quiet ? '' : (session.config().data.volumesFormat ?? ''));
    if (quiet && (format === '' || format === 'table')) {
      session.out.write(volumes.map(({ Name }) => `${Name}\n`).join(''));
      return;
    }
    const rows = volumes.map(volumeRow);
    session.out.write(await formatList(volumeShape, rows, format));
  },
};

export function volumeRow(volume: Volume): Row {
  return {
    Name: volume.Name,
    Driver: volume.Driver,
    Scope: volume.Scope,
    Mountpoint: volume.Mountpoint,
    Labels: labelText(volume.Labels),
    Label: (name: unknown) => volume.Labels?.[String(name)] ?? '',
    Links: volume.UsageData == null ? 'N/A' : String(volume.UsageData.RefCount),
    Size: volume.UsageData == null ? 'N/A' : humanSize(volume.UsageData.Size),
    Availability: 'N/A',
    Group: 'N/A',
    Status: 'N/A',
  };
}

export const volumeShape: ListShape = {
  type: 'volumeContext',
  headers: {
    Name: 'VOLUME NAME',
    Driver: 'DRIVER',
    Scope: 'SCOPE',
    Mountpoint: 'MOUNTPOINT',
    Labels: 'LABELS',
    Links: 'LINKS',
    Size: 'SIZE',
    Availability: 'AVAILABILITY',
    Group: 'GROUP',
    Status: 'STATUS',
  },
  columns: ['Driver', 'Name'],
  hidden: ['Label'],
};
