/** `wherry network rm`. */
import { ApiFault } from '../../client/index.ts';
import { atLeast, type Command } from '../command.ts';
import { explain } from '../explain.ts';

export const command: Command = {
  use: 'NETWORK [NETWORK...]',
  flags: `
  -f, --force   Do not error if the network does not exist
`,
  arity: atLeast(1),
  completes: ['network'],
  examples: `
# Once no container is in it
wherry network rm app`,
  async run(session, { flags, args }) {
    const client = await session.client();
    const force = flags.bool('force');
    let code = 0;
    for (const name of args) {
      try {
        await client.networks.remove(name);
        session.out.write(`${name}\n`);
      } catch (error) {
        if (force && error instanceof ApiFault && error.status === 404) continue;
        session.err.write(`${explain(error)}\n`);
        code = 1;
      }
    }
    if (code !== 0) session.err.write(`exit status ${code}\n`);
    return code;
  },
};
