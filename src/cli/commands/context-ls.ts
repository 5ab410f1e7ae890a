/** `wherry context ls`. */
import { noArgs, type Command } from '../command.ts';
import { currentContext, storeOf } from '../context/describe.ts';
import { defaultSocket } from '../../context/index.ts';
import { formatList, type ListShape } from '../output/list.ts';
import { naturalOrder } from '../output/natural-order.ts';
import { ellipsis } from '../output/short.ts';
import { formatHelp } from '../output/format-help.ts';

export const command: Command = {
  use: '[OPTIONS]',
  flags: `
      --format string   ${formatHelp}
  -q, --quiet           Only show context names
`,
  arity: noArgs,

  examples: `
# All of them; the star is the one in use
wherry context ls`,
  async run(session, { flags }) {
    const current = currentContext(session);
    const { env } = session;
    const host = env['DOCKER_HOST'] || env['WHERRY_HOST'] || `unix://${defaultSocket(env)}`;
    const rows = [
      { Name: 'default', Description: 'Current DOCKER_HOST based configuration', DockerEndpoint: host },
      ...storeOf(session)
        .list()
        .map((meta) => ({
          Name: meta.Name,
          Description: meta.Metadata.Description ?? '',
          DockerEndpoint: meta.Endpoints['docker']?.Host ?? '',
        })),
    ].sort((a, b) => naturalOrder(a.Name, b.Name));
    if (flags.bool('quiet')) {
      session.out.write(rows.map(({ Name }) => `${Name}\n`).join(''));
      return;
    }
    const format = flags.string('format');
    const isTable = format === '' || format.startsWith('table');
    const shown = rows.map((row) => ({
      Current: row.Name === current,
      Description: row.Description,
      DockerEndpoint: row.DockerEndpoint,
      Error: '',
      Name: isTable && row.Name === current ? `${row.Name} *` : row.Name,
    }));
    const cut = isTable ? shown.map((row) => ({ ...row, Description: ellipsis(row.Description, 60) })) : shown;
    session.out.write(await formatList(shape, cut, format));
    const variable = ['DOCKER_HOST', 'WHERRY_HOST'].find((each) => (env[each] ?? '') !== '');
    if (variable !== undefined && session.options.context === undefined) {
      session.err.write(
        `Warning: ${variable} environment variable overrides the active context. To use a context, either set the global --context flag, or unset ${variable} environment variable.\n`,
      );
    }
  },
};

const shape: ListShape = {
  type: 'clientContextContext',
  headers: {
    Name: 'NAME',
    Description: 'DESCRIPTION',
    DockerEndpoint: 'DOCKER ENDPOINT',
    Error: 'ERROR',
    Current: 'CURRENT',
  },
  columns: ['Name', 'Description', 'DockerEndpoint', 'Error'],
};
