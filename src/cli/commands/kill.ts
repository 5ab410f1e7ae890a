/** `wherry kill`: a signal at once. */
import { atLeast, type Command } from '../command.ts';
import { forEachName } from '../each.ts';

export const command: Command = {
  use: '[OPTIONS] CONTAINER [CONTAINER...]',
  flags: `
  -s, --signal string   Signal to send to the container
`,
  arity: atLeast(1),
  completes: ['running'],
  examples: `
# End it now
wherry kill web
# Tell a server to read its configuration again
wherry kill -s HUP web`,
  async run(session, { flags, args }) {
    const client = await session.client();
    await forEachName(session, args, (name) => client.containers.kill(name, flags.optional('signal')));
  },
};
