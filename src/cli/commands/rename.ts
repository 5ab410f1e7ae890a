/** `wherry rename`. */
import { exactly, type Command } from '../command.ts';
import { explain } from '../explain.ts';
import { Exit } from '../usage-fault.ts';
import { Fault } from '../../std/index.ts';

export const command: Command = {
  use: 'CONTAINER NEW_NAME',
  arity: exactly(2),
  completes: ['container', 'none'],
  examples: `
# Give it another name
wherry rename web www`,
  async run(session, { args: [from = '', to = ''] }) {
    if (from.trim() === '' || to.trim() === '') {
      throw new Fault('invalid', 'Error: Neither old nor new names may be empty');
    }
    const client = await session.client();
    try {
      await client.containers.rename(from, to);
    } catch (error) {
      throw new Exit(1, `${explain(error)}\nError: failed to rename container named ${from}`);
    }
  },
};
