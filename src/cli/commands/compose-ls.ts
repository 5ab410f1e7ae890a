/** `wherry compose ls`: projects, whoever started them. */
import { type Container, label } from '../../compose/index.ts';
import { noArgs, type Command } from '../command.ts';
import { alignColumns } from '../output/tabwriter.ts';
import { Exit } from '../usage-fault.ts';

export const command: Command = {
  use: '[OPTIONS]',
  arity: noArgs,
  flags: `
  -a, --all             Show all stopped Compose projects
      --filter filter   Filter output based on conditions provided
      --format string   Format the output. Values: [table | json] (default "table")
  -q, --quiet           Only display project names
`,
  hidden: `
      --dry-run
`,
  completesFlags: { format: ['table', 'json'] },
  examples: `
# All projects, also those that are stopped
wherry compose ls -a`,
  async run(session, { flags }) {
    const filters = flags.filters();
    const wrong = Object.keys(filters).find((key) => key !== 'name');
    if (wrong !== undefined) throw new Exit(1, `invalid filter '${wrong}'`);
    const client = await session.client();
    const containers = await client.containers.list({
      all: flags.bool('all'),
      filters: { label: [label.project, label.hash] },
    });
    const names = [...new Set(containers.map(({ Labels }) => Labels[label.project]!))].toSorted();
    const patterns = (filters['name'] ?? []).map((pattern) => new RegExp(pattern));
    const projects = names
      .filter((name) => patterns.length === 0 || patterns.some((pattern) => pattern.test(name)))
      .map((name) =>
        describe(
          name,
          containers.filter(({ Labels }) => Labels[label.project] === name),
        ),
      );
    if (flags.bool('quiet')) session.out.write(projects.map(({ Name }) => `${Name}\n`).join(''));
    else if (flags.string('format') === 'json') session.out.write(`${JSON.stringify(projects)}\n`);
    else {
      const lines = projects.map(({ Name, Status, ConfigFiles }) => `${Name}\t${Status}\t${ConfigFiles}\n`);
      session.out.write(alignColumns(`NAME\tSTATUS\tCONFIG FILES\n${lines.join('')}`, { minWidth: 20, padding: 3 }));
    }
  },
};

function describe(
  name: string,
  containers: readonly Container[],
): { Name: string; Status: string; ConfigFiles: string } {
  const counts = new Map<string, number>();
  for (const { State } of containers) counts.set(State, (counts.get(State) ?? 0) + 1);
  const files = containers.map(({ Labels }) => Labels[label.files]);
  return {
    Name: name,
    Status: [...counts]
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([state, count]) => `${state}(${count})`)
      .join(', '),
    ConfigFiles: files.includes(undefined) ? 'N/A' : [...new Set(files.flatMap((each) => each!.split(',')))].join(','),
  };
}
