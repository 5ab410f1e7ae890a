/** `wherry compose top`: the processes of all containers in one table. */
import { byName, listContainers, numberOf, serviceOf } from '../../compose/index.ts';
import { atLeast, type Command } from '../command.ts';
import { Compose } from '../compose/open.ts';
import { alignColumns } from '../output/tabwriter.ts';

export const command: Command = {
  use: '[SERVICES...]',
  arity: atLeast(0),
  flags: '',
  hidden: `
      --dry-run
`,
  completes: ['service'],
  examples: `
# The processes of all containers
wherry compose top`,
  async run(session, invocation) {
    const compose = new Compose(session, invocation);
    const { args } = invocation;
    const client = await session.client();
    const containers = (await listContainers(client, compose.projectName()))
      .filter((each) => each.State === 'running' && (args.length === 0 || args.includes(serviceOf(each))))
      .toSorted(byName);
    const tops = await Promise.all(containers.map(({ Id }) => client.containers.top(Id)));
    const titles = [...new Set(tops.flatMap(({ Titles }) => Titles))];
    // The command is the longest: it stands last.
    const columns = [
      'SERVICE',
      '#',
      ...titles.filter((title) => title !== 'CMD'),
      ...titles.filter((title) => title === 'CMD'),
    ];
    const rows = containers.flatMap((container, index) =>
      (tops[index]!.Processes ?? []).map((cells) => {
        const entry = new Map(tops[index]!.Titles.map((title, at) => [title, cells[at] ?? '-']));
        entry
          .set('SERVICE', serviceOf(container))
          .set('#', numberOf(container) === 0 ? '-' : String(numberOf(container)));
        return columns.map((title) => entry.get(title) ?? '-');
      }),
    );
    if (rows.length === 0) return;
    session.out.write(
      alignColumns(`${[columns, ...rows].map((cells) => cells.join('\t')).join('\n')}\n`, { minWidth: 4, padding: 2 }),
    );
  },
};
