/** `wherry context show`. */
import { noArgs, type Command } from '../command.ts';
import { currentContext } from '../context/describe.ts';

export const command: Command = {
  use: '',
  arity: noArgs,

  examples: `
# Which daemon is meant
wherry context show`,
  async run(session) {
    session.out.write(`${currentContext(session)}\n`);
  },
};
