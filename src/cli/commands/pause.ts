/** `wherry pause`. */
import { atLeast, type Command } from '../command.ts';
import { forEachName } from '../each.ts';

export const command: Command = {
  use: 'CONTAINER [CONTAINER...]',
  arity: atLeast(1),
  completes: ['running'],
  examples: `
# Freeze it where it is
wherry pause web`,
  async run(session, { args }) {
    const client = await session.client();
    await forEachName(session, args, (name) => client.containers.pause(name));
  },
};
