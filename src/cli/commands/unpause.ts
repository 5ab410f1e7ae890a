/** `wherry unpause`. */
import { atLeast, type Command } from '../command.ts';
import { forEachName } from '../each.ts';

export const command: Command = {
  use: 'CONTAINER [CONTAINER...]',
  arity: atLeast(1),
  completes: ['running'],
  examples: `
# Let it go on
wherry unpause web`,
  async run(session, { args }) {
    const client = await session.client();
    await forEachName(session, args, (name) => client.containers.unpause(name));
  },
};
