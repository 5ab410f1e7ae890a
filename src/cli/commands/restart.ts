/** `wherry restart`. */
import { atLeast, type Command } from '../command.ts';
import { forEachName } from '../each.ts';

export const command: Command = {
  use: '[OPTIONS] CONTAINER [CONTAINER...]',
  flags: `
  -s, --signal string   Signal to send to the container
  -t, --timeout int     Seconds to wait before killing the container
`,
  hidden: `
      --time int   =timeout
`,
  arity: atLeast(1),
  completes: ['container'],
  examples: `
# Stop and start again
wherry restart web`,
  async run(session, { flags, args }) {
    const client = await session.client();
    const t = flags.changed('timeout') ? flags.integer('timeout') : undefined;
    await forEachName(session, args, (name) =>
      client.containers.restart(name, { t, signal: flags.optional('signal') }),
    );
  },
};
