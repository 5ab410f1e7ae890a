/** `wherry compose stats`. */
import { byName, listContainers, nameOf, serviceOf } from '../../compose/index.ts';
import { atMost, type Command } from '../command.ts';
import { delegate } from '../compose/delegate.ts';
import { Compose } from '../compose/open.ts';
import { formatHelp } from '../output/format-help.ts';
import { Exit } from '../usage-fault.ts';
import { command as statsCommand } from './stats.ts';

export const command: Command = {
  use: '[OPTIONS] [SERVICE]',
  arity: atMost(1),
  flags: `
  -a, --all             Show all containers (default shows just running)
      --format string   ${formatHelp}
      --no-stream       Disable streaming stats and only pull the first result
      --no-trunc        Do not truncate output
`,
  hidden: `
      --dry-run
`,
  completes: ['service'],
  examples: `
# What the containers use, once
wherry compose stats --no-stream`,
  async run(session, invocation) {
    const compose = new Compose(session, invocation);
    const { flags, args } = invocation;
    const containers = (await listContainers(await session.client(), compose.projectName()))
      .filter((each) => args.length === 0 || serviceOf(each) === args[0])
      .filter(({ State }) => flags.bool('all') || State === 'running')
      .toSorted(byName);
    if (containers.length === 0) throw new Exit(1, 'no container of this project runs');
    const format = flags.string('format');
    const words = [
      ...(format === '' ? [] : [`--format=${format}`]),
      ...(flags.bool('no-stream') ? ['--no-stream'] : []),
      ...(flags.bool('no-trunc') ? ['--no-trunc'] : []),
      ...containers.map(nameOf),
    ];
    return delegate(session, statsCommand, words, invocation.path);
  },
};
