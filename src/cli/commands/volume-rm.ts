/** `wherry volume rm`. */
import { atLeast, type Command } from '../command.ts';
import { explain } from '../explain.ts';

export const command: Command = {
  use: '[OPTIONS] VOLUME [VOLUME...]',
  flags: `
  -f, --force   Force the removal of one or more volumes
`,
  arity: atLeast(1),
  completes: ['volume'],
  examples: `
# The volume and what is in it
wherry volume rm data`,
  async run(session, { flags, args }) {
    const client = await session.client();
    let code = 0;
    for (const name of args) {
      try {
        await client.volumes.remove(name, flags.bool('force'));
        session.out.write(`${name}\n`);
      } catch (error) {
        session.err.write(`${explain(error)}\n`);
        code = 1;
      }
    }
    return code;
  },
};
