/** `wherry context use`. */
import { exactly, type Command } from '../command.ts';
import { storeOf } from '../context/describe.ts';

export const command: Command = {
  use: 'CONTEXT',
  arity: exactly(1),
  completes: ['context'],
  examples: `
# From now on
wherry context use far
# Back to this machine
wherry context use default`,
  async run(session, { args: [name = ''] }) {
    if (name !== 'default') storeOf(session).read(name);
    const config = session.config();
    if (name === 'default') delete config.data.currentContext;
    else config.data.currentContext = name;
    config.save();
    session.out.write(`${name}\n`);
    session.err.write(`Current context is now "${name}"\n`);
    const variable = ['DOCKER_HOST', 'WHERRY_HOST'].find((each) => (session.env[each] ?? '') !== '');
    if (name !== 'default' && variable !== undefined) {
      session.err.write(
        `Warning: ${variable} environment variable overrides the active context. To use "${name}", either set the global --context flag, or unset ${variable} environment variable.\n`,
      );
    }
  },
};
