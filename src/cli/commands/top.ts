/** `wherry top`. */
import { atLeast, type Command } from '../command.ts';
import { alignColumns } from '../output/tabwriter.ts';

export const command: Command = {
  use: 'CONTAINER [ps OPTIONS]',
  arity: atLeast(1),
  completes: ['running', 'none'],
  examples: `
# What runs in it
wherry top web
# With ps's own options
wherry top web -o pid,rss,cmd`,
  stopsAtArgument: true,
  async run(session, { args: [name = '', ...psArgs] }) {
    const client = await session.client();
    const { Titles, Processes } = await client.containers.top(name, psArgs.length === 0 ? undefined : psArgs.join(' '));
    const lines = [Titles, ...(Processes ?? [])].map((cells) => cells.join('\t'));
    session.out.write(alignColumns(`${lines.join('\n')}\n`, { minWidth: 20, padding: 3 }));
  },
};
