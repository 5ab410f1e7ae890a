/** `wherry volume trash`: Wherry's own; what `volume rm` and `prune` took away and can still be brought back. */
import { humanDuration, humanSize } from '../../std/index.ts';
import { noArgs, type Command } from '../command.ts';
import { formatList, type ListShape } from '../output/list.ts';
import { formatHelp } from '../output/format-help.ts';

export const command: Command = {
  use: '[OPTIONS]',
  flags: `
      --format string   ${formatHelp}
`,
  arity: noArgs,
  examples: `
# What can be brought back, newest first
wherry volume trash
# Bring one back
wherry volume restore data`,
  async run(session, { flags }) {
    const client = await session.client();
    const now = Date.now();
    const rows = (await client.volumes.trash()).map(({ Name, RemovedAt, Size }) => ({
      Name,
      Removed: `${humanDuration(now - Date.parse(RemovedAt))} ago`,
      RemovedAt,
      Size: humanSize(Size),
    }));
    session.out.write(await formatList(trashShape, rows, flags.string('format')));
  },
};

const trashShape: ListShape = {
  type: 'volumeTrashContext',
  headers: { Name: 'VOLUME NAME', Removed: 'REMOVED', RemovedAt: 'REMOVED AT', Size: 'SIZE' },
  columns: ['Name', 'Removed', 'Size'],
  hidden: [],
};
